/*
 * The files that many others import and no folder need have, beside those that the library has:
 * annotations for HTTP (google/api) and the details of errors (google/rpc). They declare what
 * Google's files of these names do, by the same names and numbers, and nothing is said of
 * languages.
 */
#ifndef LUA_PROTOBUF_COMMON_PROTOS_H
#define LUA_PROTOBUF_COMMON_PROTOS_H

#include <string>

namespace codec
{

/* The text of the file of that name, or NULL. */
const char *common_proto(const std::string &name);

} // namespace codec

#endif
