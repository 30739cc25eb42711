#include "proxy/trace.h"

#include "http/exchange.h"
#include "proxy/members.h"

static const struct str forwarded = {"forwarded", 9}, via = {"via", 3},
                        forwarded_for = {"x-forwarded-for", 15},
                        forwarded_host = {"x-forwarded-host", 16},
                        forwarded_proto = {"x-forwarded-proto", 17};

bool trace_owns(struct str name)
{
    return str_eq(name, via) || str_eq(name, forwarded) || str_eq(name, forwarded_for) ||
           str_eq(name, forwarded_host) || str_eq(name, forwarded_proto);
}

/* The client's address without its port: "127.0.0.1", "[::1]". */
static struct str address_of(const char *remote)
{
    const char *colon = strrchr(remote, ':');
    return (struct str){remote, colon ? (size_t)(colon - remote) : strlen(remote)};
}

static struct str without_brackets(struct str address)
{
    bool has = address.n > 2 && address.p[0] == '[';
    return has ? (struct str){address.p + 1, address.n - 2} : address;
}

static void append(char **end, struct str text)
{
    memcpy(*end, text.p, text.n);
    *end += text.n;
}

/* The length of all values in fields of the name, with a separator after each; 0 if one of the
 * lines may be open, so that it would swallow what follows. */
static size_t size_of(const struct fields *came, struct str name, bool (*is_sound)(struct str line))
{
    size_t size = 0;
    for (size_t i = 0; i < came->count; i++) {
        if (!str_eq(came->list[i].name, name))
            continue;
        if (!is_sound(came->list[i].value))
            return 0;
        size += came->list[i].value.n + 2;
    }
    return size;
}

/* Adds a field with all values that the request has for its name, if all are sound, and one
 * more. */
static enum rc add_member(struct exchange *x, struct fields *list, struct str name,
    bool (*is_sound)(struct str line), struct str last)
{
    const struct fields *came = &x->request.fields;
    size_t size = size_of(came, name, is_sound);
    char *value = arena_bytes(&x->arena, size + last.n), *end = value;
    if (!value)
        return RC_NOMEM;
    for (size_t i = 0; size && i < came->count; i++) {
        if (!str_eq(came->list[i].name, name) || came->list[i].value.n == 0)
            continue;
        append(&end, came->list[i].value);
        append(&end, STR(", "));
    }
    append(&end, last);
    return fields_add(list, &x->arena, name, (struct str){value, (size_t)(end - value)});
}

/* The scheme of the connection, whatever the client claims in :scheme or in an absolute target: the
 * upstream relies on it. */
static struct str scheme_of(const struct exchange *x)
{
    return x->peer->tls_version ? STR("https") : STR("http");
}

/* Appends the text as a quoted string (RFC 9110 5.6.4). */
static void append_quoted(char **end, struct str text)
{
    append(end, STR("\""));
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            *(*end)++ = '\\';
        *(*end)++ = text.p[i];
    }
    append(end, STR("\""));
}

/* An IPv6 address is quoted (RFC 7239 section 6), and so is a host with a port. */
static enum rc add_forwarded(struct exchange *x, struct fields *list)
{
    struct str from = address_of(x->peer->remote), host = x->request.authority;
    char *text =
             arena_bytes(&x->arena, from.n + 2 * host.n + sizeof "for=\"\";host=\"\";proto=https"),
         *end = text;
    if (!text)
        return RC_NOMEM;
    append(&end, STR("for="));
    if (from.p[0] == '[')
        append_quoted(&end, from);
    else
        append(&end, from);
    if (host.n) {
        append(&end, STR(";host="));
        append_quoted(&end, host);
    }
    append(&end, STR(";proto="));
    append(&end, scheme_of(x));
    return add_member(
        x, list, forwarded, members_are_forwarded, (struct str){text, (size_t)(end - text)});
}

static struct str via_member(const struct request *r)
{
    static const struct str members[] = {
        [HTTP_1_0] = {"1.0 moontrail", 13},
        [HTTP_1_1] = {"1.1 moontrail", 13},
        [HTTP_2] = {"2.0 moontrail", 13},
    };
    return members[r->version];
}

enum rc trace_add(struct exchange *x, struct fields *list)
{
    struct request *r = &x->request;
    enum rc rc = add_forwarded(x, list);
    if (!rc)
        rc = add_member(x, list, forwarded_for, members_are_addresses,
            without_brackets(address_of(x->peer->remote)));
    if (!rc && r->authority.n)
        rc = fields_add(list, &x->arena, forwarded_host, r->authority);
    if (!rc)
        rc = fields_add(list, &x->arena, forwarded_proto, scheme_of(x));
    return rc ? rc : add_member(x, list, via, members_are_via, via_member(r));
}
