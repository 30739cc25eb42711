/*
 * Shared by schemas that are loaded from the same folders: the files that have been parsed and
 * checked so far, and the tables prepared from them. A file is used again as long as its name still
 * leads to it in the folders and it has not changed.
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
    bool whole = true; /* usable for another schema: nothing in it is half done */
};

} // namespace codec

#endif
