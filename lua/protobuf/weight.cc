#include "lua/protobuf/weight.h"

namespace codec
{

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::ServiceDescriptorProto;

/* Of all files that are loaded together. Large public trees take a tenth of it. */
static const uint64_t names_max = 64 << 20, steps_max = 100 * 1000 * 1000;

enum { IMPORT_STEPS = 10 }; /* an import costs about as much as so many comparisons */

template <typename list> static void add_names(weight &w, size_t scope, const list &named)
{
    for (const auto &one : named)
        w.names += scope + one.name().size();
}

/* Ranges, each of which is compared with the others and with so many numbers. */
static void add_ranges(weight &w, uint64_t ranges, uint64_t numbers)
{
    w.steps += ranges * (ranges + numbers);
}

static void add_enum(weight &w, size_t scope, const EnumDescriptorProto &e)
{
    w.names += scope + e.name().size();
    add_names(w, scope, e.value());
    add_ranges(w, (uint64_t)e.reserved_range_size(), (uint64_t)e.value_size());
}

static void add_message(weight &w, size_t scope, const DescriptorProto &m)
{
    size_t inner = scope + m.name().size() + 1;
    w.names += inner;
    add_names(w, inner, m.field());
    add_names(w, inner, m.extension());
    add_names(w, inner, m.oneof_decl());
    add_ranges(w, (uint64_t)m.reserved_range_size() + (uint64_t)m.extension_range_size(),
        (uint64_t)m.field_size());
    for (const EnumDescriptorProto &e : m.enum_type())
        add_enum(w, inner, e);
    for (const DescriptorProto &nested : m.nested_type())
        add_message(w, inner, nested);
}

static void add_service(weight &w, size_t scope, const ServiceDescriptorProto &s)
{
    w.names += scope + s.name().size();
    add_names(w, scope + s.name().size() + 1, s.method());
}

static void add_imports(weight &w, const FileDescriptorProto &file)
{
    w.public_imports += (uint64_t)file.public_dependency_size();
    if (file.dependency_size() > 0)
        w.steps += IMPORT_STEPS * w.public_imports;
}

std::string weight_add(weight &w, const FileDescriptorProto &file)
{
    size_t scope = file.package().size() + 1;
    add_imports(w, file);
    add_names(w, scope, file.extension());
    for (const EnumDescriptorProto &e : file.enum_type())
        add_enum(w, scope, e);
    for (const DescriptorProto &m : file.message_type())
        add_message(w, scope, m);
    for (const ServiceDescriptorProto &s : file.service())
        add_service(w, scope, s);
    if (w.names > names_max)
        return "the full names of all types take more than " + std::to_string(names_max) + " bytes";
    return w.steps > steps_max ? "there are too many reserved ranges or public imports" : "";
}

} // namespace codec
