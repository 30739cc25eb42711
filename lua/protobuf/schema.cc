#include "lua/protobuf/schema.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <new>
#include <unordered_set>

namespace codec
{

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorPoolDatabase;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::ServiceDescriptor;
using google::protobuf::SourceLocation;
using google::protobuf::compiler::SourceTreeDescriptorDatabase;

/* Loading. */

namespace
{

/* Parses files and builds them in the schema's pool, imports first. */
struct loader {
    schema &s;
    DescriptorPoolDatabase known{*DescriptorPool::generated_pool()};
    SourceTreeDescriptorDatabase parser{&s.found, &known};
    std::deque<FileDescriptorProto> parsed; /* the parser knows positions by their addresses */
    std::unordered_set<std::string> begun;  /* each is in the pool, in error, or being loaded */
    std::unordered_set<std::string> broken; /* those in error, told already */

    explicit loader(schema &owner) : s(owner)
    {
        parser.RecordErrorsTo(&s.found);
        parser.GetValidationErrorCollector(); /* begins to record positions */
    }
    bool load(const std::string &name);
    bool build(const std::string &name);
    std::string name_of_import(const FileDescriptorProto &file, int i);
    bool load_import(FileDescriptorProto &file, int i);
    void refuse_import(const FileDescriptorProto &file, int i, const std::string &why);
};

void loader::refuse_import(const FileDescriptorProto &file, int i, const std::string &why)
{
    int line = -1, column = 0;
    for (const auto &place : file.source_code_info().location()) {
        if (place.path_size() == 2 &&
            place.path(0) == FileDescriptorProto::kDependencyFieldNumber && place.path(1) == i) {
            line = place.span(0);
            column = place.span(1);
        }
    }
    s.found.AddError(file.name(), line, column, "import \"" + file.dependency(i) + "\": " + why);
}

static bool is_well_known(const std::string &name)
{
    return DescriptorPool::generated_pool()->FindFileByName(name) != nullptr;
}

/* An import is written as seen from a folder, as protoc has it; where no folder has such a file, as
 * seen from the file that imports it. */
std::string loader::name_of_import(const FileDescriptorProto &file, int i)
{
    const std::string &name = file.dependency(i);
    if (begun.count(name) || s.found.has(name) || is_well_known(name))
        return name;
    std::string beside =
        std::filesystem::path(file.name()).replace_filename(name).lexically_normal();
    return s.found.has(beside) ? beside : name;
}

bool loader::load_import(FileDescriptorProto &file, int i)
{
    const std::string name = name_of_import(file, i);
    file.set_dependency(i, name);
    if (s.pool.FindFileByName(name))
        return true;
    if (broken.count(name))
        return false;
    if (begun.count(name)) {
        refuse_import(file, i, "it imports this file in turn");
        return false;
    }
    if (!s.found.has(name) && !is_well_known(name)) {
        refuse_import(file, i, "there is no such file" + s.found.searched());
        return false;
    }
    return load(name);
}

bool loader::load(const std::string &name)
{
    begun.insert(name);
    if (build(name))
        return true;
    broken.insert(name);
    return false;
}

bool loader::build(const std::string &name)
{
    parsed.emplace_back();
    FileDescriptorProto &file = parsed.back();
    if (!parser.FindFileByName(name, &file))
        return false;
    bool complete = true;
    for (int i = 0; i < file.dependency_size(); i++)
        complete &= load_import(file, i);
    if (!complete)
        return false;
    const FileDescriptor *built =
        s.pool.BuildFileCollectingErrors(file, parser.GetValidationErrorCollector());
    if (built)
        s.files.push_back(built);
    return built;
}

} // namespace

static void refuse_groups(schema &s, const Descriptor *d)
{
    for (int i = 0; i < d->field_count(); i++) {
        const FieldDescriptor *f = d->field(i);
        SourceLocation at = {};
        if (f->type() != FieldDescriptor::TYPE_GROUP)
            continue;
        if (!f->GetSourceLocation(&at))
            at.start_line = -1;
        s.found.AddError(d->file()->name(), at.start_line, at.start_column,
            f->full_name() + " is a group: groups are not supported; use a message");
    }
    for (int i = 0; i < d->nested_type_count(); i++)
        refuse_groups(s, d->nested_type(i));
}

/* Returns what went wrong, or nothing. */
static std::string load(schema &s, const std::string &name)
{
    loader l(s);
    l.load(name);
    for (const FileDescriptor *built : s.files)
        for (int i = 0; i < built->message_type_count(); i++)
            refuse_groups(s, built->message_type(i));
    s.found.forget_texts();
    if (s.found.errors.empty())
        s.prepared.build(s.files);
    return s.found.errors;
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

const char *schema_load(schema *s, const char *file) noexcept
{
    return schema_try(s, [&](std::string &problem) { problem = load(*s, s->found.name_of(file)); });
}

const char *schema_parse(schema *s, const char *name, const char *text, size_t n) noexcept
{
    return schema_try(s, [&](std::string &problem) {
        s->found.give(name, {text, n});
        problem = load(*s, name);
    });
}

/* Look-ups. */

const char *schema_find_message(schema *s, const char *name, const message **out) noexcept
{
    return schema_try(s, [&](std::string &) {
        const Descriptor *d = s->pool.FindMessageTypeByName(name);
        *out = d ? s->prepared.by_descriptor.at(d) : nullptr;
    });
}

const char *schema_find_service(schema *s, const char *name, const ServiceDescriptor **out) noexcept
{
    return schema_try(s, [&](std::string &) { *out = s->pool.FindServiceByName(name); });
}

const char *schema_find_file(schema *s, const char *name, const FileDescriptor **out) noexcept
{
    return schema_try(s, [&](std::string &) { *out = s->pool.FindFileByName(name); });
}

const char *schema_find_symbol(schema *s, const char *name, const FileDescriptor **out) noexcept
{
    return schema_try(s, [&](std::string &) { *out = s->pool.FindFileContainingSymbol(name); });
}

const char *schema_find_extension(
    schema *s, const char *name, int number, const FileDescriptor **out) noexcept
{
    return schema_try(s, [&](std::string &) {
        const Descriptor *d = s->pool.FindMessageTypeByName(name);
        const FieldDescriptor *f = d ? s->pool.FindExtensionByNumber(d, number) : nullptr;
        *out = f ? f->file() : nullptr;
    });
}

const char *schema_describe(schema *s, const FileDescriptor *file) noexcept
{
    return schema_try(s, [&](std::string &) {
        FileDescriptorProto described;
        file->CopyTo(&described);
        described.SerializeToString(&s->result);
    });
}

const char *schema_list_extensions(schema *s, const char *name) noexcept
{
    return schema_try(s, [&](std::string &) {
        std::vector<const FieldDescriptor *> extensions;
        const Descriptor *d = s->pool.FindMessageTypeByName(name);
        if (d)
            s->pool.FindAllExtensions(d, &extensions);
        std::vector<int> numbers;
        for (const FieldDescriptor *f : extensions)
            numbers.push_back(f->number());
        std::sort(numbers.begin(), numbers.end());
        s->result.assign((const char *)numbers.data(), numbers.size() * sizeof(int));
    });
}

} // namespace codec
