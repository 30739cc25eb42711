/*
 * The options that a .proto file may use. The library knows those of its own version only, but
 * reads options by the descriptor.proto of the pool in which it builds files. So that file is
 * provided here: the library's own, and what later versions have added.
 */
#ifndef LUA_PROTOBUF_VOCABULARY_H
#define LUA_PROTOBUF_VOCABULARY_H

#include <google/protobuf/descriptor.pb.h>
#include <string>

namespace codec
{

/* The file's name. */
extern const char vocabulary_name[];

const google::protobuf::FileDescriptorProto &vocabulary_file();

/* Finds edition = "..." at the start of a text, which this version of the library cannot read.
 * Lines and columns count from 0. False if there is none. */
bool vocabulary_find_edition(const std::string &text, int *line, int *column);

} // namespace codec

#endif
