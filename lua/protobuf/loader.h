/* Reads a .proto file, or a descriptor set, and all that it imports into a store. */
#ifndef LUA_PROTOBUF_LOADER_H
#define LUA_PROTOBUF_LOADER_H

#include "lua/protobuf/sources.h"
#include "lua/protobuf/store.h"

#include <string>
#include <vector>

namespace codec
{

struct loaded_files {
    std::vector<const google::protobuf::FileDescriptor *> files; /* imports first */
    std::vector<const google::protobuf::FileDescriptor *> main;  /* the file itself, or a set's */
};

/* The file of that name and all that it imports. Empty if one of them is in error; the sources have
 * the errors then. Files of the store are used again; if they are out of date, the result is empty
 * without errors. May throw. */
loaded_files loader_load(store &to, sources &from, const std::string &name);

} // namespace codec

#endif
