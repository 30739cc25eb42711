#include "lua/protobuf/descriptor_set.h"

#include <climits>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace codec
{

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

enum { FILE_TAG = 1 << 3 | WireFormatLite::WIRETYPE_LENGTH_DELIMITED };

enum { NAME_MAX_BYTES = 4096 }; /* as a path has */

static const char malformed[] = "is no descriptor set, or is cut short";

bool descriptor_set_is(const std::string &name)
{
    for (const std::string ending : {".binpb", ".pb", ".desc"})
        if (name.size() > ending.size() &&
            name.compare(name.size() - ending.size(), ending.size(), ending) == 0)
            return true;
    return false;
}

/* The same file twice comes of sets that were joined. */
static std::string add(const std::string &bytes, descriptor_set &out)
{
    descriptor_set::file f = {bytes, {}};
    if (!f.proto.ParseFromString(bytes))
        return malformed;
    const std::string name = f.proto.name();
    if (name.empty())
        return "has a file without a name";
    if (name.size() > NAME_MAX_BYTES)
        return "has a file whose name is longer than " + std::to_string(NAME_MAX_BYTES) + " bytes";
    auto known = out.files.find(name);
    if (known != out.files.end())
        return known->second.bytes == bytes ? "" : "has two files of the name " + name;
    out.names.push_back(name);
    out.files.emplace(name, std::move(f));
    return {};
}

std::string descriptor_set_read(const std::string &bytes, descriptor_set &out)
{
    if (bytes.size() > INT_MAX)
        return malformed;
    CodedInputStream in((const uint8_t *)bytes.data(), (int)bytes.size());
    std::string file, problem;
    while (uint32_t tag = in.ReadTag()) {
        uint32_t n;
        if (tag != FILE_TAG && !WireFormatLite::SkipField(&in, tag))
            return malformed;
        if (tag != FILE_TAG)
            continue;
        if (!in.ReadVarint32(&n) || n > INT_MAX || !in.ReadString(&file, (int)n))
            return malformed;
        problem = add(file, out);
        if (!problem.empty())
            return problem;
    }
    if (!in.ConsumedEntireMessage())
        return malformed;
    return out.names.empty() ? "is a descriptor set without files" : "";
}

} // namespace codec
