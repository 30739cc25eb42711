#include "http/grpc.h"

#include "http/response.h"

#include <stdio.h>

enum { MESSAGE_MAX = 1024 }; /* bytes of a message, before it is encoded */

/* Whether the request is a POST whose content-type begins with the name; *rest is what follows the
 * name. */
static bool posts(const struct request *r, struct str name, struct str *rest)
{
    const struct field *type = fields_find(&r->fields, STR("content-type"));
    if (!type || !str_eq(r->method, STR("POST")) || type->value.n < name.n)
        return false;
    *rest = (struct str){type->value.p + name.n, type->value.n - name.n};
    return field_same_name((struct str){type->value.p, name.n}, name);
}

bool grpc_is_call(const struct request *r)
{
    struct str rest;
    return posts(r, STR("application/grpc"), &rest) && (rest.n == 0 || strchr("+;", rest.p[0]));
}

bool grpc_is_stream(const struct request *r)
{
    struct str rest;
    return grpc_is_call(r) || posts(r, STR("application/connect+"), &rest);
}

/* The mapping of gRPC's http-grpc-status-mapping, and the statuses of this server that it leaves
 * out. */
static const char *status_of(int http_status)
{
    switch (http_status) {
    case 400: /* a path that cannot be read names no method */
    case 404:
    case 405:
        return "12"; /* UNIMPLEMENTED */
    case 413:
    case 431:
        return "8"; /* RESOURCE_EXHAUSTED */
    case 429:
    case 502:
    case 503:
    case 504:
        return "14"; /* UNAVAILABLE */
    default:
        return "2"; /* UNKNOWN */
    }
}

/* The percent-encoding of a message: encodes the percent sign, and all but printable ASCII. */
static size_t encode(struct str text, char *out)
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
    return n;
}

/* The message for a path that is not served. It names the path: nothing else would show the client
 * that the name is misspelt. */
static struct str describe_missing(struct str path, char *out)
{
    int path_max = path.n < MESSAGE_MAX ? (int)path.n : MESSAGE_MAX;
    int n = snprintf(out, MESSAGE_MAX, "there is no method %.*s", path_max, path.p);
    return (struct str){out, n < MESSAGE_MAX ? (size_t)n : MESSAGE_MAX - 1};
}

enum rc grpc_respond(
    struct response *r, const struct request *request, int http_status, struct str text)
{
    char missing[MESSAGE_MAX], message[3 * MESSAGE_MAX];
    if (http_status == 404)
        text = describe_missing(request->path, missing);
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n > MESSAGE_MAX)
        text.n = MESSAGE_MAX;
    struct str encoded = {message, encode(text, message)};
    enum rc rc = outgoing_set_header(&r->out, STR("content-type"), STR("application/grpc"));
    if (!rc)
        rc = outgoing_set_header(&r->out, STR("grpc-status"), str_of(status_of(http_status)));
    if (!rc && encoded.n)
        rc = outgoing_set_header(&r->out, STR("grpc-message"), encoded);
    return rc ? rc : outgoing_finish(&r->out);
}
