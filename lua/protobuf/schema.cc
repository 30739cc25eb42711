#include "lua/protobuf/schema.h"

#include "lua/protobuf/descriptor_set.h"
#include "lua/protobuf/loader.h"

#include <algorithm>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <new>

namespace codec
{

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

/* Loading. */

/* Loads the file into the store; false if it is in error, or if the store is out of date. After a
 * failure halfway the store is not shared any more. */
static bool load_into(schema &s, const std::shared_ptr<store> &to, const std::string &name)
{
    s.loaded = loader_load(*to, s.found, name);
    if (s.loaded.files.empty())
        return false;
    bool whole = to->whole;
    to->whole = false;
    to->prepared.build(s.loaded.files);
    to->whole = whole;
    s.held = to;
    s.own.insert(s.loaded.files.begin(), s.loaded.files.end());
    return true;
}

/* Returns what went wrong, or nothing. */
static std::string load_alone(schema &s, const std::string &name)
{
    load_into(s, std::make_shared<store>(), name);
    s.found.forget_texts();
    return s.found.errors;
}

static std::string folders_of(const sources &found)
{
    std::string all;
    for (const std::string &folder : found.folders)
        all += folder + '\0';
    return all;
}

/* A file that does not load into a shared store may contradict others there: it is loaded again
 * alone, so that only its own errors are reported. */
static std::string load_shared(schema &s, store &shared)
{
    if (shared.whole && load_into(s, shared.shared_from_this(), s.name)) {
        s.found.forget_texts();
        return {};
    }
    s.found.start_again();
    return load_alone(s, s.name);
}

schema *schema_new() noexcept
{
    try {
        return new schema;
    } catch (const std::exception &) {
        return nullptr;
    }
}

void schema_free(schema *s) noexcept
{
    delete s;
}

const char *schema_add_folder(schema *s, const char *folder) noexcept
{
    return schema_try(s, [&](std::string &) { s->found.folders.push_back(folder); });
}

const char *schema_begin(schema *s, const char *file) noexcept
{
    return schema_try(s, [&](std::string &) {
        s->name = s->found.name_of(file);
        s->folders = folders_of(s->found);
    });
}

const char *schema_load(schema *s, store *shared) noexcept
{
    return schema_try(s, [&](std::string &problem) {
        bool may_share = shared && !descriptor_set_is(s->name);
        problem = may_share ? load_shared(*s, *shared) : load_alone(*s, s->name);
    });
}

const char *schema_parse(schema *s, const char *name, const char *text, size_t n) noexcept
{
    return schema_try(s, [&](std::string &problem) {
        s->found.give(name, {text, n});
        problem = load_alone(*s, name);
    });
}

/* Look-ups: results of the pool, restricted to the schema's files. */

template <typename descriptor> static const descriptor *own(const schema *s, const descriptor *d)
{
    return d && s->own.count(d->file()) ? d : nullptr;
}

static const FileDescriptor *own(const schema *s, const FileDescriptor *file)
{
    return s->own.count(file) ? file : nullptr;
}

static const Descriptor *find_type(const schema *s, const char *name)
{
    return own(s, s->held->pool.FindMessageTypeByName(name));
}

const char *schema_find_message(schema *s, const char *name, const message **out) noexcept
{
    return schema_try(s, [&](std::string &) {
        const Descriptor *d = find_type(s, name);
        *out = d ? s->held->prepared.by_descriptor.at(d) : nullptr;
    });
}

const char *schema_find_service(schema *s, const char *name, const ServiceDescriptor **out) noexcept
{
    return schema_try(
        s, [&](std::string &) { *out = own(s, s->held->pool.FindServiceByName(name)); });
}

const char *schema_find_file(schema *s, const char *name, const FileDescriptor **out) noexcept
{
    return schema_try(s, [&](std::string &) { *out = own(s, s->held->pool.FindFileByName(name)); });
}

const char *schema_find_symbol(schema *s, const char *name, const FileDescriptor **out) noexcept
{
    return schema_try(
        s, [&](std::string &) { *out = own(s, s->held->pool.FindFileContainingSymbol(name)); });
}

const char *schema_find_extension(
    schema *s, const char *name, int number, const FileDescriptor **out) noexcept
{
    return schema_try(s, [&](std::string &) {
        const Descriptor *d = find_type(s, name);
        const FieldDescriptor *f = d ? s->held->pool.FindExtensionByNumber(d, number) : nullptr;
        *out = f ? own(s, f->file()) : nullptr;
    });
}

const char *schema_describe(schema *s, const FileDescriptor *file) noexcept
{
    return schema_try(s, [&](std::string &) {
        auto known = s->held->described.find(file->name());
        FileDescriptorProto described;
        if (known != s->held->described.end()) {
            s->result = known->second;
            return;
        }
        file->CopyTo(&described);
        described.SerializeToString(&s->result);
    });
}

/* The annotation is an extension that the library does not know. Parts of it are joined: that is
 * how messages are merged. */
const char *schema_http_rule(schema *s, const MethodDescriptor *d) noexcept
{
    enum { HTTP = 72295728 };
    return schema_try(s, [&](std::string &) {
        const auto &options = d->options().unknown_fields();
        s->result.clear();
        for (int i = 0; i < options.field_count(); i++)
            if (options.field(i).number() == HTTP &&
                options.field(i).type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
                s->result += options.field(i).length_delimited();
    });
}

template <typename descriptor> static bool take_comment(schema *s, const descriptor *d)
{
    google::protobuf::SourceLocation at;
    if (!d || !s->own.count(d->file()))
        return false;
    if (d->GetSourceLocation(&at))
        s->result = at.leading_comments.empty() ? at.trailing_comments : at.leading_comments;
    return true;
}

const char *schema_comment(schema *s, const char *name) noexcept
{
    return schema_try(s, [&](std::string &) {
        const auto &pool = s->held->pool;
        s->result.clear();
        bool found = take_comment(s, pool.FindMessageTypeByName(name)) ||
                     take_comment(s, pool.FindFieldByName(name)) ||
                     take_comment(s, pool.FindMethodByName(name)) ||
                     take_comment(s, pool.FindServiceByName(name)) ||
                     take_comment(s, pool.FindEnumTypeByName(name));
        (void)found;
    });
}

const char *schema_list_extensions(schema *s, const char *name) noexcept
{
    return schema_try(s, [&](std::string &) {
        std::vector<const FieldDescriptor *> extensions;
        const Descriptor *d = find_type(s, name);
        if (d)
            s->held->pool.FindAllExtensions(d, &extensions);
        std::vector<int> numbers;
        for (const FieldDescriptor *f : extensions)
            if (own(s, f->file()))
                numbers.push_back(f->number());
        std::sort(numbers.begin(), numbers.end());
        s->result.assign((const char *)numbers.data(), numbers.size() * sizeof(int));
    });
}

} // namespace codec
