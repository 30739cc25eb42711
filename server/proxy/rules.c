#include "proxy/rules.h"

#include "http/exchange.h"
#include "proxy/trace.h"

#include <inttypes.h>
#include <stdio.h>

/* Whether a field may be sent at all. */

static bool is_sound(const struct field *f)
{
    return !field_name_problem(f->name) && !field_value_problem(f->value);
}

/* Whether a field is for one hop: RFC 9110 7.6.1 and 11.7, RFC 7540 3.2.1. */
static bool is_of_connection(struct str name, struct str connection)
{
    static const struct str names[] = {{"proxy-authenticate", 18}, {"proxy-authorization", 19},
        {"proxy-authentication-info", 25}, {"http2-settings", 14}};
    if (field_header_problem(name))
        return !field_name_problem(name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(name, names[i]))
            return true;
    return connection.p && field_list_has(connection, name);
}

/* Fields that delimit the message. Connection must not remove them: that would change where the
 * message ends. */
static bool is_framing(struct str name)
{
    return str_eq(name, STR("content-length"));
}

static bool is_dropped(struct str name, struct str connection)
{
    return !is_framing(name) && is_of_connection(name, connection);
}

/* Requests. */

static bool is_set_elsewhere(struct str name)
{
    return str_eq(name, STR("host")) || str_eq(name, STR("te")) || str_eq(name, STR("cookie")) ||
           trace_owns(name);
}

/* Whether a field is no longer true: a length after part of the body was read, an expectation that
 * was met. */
static bool is_outdated(const struct request *r, struct str name)
{
    if (is_framing(name))
        return r->taken > 0;
    return str_eq(name, STR("expect")) && !r->expects_continue;
}

/* RFC 9113 8.2.3: HTTP/1.x has one Cookie field. */
static enum rc add_cookie(struct exchange *x, struct fields *out)
{
    const struct fields *came = &x->request.fields;
    size_t size = 0, n = 0;
    for (size_t i = 0; i < came->count; i++)
        if (str_eq(came->list[i].name, STR("cookie")))
            size += came->list[i].value.n + 2;
    if (size == 0 || is_dropped(STR("cookie"), x->request.connection))
        return RC_OK;
    char *value = arena_bytes(&x->arena, size);
    if (!value)
        return RC_NOMEM;
    for (size_t i = 0; i < came->count; i++) {
        const struct field *f = &came->list[i];
        if (!str_eq(f->name, STR("cookie")))
            continue;
        if (!is_sound(f))
            return RC_INVALID;
        memcpy(value + n, f->value.p, f->value.n);
        memcpy(value + n + f->value.n, "; ", 2);
        n += f->value.n + 2;
    }
    return fields_add(out, &x->arena, STR("cookie"), (struct str){value, n - 2});
}

/* Max-Forwards is defined for these methods only (RFC 9110 7.6.2). */
static bool counts_hops(const struct request *r)
{
    return str_eq(r->method, STR("OPTIONS")) || str_eq(r->method, STR("TRACE"));
}

static bool is_hops(struct str name)
{
    return str_eq(name, STR("max-forwards"));
}

/* The hops left; false unless exactly one field gives them, as a number. */
static bool read_hops(const struct request *r, uint64_t *hops)
{
    size_t count = 0;
    bool read = false;
    for (size_t i = 0; i < r->fields.count; i++)
        if (is_hops(r->fields.list[i].name)) {
            read = field_parse_length(r->fields.list[i].value, hops);
            count++;
        }
    return read && count == 1;
}

bool rules_is_last_hop(const struct request *r)
{
    uint64_t hops;
    return counts_hops(r) && read_hops(r, &hops) && hops == 0;
}

/* Passes on one hop less; drops a value that is not a number. */
static enum rc add_hops(struct exchange *x, struct fields *out)
{
    enum { DIGITS = 20 };
    uint64_t hops;
    if (!counts_hops(&x->request) || !read_hops(&x->request, &hops) || hops == 0)
        return RC_OK;
    char *text = arena_bytes(&x->arena, DIGITS);
    if (!text)
        return RC_NOMEM;
    int n = snprintf(text, DIGITS, "%" PRIu64, hops - 1);
    return fields_add(out, &x->arena, STR("max-forwards"), (struct str){text, (size_t)n});
}

static enum rc add_own(struct exchange *x, struct fields *out)
{
    const struct request *r = &x->request;
    enum rc rc = RC_OK;
    for (size_t i = 0; !rc && i < r->fields.count; i++) {
        const struct field *f = &r->fields.list[i];
        if (is_set_elsewhere(f->name) || is_dropped(f->name, r->connection) ||
            is_outdated(r, f->name) || (is_hops(f->name) && counts_hops(r)))
            continue;
        rc = is_sound(f) ? fields_add(out, &x->arena, f->name, f->value) : RC_INVALID;
    }
    return rc;
}

static enum rc replace(struct exchange *x, const struct fields *set, struct fields *out)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; set && i < set->count; i++)
        fields_remove(out, set->list[i].name);
    for (size_t i = 0; set && !rc && i < set->count; i++) {
        const struct field *f = &set->list[i];
        if (f->value.p)
            rc = is_sound(f) ? fields_add(out, &x->arena, f->name, f->value) : RC_INVALID;
    }
    return rc;
}

enum rc rules_request(struct exchange *x, const struct fields *set, struct fields *out)
{
    enum rc rc = add_own(x, out);
    if (!rc)
        rc = add_cookie(x, out);
    if (!rc)
        rc = add_hops(x, out);
    if (!rc)
        rc = trace_add(x, out);
    /* This promises that trailers are not discarded (RFC 9110 10.1.4). */
    if (!rc && outgoing_supports_trailers(&x->response.out))
        rc = fields_add(out, &x->arena, STR("te"), STR("trailers"));
    return rc ? rc : replace(x, set, out);
}

/* Responses. Their session has removed the fields that Connection names. */

static const struct str none = {NULL, 0};

/* Over HTTP/1.1 trailers need chunks (RFC 9112 7.1.2), which exclude a length. */
static bool makes_room(const struct exchange *x, const struct fields *fields)
{
    return x->response.out.framing == FRAMING_CHUNKS &&
           outgoing_supports_trailers(&x->response.out) && fields_find(fields, STR("trailer"));
}

enum rc rules_response(struct exchange *x, int status, const struct fields *fields)
{
    struct response *r = &x->response;
    const struct fields own = r->out.head;
    bool without_length = makes_room(x, fields);
    enum rc rc = response_set_status(r, status);
    for (size_t i = 0; !rc && i < fields->count; i++) {
        const struct field *f = &fields->list[i];
        if (is_dropped(f->name, none) || (without_length && is_framing(f->name)))
            continue;
        if (own.count && !str_eq(f->name, STR("set-cookie")) && fields_find(&own, f->name))
            continue;
        rc = outgoing_add_header(&r->out, f->name, f->value);
    }
    return rc;
}

enum rc rules_interim(struct exchange *x, const struct fields *fields, struct fields *out)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; !rc && i < fields->count; i++) {
        const struct field *f = &fields->list[i];
        if (!is_framing(f->name) && !is_of_connection(f->name, none) && is_sound(f))
            rc = fields_add(out, &x->arena, f->name, f->value);
    }
    return rc;
}

enum rc rules_trailers(struct exchange *x, const struct fields *trailers)
{
    enum rc rc = RC_OK;
    if (!outgoing_supports_trailers(&x->response.out))
        return RC_OK;
    for (size_t i = 0; !rc && i < trailers->count; i++) {
        const struct field *f = &trailers->list[i];
        if (!field_trailer_problem(f->name) && !field_value_problem(f->value))
            rc = outgoing_append_trailer(&x->response.out, f->name, f->value);
    }
    return rc;
}
