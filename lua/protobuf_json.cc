#include "lua/protobuf_json.h"

#include <google/protobuf/util/json_util.h>
#include <memory>
#include <stdexcept>

namespace codec
{

using google::protobuf::Message;

static std::unique_ptr<Message> make(schema *s, const message &m)
{
    return std::unique_ptr<Message>(s->dynamic.GetPrototype(m.descriptor)->New());
}

static void check(const message &m, const google::protobuf::util::Status &status)
{
    if (!status.ok())
        throw std::runtime_error(m.descriptor->full_name() + ": " + status.message().ToString());
}

const char *json_from_wire(schema *s, const message &m, const char *bytes, size_t n) noexcept
{
    return schema_try(s, [&] {
        std::unique_ptr<Message> content = make(s, m);
        if (!content->ParsePartialFromArray(bytes, (int)n))
            throw std::runtime_error(m.descriptor->full_name() + ": malformed message");
        s->result.clear();
        check(m, google::protobuf::util::MessageToJsonString(*content, &s->result));
    });
}

const char *json_to_wire(schema *s, const message &m, const char *text, size_t n) noexcept
{
    return schema_try(s, [&] {
        std::unique_ptr<Message> content = make(s, m);
        check(m, google::protobuf::util::JsonStringToMessage({text, n}, content.get()));
        content->SerializePartialToString(&s->result);
    });
}

} // namespace codec
