#include "lua/protobuf/loader.h"

#include "lua/protobuf/vocabulary.h"

#include <deque>
#include <filesystem>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <unordered_set>

namespace codec
{

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorPoolDatabase;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::SourceLocation;
using google::protobuf::compiler::SourceTreeDescriptorDatabase;

namespace
{

/* Parses files and builds them in the store's pool, imports first. */
struct loader {
    store &to;
    sources &from;
    DescriptorPoolDatabase known{*DescriptorPool::generated_pool()};
    SourceTreeDescriptorDatabase parser{&from, &known};
    std::deque<FileDescriptorProto> parsed; /* the parser knows positions by their addresses */
    std::unordered_set<std::string> begun;  /* each is loaded, in error, or being loaded */
    std::unordered_set<std::string> loaded, broken; /* those in error are told already */
    std::vector<const FileDescriptor *> files;      /* imports first */

    loader(store &s, sources &found) : to(s), from(found)
    {
        parser.RecordErrorsTo(&from);
        parser.GetValidationErrorCollector(); /* begins to record positions */
        if (!to.pool.FindFileByName(vocabulary_name))
            to.pool.BuildFile(vocabulary_file());
    }
    bool load(const std::string &name);
    const FileDescriptor *build(const std::string &name);
    bool reuse(const FileDescriptor *file);
    bool refuse_edition(const std::string &name);
    std::string name_of_import(const FileDescriptorProto &file, int i);
    bool load_import(FileDescriptorProto &file, int i);
    void refuse_import(const FileDescriptorProto &file, int i, const std::string &why);
    void refuse_groups(const Descriptor *d);
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
    from.AddError(file.name(), line, column, "import \"" + file.dependency(i) + "\": " + why);
}

bool is_well_known(const std::string &name)
{
    return DescriptorPool::generated_pool()->FindFileByName(name) != nullptr;
}

/* An import is written as seen from a folder, as protoc has it; where no folder has such a file, as
 * seen from the file that imports it. */
std::string loader::name_of_import(const FileDescriptorProto &file, int i)
{
    const std::string &name = file.dependency(i);
    if (begun.count(name) || from.has(name) || is_well_known(name))
        return name;
    std::string beside =
        std::filesystem::path(file.name()).replace_filename(name).lexically_normal();
    return from.has(beside) ? beside : name;
}

bool loader::load_import(FileDescriptorProto &file, int i)
{
    const std::string name = name_of_import(file, i);
    file.set_dependency(i, name);
    if (loaded.count(name))
        return true;
    if (broken.count(name))
        return false;
    if (begun.count(name)) {
        refuse_import(file, i, "it imports this file in turn");
        return false;
    }
    if (!from.has(name) && !is_well_known(name)) {
        refuse_import(file, i, "there is no such file" + from.searched());
        return false;
    }
    return load(name);
}

bool loader::load(const std::string &name)
{
    const FileDescriptor *there = to.pool.FindFileByName(name);
    begun.insert(name);
    if (there)
        return reuse(there);
    const FileDescriptor *built = build(name);
    (built ? loaded : broken).insert(name);
    if (built)
        files.push_back(built);
    return built;
}

/* Takes a file that the pool has, with what it imports; false if one has changed since. */
bool loader::reuse(const FileDescriptor *file)
{
    const std::string &name = file->name();
    auto known_origin = to.origins.find(name);
    begun.insert(name);
    if (!loaded.insert(name).second)
        return true;
    bool same = name == vocabulary_name ||
                (known_origin == to.origins.end() ? !from.has(name)
                                                  : from.take(name, known_origin->second));
    for (int i = 0; same && i < file->dependency_count(); i++)
        same = reuse(file->dependency(i));
    if (same)
        files.push_back(file);
    return same;
}

bool loader::refuse_edition(const std::string &name)
{
    int line, column;
    const std::string *text = from.text_of(name);
    if (!text || !vocabulary_find_edition(*text, &line, &column))
        return false;
    from.AddError(name, line, column,
        "editions are not supported; write syntax = \"proto3\" (or \"proto2\")");
    return true;
}

const FileDescriptor *loader::build(const std::string &name)
{
    parsed.emplace_back();
    FileDescriptorProto &file = parsed.back();
    if (refuse_edition(name) || !parser.FindFileByName(name, &file))
        return nullptr;
    bool complete = true;
    for (int i = 0; i < file.dependency_size(); i++)
        complete &= load_import(file, i);
    if (!complete)
        return nullptr;
    const FileDescriptor *built =
        to.pool.BuildFileCollectingErrors(file, parser.GetValidationErrorCollector());
    if (built && from.origins.count(name))
        to.origins[name] = from.origins.at(name);
    for (int i = 0; built && i < built->message_type_count(); i++)
        refuse_groups(built->message_type(i));
    return built;
}

void loader::refuse_groups(const Descriptor *d)
{
    for (int i = 0; i < d->field_count(); i++) {
        const FieldDescriptor *f = d->field(i);
        SourceLocation at = {};
        if (f->type() != FieldDescriptor::TYPE_GROUP)
            continue;
        if (!f->GetSourceLocation(&at))
            at.start_line = -1;
        from.AddError(d->file()->name(), at.start_line, at.start_column,
            f->full_name() + " is a group: groups are not supported; use a message");
        to.whole = false;
    }
    for (int i = 0; i < d->nested_type_count(); i++)
        refuse_groups(d->nested_type(i));
}

} // namespace

std::vector<const FileDescriptor *> loader_load(store &to, sources &from, const std::string &name)
{
    loader l(to, from);
    if (!l.load(name) || !from.errors.empty())
        return {};
    return l.files;
}

} // namespace codec
