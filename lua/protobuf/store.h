/*
 * What schemas share that are loaded from the same folders: the files that are parsed and checked
 * so far, and what is prepared of them. A file is used again as long as it is the one that its name
 * finds in the folders, and has not changed since.
 */
#ifndef LUA_PROTOBUF_STORE_H
#define LUA_PROTOBUF_STORE_H

#include "lua/protobuf/sources.h"
#include "lua/protobuf/table.h"

#include <google/protobuf/descriptor.h>
#include <memory>
#include <string>
#include <unordered_map>

namespace codec
{

struct store : std::enable_shared_from_this<store> {
    google::protobuf::DescriptorPool pool;
    std::unordered_map<std::string, origin>
        origins; /* of the files that are in the pool, by name */
    std::unordered_map<std::string, std::string> described; /* files of sets, as they came */
    tables prepared;
    bool whole = true; /* fit for another schema: nothing was left half done in it */
};

} // namespace codec

#endif
