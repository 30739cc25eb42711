#include "lua/protobuf/table.h"

#include <algorithm>
#include <cstring>
#include <google/protobuf/wire_format_lite.h>

namespace codec
{

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::internal::WireFormatLite;

enum {
    DENSE_MIN = 64,   /* smaller numbers are looked up directly, however few are used */
    EXPLICIT_ROOM = 4 /* at most so many of the fields that may be missing are expected */
};

/* Names. */

void names::add(int constant, uint32_t value)
{
    listed.push_back({constant, nullptr, value});
}

void names::reserve()
{
    size_t size = 2;
    while (size < 2 * listed.size() + 1)
        size *= 2;
    slots.assign(size, {0, nullptr, 0});
}

void names::fill(entry &listed_entry, const char *text)
{
    uint32_t mask = (uint32_t)slots.size() - 1;
    uint32_t at = table_hash(text) & mask;
    listed_entry.text = text;
    while (slots[at].text)
        at = (at + 1) & mask;
    slots[at] = listed_entry;
}

const names::entry *table_search_name(const names &n, const char *text)
{
    for (const names::entry &entry : n.listed)
        if (strcmp(entry.text, text) == 0)
            return &entry;
    return nullptr;
}

/* Look-ups by number. */

const field *table_search_field(const message &m, uint32_t number)
{
    auto found = std::lower_bound(m.fields.begin(), m.fields.end(), number,
        [](const field &f, uint32_t n) { return f.number < n; });
    return found != m.fields.end() && found->number == number ? &*found : nullptr;
}

int table_find_value(const enumeration &e, int32_t number)
{
    if (number >= 0 && (size_t)number < e.dense.size())
        return e.dense[(size_t)number];
    auto found = std::lower_bound(e.values.begin(), e.values.end(), number,
        [](const enumeration::value &v, int32_t n) { return v.number < n; });
    return found != e.values.end() && found->number == number ? found->constant : 0;
}

/* How many numbers, from 0 on, are looked up directly if count are used and last is the largest. */
static size_t dense_size(size_t count, size_t last)
{
    return std::min(last + 1, std::max((size_t)DENSE_MIN, 4 * count));
}

/* Constants. */

static int add_constant(tables &t, const constant &c)
{
    t.constants.push_back(c);
    return (int)t.constants.size();
}

static int add_string(tables &t, const std::string &text)
{
    auto added = t.strings.emplace(text, 0);
    if (added.second)
        added.first->second = add_constant(t, {constant::STRING, text, 0, 0});
    return added.first->second;
}

static int add_integer(tables &t, int64_t value)
{
    return add_constant(t, {constant::INTEGER, {}, value, 0});
}

/* The default of a field that holds one scalar. */
static int add_default(tables &t, const FieldDescriptor *f)
{
    switch (f->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
        return add_integer(t, f->default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
        return add_integer(t, f->default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
        return add_integer(t, f->default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
        return add_integer(t, (int64_t)f->default_value_uint64());
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return add_constant(t, {constant::NUMBER, {}, 0, f->default_value_double()});
    case FieldDescriptor::CPPTYPE_FLOAT:
        return add_constant(t, {constant::NUMBER, {}, 0, f->default_value_float()});
    case FieldDescriptor::CPPTYPE_BOOL:
        return add_constant(t, {constant::BOOLEAN, {}, f->default_value_bool(), 0});
    case FieldDescriptor::CPPTYPE_ENUM:
        return add_string(t, f->default_value_enum()->name());
    case FieldDescriptor::CPPTYPE_STRING:
        return add_string(t, f->default_value_string());
    case FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    return 0;
}

/* Enums. */

static void build_enum(tables &t, enumeration &e, const EnumDescriptor *d)
{
    e.closed = d->file()->syntax() == FileDescriptor::SYNTAX_PROTO2 &&
               !t.beside.open.count(d->full_name());
    for (int i = 0; i < d->value_count(); i++) {
        int constant = add_string(t, d->value(i)->name());
        e.by_name.add(constant, (uint32_t)d->value(i)->number());
        e.values.push_back({d->value(i)->number(), constant});
        e.by_text.emplace(d->value(i)->name(), d->value(i)->number());
    }
    e.by_name.reserve();
    std::stable_sort(e.values.begin(), e.values.end(),
        [](const enumeration::value &a, const enumeration::value &b) {
            return a.number < b.number;
        });
    auto end = std::unique(e.values.begin(), e.values.end(),
        [](const enumeration::value &a, const enumeration::value &b) {
            return a.number == b.number;
        });
    e.values.erase(end, e.values.end());
    if (e.values.back().number >= 0)
        e.dense.assign(dense_size(e.values.size(), (size_t)e.values.back().number), 0);
    for (const enumeration::value &v : e.values)
        if (v.number >= 0 && (size_t)v.number < e.dense.size())
            e.dense[(size_t)v.number] = v.constant;
}

/* Fields. */

static enum shape shape_of(const FieldDescriptor *d)
{
    if (d->is_map())
        return MAP;
    return d->is_repeated() ? LIST : SINGLE;
}

/* Whether a field that has its default is not told from one that is not there. */
static bool is_implicit(const tables &t, const FieldDescriptor *d)
{
    if (d->is_repeated() || d->containing_type()->map_key())
        return false;
    return !d->has_presence() || (!d->message_type() && t.beside.implicit.count(d->full_name()));
}

static field build_field(tables &t, const FieldDescriptor *d)
{
    field f = {};
    f.descriptor = d;
    f.name = d->name().c_str();
    f.json_name = d->json_name().c_str();
    f.number = (uint32_t)d->number();
    f.type = (uint8_t)d->type();
    f.wire = WireFormatLite::WireTypeForFieldType((WireFormatLite::FieldType)d->type());
    f.shape = shape_of(d);
    f.packed = d->is_packed();
    unsigned wire = f.packed ? (unsigned)WireFormatLite::WIRETYPE_LENGTH_DELIMITED : f.wire;
    f.tag = f.number << 3 | wire;
    f.implicit = is_implicit(t, d);
    f.required = d->is_required();
    f.key = add_string(t, d->name());
    f.absent = f.shape == SINGLE ? add_default(t, d) : 0;
    if (d->message_type())
        f.type_message = t.by_descriptor.at(d->message_type());
    if (d->enum_type())
        f.type_enum = t.by_enum.at(d->enum_type());
    f.null_value = d->enum_type() && d->enum_type()->full_name() == "google.protobuf.NullValue";
    return f;
}

/* Numbers the oneofs with members. */
static void number_oneofs(message &m)
{
    m.oneofs = (uint32_t)m.descriptor->real_oneof_decl_count();
    for (field &f : m.fields) {
        auto oneof = f.descriptor->real_containing_oneof();
        f.oneof = oneof ? (uint32_t)oneof->index() + 1 : 0;
    }
    m.presence_words = (uint32_t)m.filled.size() + (m.oneofs + 1) / 2;
}

/* Messages. */

static void build_look_ups(message &m)
{
    size_t last = m.fields.empty() ? 0 : m.fields.back().number;
    m.dense.assign(dense_size(m.fields.size(), last), 0);
    m.filled.assign((m.fields.size() + 63) / 64, 0);
    for (const field &f : m.fields) {
        if (f.number < m.dense.size())
            m.dense[f.number] = f.index + 1;
        if (f.implicit || f.shape != SINGLE)
            m.filled[f.index / 64] |= (uint64_t)1 << f.index % 64;
        m.by_name.add(f.key, f.index);
    }
    m.by_name.reserve();
}

/* Counts the entries of a decoded message, and collects proto2's defaults and requirements. */
static void build_presence(tables &t, message &m)
{
    int explicit_count = 0;
    for (const field &f : m.fields) {
        if (f.implicit || f.shape != SINGLE)
            m.room++;
        else if (!f.oneof)
            explicit_count++;
        m.requires_own |= f.required;
        if (!f.oneof && f.descriptor->has_default_value())
            m.defaults.insert(m.defaults.end(), {f.key, f.absent});
    }
    m.requires_some = m.requires_own;
    m.room += m.descriptor->real_oneof_decl_count() + std::min(explicit_count, (int)EXPLICIT_ROOM);
    if (!m.defaults.empty())
        m.metatable = add_constant(t, {constant::METATABLE, {}, 0, 0});
}

/* A name that is one field's own and another field's JSON name means the latter. */
static void build_texts(message &m)
{
    for (const field &f : m.fields)
        m.by_text.emplace(f.descriptor->json_name(), f.index);
    for (const field &f : m.fields)
        m.by_text.emplace(f.descriptor->name(), f.index);
}

static enum known known_of(const std::string &name)
{
    static const std::unordered_map<std::string, enum known> names = {
        {"google.protobuf.Any", ANY},
        {"google.protobuf.Duration", DURATION},
        {"google.protobuf.Empty", EMPTY},
        {"google.protobuf.FieldMask", FIELD_MASK},
        {"google.protobuf.ListValue", LIST_VALUE},
        {"google.protobuf.Struct", STRUCT},
        {"google.protobuf.Timestamp", TIMESTAMP},
        {"google.protobuf.Value", VALUE},
        {"google.protobuf.DoubleValue", WRAPPER},
        {"google.protobuf.FloatValue", WRAPPER},
        {"google.protobuf.Int64Value", WRAPPER},
        {"google.protobuf.UInt64Value", WRAPPER},
        {"google.protobuf.Int32Value", WRAPPER},
        {"google.protobuf.UInt32Value", WRAPPER},
        {"google.protobuf.BoolValue", WRAPPER},
        {"google.protobuf.StringValue", WRAPPER},
        {"google.protobuf.BytesValue", WRAPPER},
    };
    auto found = names.find(name);
    return found == names.end() ? PLAIN : found->second;
}

static void build_message(tables &t, message &m)
{
    const Descriptor *d = m.descriptor;
    std::vector<const FieldDescriptor *> sorted;
    for (int i = 0; i < d->field_count(); i++)
        sorted.push_back(d->field(i));
    std::sort(sorted.begin(), sorted.end(), [](const FieldDescriptor *a, const FieldDescriptor *b) {
        return a->number() < b->number();
    });
    for (const FieldDescriptor *f : sorted) {
        m.fields.push_back(build_field(t, f));
        m.fields.back().index = (uint32_t)m.fields.size() - 1;
    }
    build_look_ups(m);
    number_oneofs(m);
    build_presence(t, m);
    build_texts(m);
    m.known = known_of(d->full_name());
}

/* Marks each new message that can contain a required field. Earlier messages cannot contain new
 * ones. */
static void spread_requirements(tables &t, size_t first)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = first; i < t.messages.size(); i++) {
            message &m = t.messages[i];
            for (const field &f : m.fields) {
                if (!m.requires_some && f.type_message && f.type_message->requires_some)
                    m.requires_some = more = true;
            }
        }
    }
}

/* To be called after all requirements are spread. */
static void list_checked(message &m)
{
    for (const field &f : m.fields)
        if (f.required || (f.type_message && f.type_message->requires_some))
            m.checked.push_back(f.index);
}

static void add_enum(tables &t, const EnumDescriptor *d)
{
    t.enums.emplace_back();
    t.enums.back().descriptor = d;
    t.by_enum[d] = &t.enums.back();
}

static void add_message(tables &t, const Descriptor *d)
{
    t.messages.emplace_back();
    t.messages.back().descriptor = d;
    t.by_descriptor[d] = &t.messages.back();
    for (int i = 0; i < d->enum_type_count(); i++)
        add_enum(t, d->enum_type(i));
    for (int i = 0; i < d->nested_type_count(); i++)
        add_message(t, d->nested_type(i));
}

void tables::build(const std::vector<const FileDescriptor *> &list)
{
    size_t first_message = messages.size(), first_enum = enums.size();
    for (const FileDescriptor *file : list) {
        if (!files.insert(file).second)
            continue;
        for (int i = 0; i < file->enum_type_count(); i++)
            add_enum(*this, file->enum_type(i));
        for (int i = 0; i < file->message_type_count(); i++)
            add_message(*this, file->message_type(i));
    }
    for (size_t i = first_enum; i < enums.size(); i++)
        build_enum(*this, enums[i], enums[i].descriptor);
    for (size_t i = first_message; i < messages.size(); i++)
        build_message(*this, messages[i]);
    spread_requirements(*this, first_message);
    for (size_t i = first_message; i < messages.size(); i++)
        list_checked(messages[i]);
}

} // namespace codec
