/*
 * What the library makes of the files of a set before it has built them. Files come from other
 * servers too, whose few bytes may stand for work without end: every name within a long one is
 * written out whole, each reserved range is compared with all others and with all fields, and each
 * file walks what those before it import publicly.
 */
#ifndef LUA_PROTOBUF_WEIGHT_H
#define LUA_PROTOBUF_WEIGHT_H

#include <cstdint>
#include <google/protobuf/descriptor.pb.h>
#include <string>

namespace codec
{

struct weight {
    uint64_t names = 0; /* bytes of full names */
    uint64_t steps = 0; /* ranges that are compared, imports that are walked */
    uint64_t public_imports = 0;
};

/* Adds a file. Returns why it is too much, or nothing. */
std::string weight_add(weight &w, const google::protobuf::FileDescriptorProto &file);

} // namespace codec

#endif
