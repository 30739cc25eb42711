/*
 * A schema: a .proto file or a descriptor set and all that it imports, checked and prepared for the
 * codec. It keeps what it has loaded, and may share that with other schemas. Later calls read no
 * files.
 *
 * Nothing here calls Lua or lets exceptions out: a function that can fail returns NULL or, if it
 * failed, a line that says why, which lasts as long as the schema.
 */
#ifndef LUA_PROTOBUF_SCHEMA_H
#define LUA_PROTOBUF_SCHEMA_H

#include "lua/protobuf/loader.h"
#include "lua/protobuf/sources.h"
#include "lua/protobuf/store.h"

#include <exception>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace codec
{

struct schema {
    sources found;
    std::shared_ptr<store> held;
    loaded_files loaded;
    std::unordered_set<const google::protobuf::FileDescriptor *> own; /* all of them */
    std::string name;                                                 /* of the main file */
    std::string folders;                                              /* all, as a key */
    std::string problem;
    std::string result; /* bytes that were asked for; handle_push_result frees them */
};

/* NULL if memory ran out. */
schema *schema_new() noexcept;
void schema_free(schema *s) noexcept;

const char *schema_add_folder(schema *s, const char *folder) noexcept;
/* Looks for the file that is to be loaded; after that its name and the folders are known. */
const char *schema_begin(schema *s, const char *file) noexcept;
/* One of the two may be called, once. schema_load loads the file into the store of others with the
 * same folders, if it fits there, or else into its own; schema_parse reads the text as a file of
 * that name. */
const char *schema_load(schema *s, store *shared) noexcept;
const char *schema_parse(schema *s, const char *name, const char *text, size_t n) noexcept;

/* *out is the message of the name, or NULL. */
const char *schema_find_message(schema *s, const char *name, const message **out) noexcept;
const char *schema_find_service(
    schema *s, const char *name, const google::protobuf::ServiceDescriptor **out) noexcept;
const char *schema_find_file(
    schema *s, const char *name, const google::protobuf::FileDescriptor **out) noexcept;
/* The file that defines the message, enum, field, service or method. */
const char *schema_find_symbol(
    schema *s, const char *name, const google::protobuf::FileDescriptor **out) noexcept;
/* The file that extends the message of that name with that number. */
const char *schema_find_extension(
    schema *s, const char *name, int number, const google::protobuf::FileDescriptor **out) noexcept;

/* Makes the serialized FileDescriptorProto the result; of a set's file, the bytes as they came. */
const char *schema_describe(schema *s, const google::protobuf::FileDescriptor *file) noexcept;
/* Makes the serialized google.api.HttpRule of a method the result; nothing if it has none. */
const char *schema_http_rule(schema *s, const google::protobuf::MethodDescriptor *d) noexcept;
/* Makes the comment on a message, enum, field, service or method the result. */
const char *schema_comment(schema *s, const char *name) noexcept;
/* Makes the numbers of the extensions of the message the result, each as an int. */
const char *schema_list_extensions(schema *s, const char *name) noexcept;

/* Runs f, which may throw. f may write into its string what went wrong. */
template <typename function> const char *schema_try(schema *s, function f) noexcept
{
    try {
        s->problem.clear();
        f(s->problem);
        return s->problem.empty() ? nullptr : s->problem.c_str();
    } catch (const std::bad_alloc &) {
        return "not enough memory";
    } catch (const std::exception &) {
        return "the protobuf library failed";
    }
}

} // namespace codec

#endif
