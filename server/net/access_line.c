#include "net/access_line.h"

#include "core/clock.h"
#include "http/exchange.h"

#include <string.h>

enum { TEXT_MAX = 2048 }; /* bytes of a text that a peer or a script sent */

static struct str cut(struct str s)
{
    return (struct str){s.p, s.n < TEXT_MAX ? s.n : TEXT_MAX};
}

static struct str request_field(const struct exchange *x, struct str name)
{
    const struct field *f = fields_find(&x->request.fields, name);
    return f ? cut(f->value) : (struct str){NULL, 0};
}

/* A trailers-only response has it in the head. */
struct str access_line_grpc_status(const struct exchange *x)
{
    const struct field *f = fields_find(&x->response.out.trailers, STR("grpc-status"));
    if (!f && x->response.out.head_handed)
        f = fields_find(&x->response.out.head, STR("grpc-status"));
    return f ? cut(f->value) : (struct str){NULL, 0};
}

/* Writes the fraction with a point, whatever the locale uses. */
static void put_seconds(struct line *l, double seconds)
{
    uint64_t micro = seconds > 0 ? (uint64_t)(seconds * 1e6 + 0.5) : 0;
    line_put_number(l, micro / 1000000, 1);
    line_put(l, ".", 1);
    line_put_number(l, micro % 1000000, 6);
}

static double duration(const struct exchange *x)
{
    return clock_monotonic() - x->began;
}

static void put_number(struct line *l, const char *before, uint64_t number)
{
    line_put_text(l, before);
    line_put_number(l, number, 1);
}

/* Combined. */

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static void put_hex(struct line *l, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = 0;
        while (i + n < s.n && is_plain(s.p[i + n]))
            n++;
        line_put(l, s.p + i, n);
        i += n;
        if (i < s.n)
            line_put_format(l, "\\x%02X", (unsigned char)s.p[i++]);
    }
}

static void put_text(struct line *l, const char *before, struct str s, const char *after)
{
    line_put_text(l, before);
    put_hex(l, s.n ? s : STR("-"));
    line_put_text(l, after);
}

/* The address without its port, and without the brackets around one of IPv6. */
static void put_host(struct line *l, const char *remote)
{
    const char *colon = strrchr(remote, ':');
    size_t n = colon ? (size_t)(colon - remote) : strlen(remote);
    if (n >= 2 && remote[0] == '[')
        line_put(l, remote + 1, n - 2);
    else
        line_put(l, remote, n);
}

static void put_request(struct line *l, const struct exchange *x)
{
    const struct request *r = &x->request;
    put_text(l, "\"", cut(r->method), " ");
    put_hex(l, cut(r->path));
    line_put_text(l, r->query.p ? "?" : "");
    put_hex(l, cut(r->query));
    line_put_text(l, " ");
    line_put_text(l, http_version_text(x->request.version));
}

void access_line_combined(struct line *l, const struct exchange *x)
{
    struct str status = access_line_grpc_status(x);
    char cause[CODE_NAME_SIZE];
    line_init(l, 1);
    put_host(l, x->peer->remote);
    line_put_text(l, " - - [");
    line_put_text(l, clock_log_date());
    line_put_text(l, "] ");
    put_request(l, x);
    if (x->response.out.head_handed)
        put_number(l, "\" ", (uint64_t)x->response.status);
    else
        line_put_text(l, "\" -");
    put_number(l, " ", outgoing_sent(&x->response.out));
    put_text(l, " \"", request_field(x, STR("referer")), "\"");
    put_text(l, " \"", request_field(x, STR("user-agent")), "\" duration=");
    put_seconds(l, duration(x));
    put_number(l, " conn=", x->peer->conn);
    put_number(l, " stream=", x->stream);
    if (x->cut.cause)
        put_text(l, " reset=\"", str_of(cut_text(x->cut, cause)), "\"");
    if (status.p)
        put_text(l, " grpc-status=\"", status, "\"");
    l->text[l->len++] = '\n';
}

/* JSON. */

static void put_member(struct line *l, const char *before, struct str s)
{
    line_put_text(l, before);
    if (s.p)
        line_put_quoted(l, s.p, s.n);
    else
        line_put_text(l, "null");
}

static void put_target(struct line *l, const struct request *r)
{
    line_put_text(l, ",\"target\":\"");
    line_put_escaped(l, r->path.p, cut(r->path).n);
    if (r->query.p) {
        line_put_text(l, "?");
        line_put_escaped(l, r->query.p, cut(r->query).n);
    }
    line_put_text(l, "\"");
}

static void put_status(struct line *l, const struct response *r)
{
    if (r->out.head_handed)
        put_number(l, ",\"status\":", (uint64_t)r->status);
    else
        line_put_text(l, ",\"status\":null");
    put_number(l, ",\"bytes\":", outgoing_sent(&r->out));
}

void access_line_json(struct line *l, const struct exchange *x)
{
    struct str status = access_line_grpc_status(x);
    char cause[CODE_NAME_SIZE];
    line_init(l, 1);
    line_put_text(l, "{\"time\":\"");
    line_put_time(l);
    line_put_text(l, "\"");
    put_member(l, ",\"remote\":", str_of(x->peer->remote));
    put_member(l, ",\"method\":", cut(x->request.method));
    put_target(l, &x->request);
    put_member(l, ",\"protocol\":", str_of(http_version_text(x->request.version)));
    put_status(l, &x->response);
    put_member(l, ",\"referer\":", request_field(x, STR("referer")));
    put_member(l, ",\"user_agent\":", request_field(x, STR("user-agent")));
    line_put_text(l, ",\"duration\":");
    put_seconds(l, duration(x));
    put_number(l, ",\"conn\":", x->peer->conn);
    put_number(l, ",\"stream\":", x->stream);
    if (x->cut.cause)
        put_member(l, ",\"reset\":", str_of(cut_text(x->cut, cause)));
    if (status.p)
        put_member(l, ",\"grpc_status\":", status);
    line_put_text(l, "}");
    l->text[l->len++] = '\n';
}
