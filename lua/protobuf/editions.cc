#include "lua/protobuf/editions.h"

#include <google/protobuf/unknown_field_set.h>
#include <unordered_set>

namespace codec
{

using google::protobuf::Descriptor;
using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

using lines = std::vector<std::string>;

enum edition { EDITION_2023 = 1000, EDITION_2024 = 1001 };

/* FileDescriptorProto.edition, which the library does not know. */
enum { EDITION_FIELD = 14 };

/* The fields of FeatureSet that mean something here, and their values. */
enum feature { PRESENCE = 1, ENUM_TYPE = 2, REPEATED = 3, ENCODING = 5, FEATURES };
enum { EXPLICIT = 1, IMPLICIT = 2, LEGACY_REQUIRED = 3 };
enum { OPEN = 1, CLOSED = 2 };
enum { PACKED = 1, EXPANDED = 2 };
enum { LENGTH_PREFIXED = 1, DELIMITED = 2 };

enum { PROBLEMS_MAX = 100 }; /* lines that tell of the same */

/* Where the options of each have their features. */
enum { OF_FILE = 50, OF_MESSAGE = 12, OF_FIELD = 21, OF_ONEOF = 1, OF_ENUM = 7 };

namespace
{

/* Both editions begin with these. */
struct features {
    uint64_t value[FEATURES] = {0, EXPLICIT, OPEN, PACKED, 0, LENGTH_PREFIXED};
};

/* What the fields of a message are seen beside. */
struct owner {
    std::unordered_set<std::string> maps; /* as fields name their types */
    std::vector<features> oneofs;
};

struct lowering {
    nuances &beside;
    lines problems;

    features resolve(features above, const UnknownFieldSet &options, int number);
    void lower_field(
        const std::string &scope, FieldDescriptorProto &f, const features &above, const owner *of);
    void lower_enum(const std::string &scope, const EnumDescriptorProto &e, const features &above);
    void lower_message(const std::string &scope, DescriptorProto &m, const features &above);
    void lower_file(FileDescriptorProto &file);
};

} // namespace

/* The last value of a number; or the one that is there. */
static uint64_t last_varint(const UnknownFieldSet &set, int number, uint64_t otherwise)
{
    for (int i = 0; i < set.field_count(); i++)
        if (set.field(i).number() == number && set.field(i).type() == UnknownField::TYPE_VARINT)
            otherwise = set.field(i).varint();
    return otherwise;
}

/* What options say of features goes before what is above. */
features lowering::resolve(features above, const UnknownFieldSet &options, int number)
{
    for (int i = 0; i < options.field_count(); i++) {
        const UnknownField &f = options.field(i);
        UnknownFieldSet said;
        if (f.number() != number || f.type() != UnknownField::TYPE_LENGTH_DELIMITED)
            continue;
        if (!said.ParseFromString(f.length_delimited()))
            problems.push_back("features are malformed");
        for (int which : {PRESENCE, ENUM_TYPE, REPEATED, ENCODING})
            above.value[which] = last_varint(said, which, above.value[which]);
    }
    return above;
}

static std::string join(const std::string &scope, const std::string &name)
{
    return scope.empty() ? name : scope + "." + name;
}

static bool is_message(const FieldDescriptorProto &f)
{
    return f.type() == FieldDescriptorProto::TYPE_MESSAGE ||
           f.type() == FieldDescriptorProto::TYPE_GROUP;
}

static bool may_be_packed(const FieldDescriptorProto &f)
{
    return f.label() == FieldDescriptorProto::LABEL_REPEATED && !is_message(f) &&
           f.type() != FieldDescriptorProto::TYPE_STRING &&
           f.type() != FieldDescriptorProto::TYPE_BYTES;
}

/* The types that are made for the maps of a message: they are never DELIMITED. */
static std::unordered_set<std::string> list_maps(const std::string &name, const DescriptorProto &m)
{
    std::unordered_set<std::string> maps;
    for (const DescriptorProto &nested : m.nested_type())
        if (nested.options().map_entry())
            maps.insert("." + join(name, nested.name()));
    return maps;
}

/* of is the field's message, or NULL for an extension. */
void lowering::lower_field(
    const std::string &scope, FieldDescriptorProto &f, const features &above, const owner *of)
{
    const std::string name = join(scope, f.name());
    bool chosen = of && f.has_oneof_index() && f.oneof_index() >= 0 &&
                  (size_t)f.oneof_index() < of->oneofs.size();
    features own = chosen ? of->oneofs[(size_t)f.oneof_index()] : above;
    own = resolve(own, f.options().unknown_fields(), OF_FIELD);
    if (is_message(f) && own.value[ENCODING] == DELIMITED && !(of && of->maps.count(f.type_name())))
        problems.push_back(name + ": the feature message_encoding = DELIMITED is not supported");
    if (may_be_packed(f))
        f.mutable_options()->set_packed(own.value[REPEATED] == PACKED);
    if (f.label() == FieldDescriptorProto::LABEL_REPEATED || chosen || !of)
        return;
    if (own.value[PRESENCE] == LEGACY_REQUIRED)
        f.set_label(FieldDescriptorProto::LABEL_REQUIRED);
    else if (own.value[PRESENCE] == IMPLICIT && !is_message(f))
        beside.implicit.insert(name);
}

void lowering::lower_enum(
    const std::string &scope, const EnumDescriptorProto &e, const features &above)
{
    features own = resolve(above, e.options().unknown_fields(), OF_ENUM);
    if (own.value[ENUM_TYPE] != CLOSED)
        beside.open.insert(join(scope, e.name()));
}

/* What is made for maps stays as it is. */
void lowering::lower_message(const std::string &scope, DescriptorProto &m, const features &above)
{
    const std::string name = join(scope, m.name());
    features own = resolve(above, m.options().unknown_fields(), OF_MESSAGE);
    for (const EnumDescriptorProto &e : m.enum_type())
        lower_enum(name, e, own);
    for (DescriptorProto &nested : *m.mutable_nested_type())
        if (!nested.options().map_entry())
            lower_message(name, nested, own);
    owner of = {list_maps(name, m), {}};
    for (const auto &oneof : m.oneof_decl())
        of.oneofs.push_back(resolve(own, oneof.options().unknown_fields(), OF_ONEOF));
    for (FieldDescriptorProto &f : *m.mutable_field())
        lower_field(name, f, own, &of);
    for (FieldDescriptorProto &f : *m.mutable_extension())
        lower_field(name, f, own, nullptr);
}

void lowering::lower_file(FileDescriptorProto &file)
{
    features own = resolve({}, file.options().unknown_fields(), OF_FILE);
    for (const EnumDescriptorProto &e : file.enum_type())
        lower_enum(file.package(), e, own);
    for (DescriptorProto &m : *file.mutable_message_type())
        lower_message(file.package(), m, own);
    for (FieldDescriptorProto &f : *file.mutable_extension())
        lower_field(file.package(), f, own, nullptr);
    file.set_syntax("proto2");
}

lines editions_lower(FileDescriptorProto &file, nuances &beside)
{
    if (file.syntax() != "editions")
        return {};
    uint64_t which = last_varint(file.unknown_fields(), EDITION_FIELD, 0);
    if (which != EDITION_2023 && which != EDITION_2024)
        return {"is of an edition that is not known (" + std::to_string(which) +
                "): 2023 and 2024 are"};
    lowering l = {beside, {}};
    l.lower_file(file);
    return l.problems;
}

/* Checking. */

static bool is_closed(const EnumDescriptor *e, const nuances &beside)
{
    return e->file()->syntax() == FileDescriptor::SYNTAX_PROTO2 &&
           !beside.open.count(e->full_name());
}

static void list_messages(const Descriptor *d, std::vector<const Descriptor *> &out)
{
    out.push_back(d);
    for (int i = 0; i < d->nested_type_count(); i++)
        list_messages(d->nested_type(i), out);
}

/* A closed enum of the file, or one that a field of it has; NULL for none. */
static const EnumDescriptor *find_closed(const FileDescriptor *file,
    const std::vector<const Descriptor *> &messages, const nuances &beside)
{
    for (int i = 0; i < file->enum_type_count(); i++)
        if (is_closed(file->enum_type(i), beside))
            return file->enum_type(i);
    for (const Descriptor *m : messages) {
        for (int i = 0; i < m->enum_type_count(); i++)
            if (is_closed(m->enum_type(i), beside))
                return m->enum_type(i);
        for (int i = 0; i < m->field_count(); i++)
            if (m->field(i)->enum_type() && is_closed(m->field(i)->enum_type(), beside))
                return m->field(i)->enum_type();
    }
    return nullptr;
}

lines editions_check(const FileDescriptor *file, const nuances &beside)
{
    std::vector<const Descriptor *> messages;
    for (int i = 0; i < file->message_type_count(); i++)
        list_messages(file->message_type(i), messages);
    const EnumDescriptor *closed = find_closed(file, messages, beside);
    lines problems;
    for (const Descriptor *m : closed ? messages : std::vector<const Descriptor *>())
        for (int i = 0; i < m->field_count() && problems.size() < PROBLEMS_MAX; i++)
            if (beside.implicit.count(m->field(i)->full_name()))
                problems.push_back(m->field(i)->full_name() +
                                   ": the feature field_presence = IMPLICIT is not supported "
                                   "beside enum_type = CLOSED, which " +
                                   closed->full_name() + " has");
    return problems;
}

} // namespace codec
