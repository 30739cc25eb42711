#include "http/head.h"

#include "http/exchange.h"
#include "http/uri.h"

static const struct {
    int status;
    const char *text;
} faults[] = {
    [HEAD_NO_FAULT] = {200, "none"},
    [HEAD_CONNECT] = {501, "CONNECT"},
    [HEAD_BAD_TARGET] = {400, "a malformed request target"},
    [HEAD_NO_HOST] = {400, "no host"},
    [HEAD_TWO_HOSTS] = {400, "host twice"},
    [HEAD_BAD_HOST] = {400, "a malformed host"},
    [HEAD_OTHER_HOST] = {400, "a host that is not the authority"},
    [HEAD_EXPECTATION] = {417, "an unknown expectation"},
};

const char *head_fault_text(enum head_fault fault)
{
    return faults[fault].text;
}

int head_fault_status(enum head_fault fault)
{
    return faults[fault].status;
}

enum head_fault head_set_target(struct request *r, struct str target)
{
    request_set_target(r, target);
    if (str_eq(r->method, STR("CONNECT")) && !r->tunnel.p) /* RFC 8441: with a path */
        return HEAD_CONNECT;
    if (!uri_is_target(target))
        return HEAD_BAD_TARGET;
    if (target.p[0] == '/')
        return HEAD_NO_FAULT;
    bool is_server = str_eq(target, STR("*")) && str_eq(r->method, STR("OPTIONS"));
    return is_server ? HEAD_NO_FAULT : HEAD_BAD_TARGET;
}

/* What the fields say about the request as a whole. */
struct found {
    struct field *host;
    bool two_hosts;
    bool waits;        /* for 100 (Continue) */
    bool expects_more; /* an expectation that is not known */
};

/* The only expectation that RFC 9110 10.1.1 defines. */
static void take_expectations(struct found *f, struct str list)
{
    struct str member;
    while (field_list_next(&list, &member)) {
        bool known = field_same_name(member, STR("100-continue"));
        f->waits |= known;
        f->expects_more |= !known && member.n;
    }
}

static struct found find(const struct fields *fields)
{
    struct found f = {NULL, false, false, false};
    for (size_t i = 0; i < fields->count; i++) {
        struct field *field = &fields->list[i];
        if (field->name.n == 4 && memcmp(field->name.p, "host", 4) == 0) {
            f.two_hosts |= f.host != NULL;
            f.host = field;
        } else if (field->name.n == 6 && memcmp(field->name.p, "expect", 6) == 0) {
            take_expectations(&f, field->value);
        }
    }
    return f;
}

/* The client has named an authority apart from Host: it takes precedence. */
static enum head_fault settle_both(const struct request *r, struct field *host)
{
    if (!uri_is_host(r->authority))
        return HEAD_BAD_HOST;
    if (!host)
        return r->version == HTTP_1_1 ? HEAD_NO_HOST : HEAD_NO_FAULT;
    if (r->version == HTTP_2 && !uri_same_host(r->authority, host->value, r->scheme))
        return HEAD_OTHER_HOST;
    host->value = r->authority;
    return HEAD_NO_FAULT;
}

static enum head_fault settle_host(struct request *r, const struct found *found)
{
    struct field *host = found->host;
    if (found->two_hosts)
        return HEAD_TWO_HOSTS;
    if (host && !uri_is_host(host->value))
        return HEAD_BAD_HOST;
    if (r->authority.p)
        return settle_both(r, host);
    if (!host && r->version != HTTP_1_0)
        return HEAD_NO_HOST;
    r->authority = host ? host->value : STR("");
    return HEAD_NO_FAULT;
}

enum head_fault head_settle(struct exchange *x, bool none)
{
    const struct found found = find(&x->request.fields);
    bool expects = x->request.version != HTTP_1_0;
    exchange_note_body(x, none, expects && found.waits && !none);
    /* The client's word for the scheme is not trusted: a proxy in front that ends TLS may say https
     * here. */
    x->request.scheme = x->peer->tls_version ? STR("https") : STR("http");
    enum head_fault fault = settle_host(&x->request, &found);
    return !fault && expects && found.expects_more ? HEAD_EXPECTATION : fault;
}
