/*
 * Descriptor sets: files of types as a compiler has read them, which «protoc -o» and «buf build»
 * write. Each of their files is a FileDescriptorProto.
 */
#ifndef LUA_PROTOBUF_DESCRIPTOR_SET_H
#define LUA_PROTOBUF_DESCRIPTOR_SET_H

#include <google/protobuf/descriptor.pb.h>
#include <string>
#include <unordered_map>
#include <vector>

namespace codec
{

struct descriptor_set {
    struct file {
        std::string bytes; /* as the set has them */
        google::protobuf::FileDescriptorProto proto;
    };
    std::vector<std::string> names; /* in the order of the set */
    std::unordered_map<std::string, file> files;
};

/* Whether a file of that name is a set, and no text. */
bool descriptor_set_is(const std::string &name);

/* Reads a set. Returns what is wrong with it, or nothing. */
std::string descriptor_set_read(const std::string &bytes, descriptor_set &out);

} // namespace codec

#endif
