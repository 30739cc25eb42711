/*
 * Files of an edition, in place of which the library, which knows none, is given proto2. What
 * proto2 cannot say of a field or an enum is kept beside it.
 *
 * Features are resolved as Google's «Feature Settings for Editions» has it: what a field, its
 * oneof, its messages and its file say, the nearest first, and then the edition. Those of languages
 * mean nothing here, nor do those that bind a compiler alone.
 */
#ifndef LUA_PROTOBUF_EDITIONS_H
#define LUA_PROTOBUF_EDITIONS_H

#include "lua/protobuf/table.h"

#include <google/protobuf/descriptor.pb.h>
#include <string>
#include <vector>

namespace codec
{

/* Makes a file of an edition one of proto2; any other stays as it is. Returns what cannot be said,
 * a line for each. */
std::vector<std::string> editions_lower(
    google::protobuf::FileDescriptorProto &file, nuances &beside);

/* The same of the file as the library has built it: closed enums and implicit presence do not go
 * together, be the enum the file's own or another's. */
std::vector<std::string> editions_check(
    const google::protobuf::FileDescriptor *file, const nuances &beside);

} // namespace codec

#endif
