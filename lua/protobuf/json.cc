#include "lua/protobuf/json.h"

#include <climits>
#include <google/protobuf/util/json_util.h>
#include <memory>

namespace codec
{

using google::protobuf::Message;

static std::unique_ptr<Message> make(schema *s, const message &m)
{
    return std::unique_ptr<Message>(s->dynamic.GetPrototype(m.descriptor)->New());
}

static std::string describe(const message &m, const google::protobuf::util::Status &status)
{
    return status.ok() ? "" : m.descriptor->full_name() + ": " + status.message().ToString();
}

const char *json_from_wire(schema *s, const message &m, const char *bytes, size_t n) noexcept
{
    return schema_try(s, [&](std::string &problem) {
        std::unique_ptr<Message> content = make(s, m);
        s->result.clear();
        if (n > INT_MAX || !content->ParsePartialFromArray(bytes, (int)n))
            problem = m.descriptor->full_name() + ": truncated or malformed message";
        else
            problem =
                describe(m, google::protobuf::util::MessageToJsonString(*content, &s->result));
    });
}

const char *json_to_wire(schema *s, const message &m, const char *text, size_t n) noexcept
{
    return schema_try(s, [&](std::string &problem) {
        std::unique_ptr<Message> content = make(s, m);
        problem =
            describe(m, google::protobuf::util::JsonStringToMessage({text, n}, content.get()));
        content->SerializePartialToString(&s->result);
    });
}

} // namespace codec
