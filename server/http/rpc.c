#include "http/rpc.h"

#include "http/response.h"

#include <stdio.h>

enum {
    MESSAGE_MAX = 1024,            /* bytes of a message, before it is encoded */
    ENCODED_MAX = 6 * MESSAGE_MAX, /* "\u00ff" */
    BODY_MAX = ENCODED_MAX + 64,   /* of JSON around it */
    ENVELOPE = 5,                  /* a flag, and four bytes of length */
    END_OF_STREAM = 2,             /* the flag of the last message of Connect's streams */
};

static struct str content_type(const struct request *r)
{
    const struct field *type = fields_find(&r->fields, STR("content-type"));
    return type ? type->value : STR("");
}

static bool begins_with(struct str value, struct str name)
{
    return value.n >= name.n && field_same_name((struct str){value.p, name.n}, name);
}

/* The media type that a content-type begins with. */
static struct str media_type(struct str value)
{
    const char *end = memchr(value.p, ';', value.n);
    return field_trim((struct str){value.p, end ? (size_t)(end - value.p) : value.n});
}

static enum rpc_protocol posted(struct str type)
{
    if (begins_with(type, STR("application/grpc-web")))
        return RPC_GRPC_WEB;
    if (begins_with(type, STR("application/grpc")))
        return RPC_GRPC;
    if (begins_with(type, STR("application/connect+")))
        return RPC_CONNECT_STREAM;
    return field_same_name(media_type(type), STR("application/proto")) ? RPC_CONNECT : RPC_NONE;
}

enum rpc_protocol rpc_protocol_of(const struct request *r)
{
    enum rpc_protocol found = RPC_NONE;
    if (str_eq(r->method, STR("POST")))
        found = posted(content_type(r));
    if (!found && fields_find(&r->fields, STR("connect-protocol-version")))
        found = RPC_CONNECT;
    return found;
}

bool rpc_is_stream(const struct request *r)
{
    enum rpc_protocol protocol = rpc_protocol_of(r);
    return protocol != RPC_NONE && protocol != RPC_CONNECT;
}

/* A code by its number, as gRPC has it, and by its name, as Connect does. */
struct code {
    const char *number, *name;
};

/* The mapping of gRPC's http-grpc-status-mapping, and the statuses of this server that it leaves
 * out. */
static struct code code_of(int http_status)
{
    switch (http_status) {
    case 400: /* a path that cannot be read names no method */
    case 404:
    case 405:
        return (struct code){"12", "unimplemented"};
    case 413:
    case 431:
        return (struct code){"8", "resource_exhausted"};
    case 429:
    case 502:
    case 503:
    case 504:
        return (struct code){"14", "unavailable"};
    default:
        return (struct code){"2", "unknown"};
    }
}

/* gRPC's percent-encoding of a message: all but printable ASCII, and the percent sign. */
static struct str escape_percent(struct str text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    return (struct str){out, n};
}

/* What stands in a string of JSON: what is no printable ASCII is escaped byte by byte, since no
 * more is known of it. */
static struct str escape_json(struct str text, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            out[n++] = '\\';
        if (c >= 0x20 && c <= 0x7e)
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, sizeof "\\u0000", "\\u%04x", c);
    }
    return (struct str){out, n};
}

/* The message for a path that is not served. It names the path: nothing else would show the client
 * that the name is misspelt. */
static struct str describe_missing(struct str path, char *out)
{
    int path_max = path.n < MESSAGE_MAX ? (int)path.n : MESSAGE_MAX;
    int n = snprintf(out, MESSAGE_MAX, "there is no method %.*s", path_max, path.p);
    return (struct str){out, n < MESSAGE_MAX ? (size_t)n : MESSAGE_MAX - 1};
}

static enum rc respond_grpc(
    struct response *r, struct str type, const struct code *code, struct str text)
{
    char room[ENCODED_MAX];
    struct str message = escape_percent(text, room);
    enum rc rc = outgoing_set_header(&r->out, STR("content-type"), type);
    if (!rc)
        rc = outgoing_set_header(&r->out, STR("grpc-status"), str_of(code->number));
    if (!rc && message.n)
        rc = outgoing_set_header(&r->out, STR("grpc-message"), message);
    return rc ? rc : outgoing_finish(&r->out);
}

/* An error as Connect's JSON has it. */
static struct str describe_error(const struct code *code, struct str text, char *out)
{
    char room[ENCODED_MAX];
    struct str message = escape_json(text, room);
    int n = snprintf(out, BODY_MAX,
        message.n ? "{\"code\":\"%s\",\"message\":\"%.*s\"}" : "{\"code\":\"%s\"}", code->name,
        (int)message.n, message.p);
    return (struct str){out, (size_t)n};
}

static enum rc write_last(struct response *r, struct str type, struct str body)
{
    size_t taken;
    enum rc rc = outgoing_set_header(&r->out, STR("content-type"), type);
    if (!rc)
        rc = outgoing_write(&r->out, body.p, body.n, &taken);
    return rc ? rc : outgoing_finish(&r->out);
}

static enum rc respond_stream(
    struct response *r, struct str type, const struct code *code, struct str text)
{
    char body[ENVELOPE + BODY_MAX + sizeof "{\"error\":}"], error[BODY_MAX];
    struct str e = describe_error(code, text, error);
    int n = snprintf(body + ENVELOPE, sizeof body - ENVELOPE, "{\"error\":%.*s}", (int)e.n, e.p);
    const unsigned char head[ENVELOPE] = {
        END_OF_STREAM, 0, 0, (unsigned char)(n >> 8), (unsigned char)n};
    memcpy(body, head, ENVELOPE);
    return write_last(r, type, (struct str){body, ENVELOPE + (size_t)n});
}

static enum rc respond_connect(struct response *r, int http_status, const struct code *code,
    struct str text, const struct fields *more)
{
    char body[BODY_MAX];
    enum rc rc = response_set_status(r, http_status);
    for (size_t i = 0; !rc && more && i < more->count; i++)
        rc = outgoing_set_header(&r->out, more->list[i].name, more->list[i].value);
    return rc ? rc : write_last(r, STR("application/json"), describe_error(code, text, body));
}

enum rc rpc_respond(struct response *r, const struct request *request, int http_status,
    struct str text, const struct fields *more)
{
    char missing[MESSAGE_MAX];
    const struct code code = code_of(http_status);
    struct str type = media_type(content_type(request));
    if (http_status == 404)
        text = describe_missing(request->path, missing);
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n > MESSAGE_MAX)
        text.n = MESSAGE_MAX;
    switch (rpc_protocol_of(request)) {
    case RPC_GRPC_WEB:
        return respond_grpc(r, type, &code, text);
    case RPC_CONNECT_STREAM:
        return respond_stream(r, type, &code, text);
    case RPC_CONNECT:
        return respond_connect(r, http_status, &code, text, more);
    case RPC_GRPC:
    case RPC_NONE:
        break;
    }
    return respond_grpc(r, STR("application/grpc"), &code, text);
}
