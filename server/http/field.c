#include "http/field.h"

#include <stdint.h>

/* tchar of RFC 9110 5.6.2. */
static const bool token_char[256] = {
    ['!'] = true,
    ['#' ... '\''] = true,
    ['*' ... '+'] = true,
    ['-' ... '.'] = true,
    ['0' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['^' ... 'z'] = true,
    ['|'] = true,
    ['~'] = true,
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool field_same_letters(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

static bool has_prefix(struct str name, struct str prefix)
{
    return name.n >= prefix.n && field_same_name((struct str){name.p, prefix.n}, prefix);
}

const char *field_name_problem(struct str name)
{
    if (name.n == 0)
        return "is empty";
    if (name.p[0] == ':')
        return "is a pseudo field";
    for (size_t i = 0; i < name.n; i++)
        if (!token_char[(unsigned char)name.p[i]])
            return "is not a valid field name";
    return NULL;
}

/* Whether one of eight bytes may be a control character. Values are long, and testing each byte by
 * itself costs five times as much. */
static bool may_have_control(const char *bytes)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t all;
    memcpy(&all, bytes, sizeof all);
    uint64_t below_space = all - each * 0x20;
    uint64_t is_delete = (all ^ each * 0x7f) - each;
    return (below_space | is_delete) & ~all & each * 0x80;
}

const char *field_value_problem(struct str value)
{
    while (value.n >= sizeof(uint64_t) && !may_have_control(value.p)) {
        value.p += sizeof(uint64_t);
        value.n -= sizeof(uint64_t);
    }
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "has a value with a control character (CR, LF, NUL or the like)";
    }
    return NULL;
}

#define IS(name, literal) field_same_name(name, STR(literal))

/* RFC 9113 8.2.2. */
static bool is_connection_specific(struct str n)
{
    switch (lower(n.p[0])) {
    case 'c':
        return IS(n, "connection");
    case 'k':
        return IS(n, "keep-alive");
    case 'p':
        return IS(n, "proxy-connection");
    case 't':
        return IS(n, "transfer-encoding");
    case 'u':
        return IS(n, "upgrade");
    default:
        return false;
    }
}

/* RFC 9110 6.5.1: framing, routing, request modifiers, authentication, content and response
 * control. RFC 9530 section 2 makes content-digest a field for trailers in particular. */
static bool is_no_trailer(struct str n)
{
    switch (lower(n.p[0])) {
    case 'a':
        return IS(n, "accept-ranges") || IS(n, "age") || IS(n, "authorization");
    case 'c':
        return IS(n, "cache-control") || IS(n, "cookie") ||
               (has_prefix(n, STR("content-")) && !IS(n, "content-digest"));
    case 'd':
        return IS(n, "date");
    case 'e':
        return IS(n, "expect") || IS(n, "expires");
    case 'h':
        return IS(n, "host");
    case 'i':
        return has_prefix(n, STR("if-"));
    case 'l':
        return IS(n, "location");
    case 'm':
        return IS(n, "max-forwards");
    case 'p':
        return IS(n, "pragma") || IS(n, "proxy-authenticate") || IS(n, "proxy-authorization");
    case 'r':
        return IS(n, "range") || IS(n, "realm") || IS(n, "retry-after");
    case 's':
        return IS(n, "set-cookie");
    case 't':
        return IS(n, "te") || IS(n, "trailer");
    case 'v':
        return IS(n, "vary");
    case 'w':
        return IS(n, "warning") || IS(n, "www-authenticate");
    default:
        return false;
    }
}

const char *field_header_problem(struct str name)
{
    const char *problem = field_name_problem(name);
    if (problem)
        return problem;
    return is_connection_specific(name) ? "is specific to the connection and set by the server"
                                        : NULL;
}

const char *field_trailer_problem(struct str name)
{
    const char *problem = field_header_problem(name);
    if (problem)
        return problem;
    return is_no_trailer(name) ? "may not be sent as a trailer (RFC 9110 6.5.1)" : NULL;
}

/* Eight bytes in lower case: each byte from 'A' to 'Z' gets the bit in which the cases differ. */
static uint64_t lower_eight(uint64_t all)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = all & each * 0x7f;
    uint64_t from_a = low + each * (0x80 - 'A'), past_z = low + each * (0x7f - 'Z');
    return all | ((from_a ^ past_z) & ~all & each * 0x80) >> 2;
}

static void copy_lower(char *out, const char *in, size_t n)
{
    uint64_t all;
    for (; n >= sizeof all; n -= sizeof all, in += sizeof all, out += sizeof all) {
        memcpy(&all, in, sizeof all);
        all = lower_eight(all);
        memcpy(out, &all, sizeof all);
    }
    for (size_t i = 0; i < n; i++)
        out[i] = lower(in[i]);
}

enum rc field_lower(struct arena *a, struct str name, struct str *out)
{
    char *copy = arena_bytes(a, name.n + 1);
    if (!copy)
        return RC_NOMEM;
    copy_lower(copy, name.p, name.n);
    copy[name.n] = '\0';
    *out = (struct str){copy, name.n};
    return RC_OK;
}

struct str field_trim(struct str v)
{
    while (v.n && (v.p[0] == ' ' || v.p[0] == '\t'))
        v.p++, v.n--;
    while (v.n && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
        v.n--;
    return v;
}

bool field_list_next(struct str *list, struct str *member)
{
    if (!list->p)
        return false;
    const char *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
    size_t n = comma ? (size_t)(comma - list->p) : list->n;
    *member = field_trim((struct str){list->p, n});
    *list = comma ? (struct str){comma + 1, list->n - n - 1} : (struct str){NULL, 0};
    return true;
}

bool field_list_has(struct str list, struct str wanted)
{
    struct str member;
    while (field_list_next(&list, &member))
        if (field_same_name(member, wanted))
            return true;
    return false;
}

bool field_parse_length(struct str value, uint64_t *out)
{
    uint64_t length = 0;
    if (value.n == 0 || value.n > 18)
        return false;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.p[i] - '0');
    }
    *out = length;
    return true;
}

bool fields_length(const struct fields *f, uint64_t *out)
{
    const struct field *length = fields_find(f, STR("content-length"));
    if (length && !field_parse_length(length->value, out))
        *out = UINT64_MAX;
    return length != NULL;
}

static enum rc make_room(struct fields *f, struct arena *a)
{
    size_t room = f->room ? f->room * 2 : 8;
    struct field *list = arena_alloc(a, room * sizeof *list);
    if (!list)
        return RC_NOMEM;
    if (f->count)
        memcpy(list, f->list, f->count * sizeof *list);
    f->list = list;
    f->room = room;
    return RC_OK;
}

enum rc fields_add(struct fields *f, struct arena *a, struct str name, struct str value)
{
    if (f->count == f->room) {
        enum rc rc = make_room(f, a);
        if (rc)
            return rc;
    }
    f->list[f->count++] = (struct field){name, value};
    return RC_OK;
}

enum rc fields_copy(struct fields *f, struct arena *a, struct str name, struct str value)
{
    enum rc rc = field_lower(a, name, &name);
    if (rc)
        return rc;
    value = field_trim(value);
    const char *copy = arena_copy(a, value.p, value.n);
    return copy ? fields_add(f, a, name, (struct str){copy, value.n}) : RC_NOMEM;
}

struct field *fields_find(const struct fields *f, struct str name)
{
    for (size_t i = 0; i < f->count; i++)
        if (field_same_name(f->list[i].name, name))
            return &f->list[i];
    return NULL;
}

size_t fields_remove(struct fields *f, struct str name)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!field_same_name(f->list[i].name, name))
            f->list[kept++] = f->list[i];
    size_t removed = f->count - kept;
    f->count = kept;
    return removed;
}

void fields_remove_listed(struct fields *f, struct str list)
{
    struct str name;
    while (field_list_next(&list, &name))
        fields_remove(f, name);
}
