/*
 * The options that a .proto file may use. Those of the library end with its version, and it reads
 * options by the descriptor.proto of the pool that it builds files in: so this is its own file, and
 * what has been added to it since.
 */
#ifndef LUA_PROTOBUF_VOCABULARY_H
#define LUA_PROTOBUF_VOCABULARY_H

#include <google/protobuf/descriptor.pb.h>
#include <string>

namespace codec
{

/* The name that it goes by. */
extern const char vocabulary_name[];

const google::protobuf::FileDescriptorProto &vocabulary_file();

/* Where a text says edition = "...", which no library of this version reads: lines and columns
 * count from 0. False where it does not. */
bool vocabulary_find_edition(const std::string &text, int *line, int *column);

} // namespace codec

#endif
