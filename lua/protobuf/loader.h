/* Reading a .proto file, or a descriptor set, and all that it imports into a store. */
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

/* The file of that name and all that it imports, where none is in error; nothing otherwise, and the
 * sources have the errors. What the store has already is used again; where that is out of date,
 * there are no errors. May throw. */
loaded_files loader_load(store &to, sources &from, const std::string &name);

} // namespace codec

#endif
