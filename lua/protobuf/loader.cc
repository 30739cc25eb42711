#include "lua/protobuf/loader.h"

#include "lua/protobuf/common_protos.h"
#include "lua/protobuf/descriptor_set.h"
#include "lua/protobuf/editions.h"
#include "lua/protobuf/vocabulary.h"
#include "lua/protobuf/weight.h"

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

/* Tells what is wrong with a file of a set, which is in no line. */
struct set_errors : DescriptorPool::ErrorCollector {
    sources &from;

    explicit set_errors(sources &found) : from(found)
    {
    }
    void AddError(const std::string &file, const std::string &element,
        const google::protobuf::Message *, ErrorLocation, const std::string &message) override
    {
        from.AddError(file, -1, 0, element + ": " + message);
    }
};

/* Reads files and builds them in the store's pool, imports first. */
struct loader {
    store &to;
    sources &from;
    DescriptorPoolDatabase known{*DescriptorPool::generated_pool()};
    SourceTreeDescriptorDatabase parser{&from, &known};
    set_errors errors{from};
    descriptor_set set;    /* whose files go before those that are found elsewhere */
    weight all;            /* of the set's files */
    bool too_much = false; /* as was told */
    std::deque<FileDescriptorProto> parsed;         /* the parser finds positions by address */
    std::unordered_set<std::string> begun;          /* each is loaded, broken or being loaded */
    std::unordered_set<std::string> loaded, broken; /* errors of broken ones are reported already */
    std::vector<const FileDescriptor *> files;      /* imports first */

    loader(store &s, sources &found) : to(s), from(found)
    {
        parser.RecordErrorsTo(&from);
        parser.GetValidationErrorCollector(); /* makes it record positions */
        if (!to.pool.FindFileByName(vocabulary_name))
            to.pool.BuildFile(vocabulary_file());
    }
    bool load(const std::string &name);
    bool load_set(const std::string &name);
    const FileDescriptor *build(const std::string &name);
    const FileDescriptor *build_parsed(const std::string &name);
    const FileDescriptor *build_given(const std::string &name, descriptor_set::file &file);
    bool load_imports(FileDescriptorProto &file);
    void tell(const std::string &name, const std::vector<std::string> &problems);
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
    if (from.has_enough_errors())
        return;
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
    return DescriptorPool::generated_pool()->FindFileByName(name) || common_proto(name);
}

/* The name of an import is relative to a folder, as for protoc or, if no folder has such a file, to
 * the importing file. */
std::string loader::name_of_import(const FileDescriptorProto &file, int i)
{
    const std::string &name = file.dependency(i);
    if (begun.count(name) || set.files.count(name) || from.has(name) || is_well_known(name))
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
    if (!set.files.count(name) && !from.has(name) && !is_well_known(name)) {
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

/* Takes a file of the pool, and its imports; false if one of them has changed since. */
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
        "editions are read from descriptor sets, which protoc -o and buf build write; "
        "in source write syntax = \"proto3\" (or \"proto2\")");
    return true;
}

bool loader::load_imports(FileDescriptorProto &file)
{
    bool complete = true;
    for (int i = 0; i < file.dependency_size(); i++)
        complete &= load_import(file, i);
    return complete;
}

const FileDescriptor *loader::build_parsed(const std::string &name)
{
    parsed.emplace_back();
    FileDescriptorProto &file = parsed.back();
    if (refuse_edition(name) || !parser.FindFileByName(name, &file) || !load_imports(file))
        return nullptr;
    const FileDescriptor *built =
        to.pool.BuildFileCollectingErrors(file, parser.GetValidationErrorCollector());
    if (built && from.origins.count(name))
        to.origins[name] = from.origins.at(name);
    return built;
}

void loader::tell(const std::string &name, const std::vector<std::string> &problems)
{
    for (const std::string &problem : problems)
        from.AddError(name, -1, 0, problem);
}

/* A file of a set. What its imports are called is left as it is. */
const FileDescriptor *loader::build_given(const std::string &name, descriptor_set::file &file)
{
    std::string excess = weight_add(all, file.proto);
    if (!excess.empty()) {
        if (!too_much)
            from.AddError(name, -1, 0, excess);
        too_much = true;
        return nullptr;
    }
    std::vector<std::string> problems = editions_lower(file.proto, to.prepared.beside);
    tell(name, problems);
    if (!load_imports(file.proto) || !problems.empty())
        return nullptr;
    const FileDescriptor *built = to.pool.BuildFileCollectingErrors(file.proto, &errors);
    if (built)
        tell(name, editions_check(built, to.prepared.beside));
    return built;
}

const FileDescriptor *loader::build(const std::string &name)
{
    auto given = set.files.find(name);
    const FileDescriptor *built =
        given == set.files.end() ? build_parsed(name) : build_given(name, given->second);
    for (int i = 0; built && i < built->message_type_count(); i++)
        refuse_groups(built->message_type(i));
    return built;
}

/* Reads a set, and loads all of its files into a store that none shares from then on: the files are
 * in no folder. */
bool loader::load_set(const std::string &name)
{
    const std::string *bytes = from.text_of(name);
    std::string problem = bytes ? descriptor_set_read(*bytes, set) : from.GetLastErrorMessage();
    to.whole = false;
    for (size_t i = 0; problem.empty() && i < set.names.size(); i++)
        if (!from.add_part(name, set.names[i]))
            problem = "more than " + std::to_string(from.max_files) + " files";
    tell(name, problem.empty() ? std::vector<std::string>() : std::vector<std::string>{problem});
    for (size_t i = 0; problem.empty() && i < set.names.size(); i++)
        if (!begun.count(set.names[i]))
            load(set.names[i]);
    for (auto &file : set.files)
        to.described[file.first].swap(file.second.bytes);
    return from.errors.empty();
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

loaded_files loader_load(store &to, sources &from, const std::string &name)
{
    loader l(to, from);
    bool is_set = descriptor_set_is(name);
    bool loads = is_set ? l.load_set(name) : l.load(name);
    if (!loads || !from.errors.empty())
        return {};
    loaded_files result = {l.files, {}};
    for (const std::string &part : l.set.names)
        result.main.push_back(to.pool.FindFileByName(part));
    if (!is_set)
        result.main.push_back(l.files.back());
    return result;
}

} // namespace codec
