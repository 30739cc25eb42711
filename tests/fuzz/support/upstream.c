#include "upstream.h"

#include "cost.h"

#include "h1/client.h"
#include "h1/parser.h"
#include "h2/client.h"
#include "h2/limits.h"
#include "http/call.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "http/session.h"
#include "proxy/pool.h"

#include <stdlib.h>

enum { CALLS = 8, SESSIONS = 4, TURN_OUT = 1 << 16, HEAD_BYTES = 1 << 16, HEAD_FIELDS = 256 };

static struct {
    bool http2;
    struct call *waiting[CALLS];
    unsigned calls;    /* held here, or by the session */
    unsigned sessions; /* so far */
    struct session_host host;
    struct session *session; /* NULL for none */
    struct h1_parser requests;
    bool raw; /* what is sent is no HTTP/1.x any more */
} u;

/* The pool's place. The linker gives these the calls of its functions. */

static void forget(const struct call *c)
{
    for (int i = 0; i < CALLS; i++)
        if (u.waiting[i] == c)
            u.waiting[i] = NULL;
    u.calls--;
}

static bool on_done(struct call *c, enum call_end end, const char *why)
{
    (void)end, (void)why;
    forget(c);
    return false;
}

static void on_cancel(struct call *c)
{
    forget(c);
}

static const struct call_agent agent = {.on_done = on_done, .on_cancel = on_cancel};

enum rc __wrap_pool_call(struct pool *p, const struct origin *origin,
    const struct call_options *options, struct call *c);
enum rc __wrap_pool_call(
    struct pool *p, const struct origin *origin, const struct call_options *options, struct call *c)
{
    (void)p, (void)origin, (void)options;
    for (int i = 0; i < CALLS; i++) {
        if (u.waiting[i])
            continue;
        u.waiting[i] = c;
        u.calls++;
        call_engage(c, &agent, NULL);
        return RC_OK;
    }
    return RC_LIMIT;
}

bool __wrap_pool_shares(
    struct pool *p, const struct origin *origin, const struct call_options *options);
bool __wrap_pool_shares(
    struct pool *p, const struct origin *origin, const struct call_options *options)
{
    (void)p, (void)origin, (void)options;
    return u.http2;
}

/* The session. */

static void quiet(struct session_host *host)
{
    (void)host;
}

static void no_alarm(struct session_host *host, double seconds)
{
    (void)host, (void)seconds;
}

static bool open_session(void)
{
    if (u.sessions == SESSIONS)
        return false;
    u.sessions++;
    u.raw = u.http2;
    h1_parser_init(&u.requests, H1_SERVER, HEAD_BYTES, HEAD_FIELDS);
    enum rc rc = u.http2
                     ? h2_client_new(&u.host, &http_limits_default, &h2_limits_default, &u.session)
                     : h1_client_new(&u.host, &http_limits_default, &u.session);
    if (rc)
        abort();
    return true;
}

void upstream_close(void)
{
    if (!u.session)
        return;
    struct session *s = u.session;
    u.session = NULL;
    s->ops->end_input(s);
    s->ops->free(s, cut_of(CUT_LOST));
    h1_parser_fini(&u.requests);
}

/* What goes up in HTTP/1.x is read; a tunnel begins where the server agrees to it. */
static void check_sent(struct str sent)
{
    while (!u.raw && sent.n) {
        enum h1_event event = h1_parser_next(&u.requests, &sent);
        if (event == H1_ON_FAULT)
            abort();
        if (event == H1_ON_FIELD && str_eq(u.requests.name, STR("upgrade")))
            u.raw = true;
    }
}

static void take_sent(void)
{
    static uint8_t out[TURN_OUT];
    struct session *s = u.session;
    cost_resume();
    size_t n = s->ops->fill(s, out, sizeof out);
    cost_pause();
    check_sent((struct str){(const char *)out, n});
    s->ops->reap(s);
    if (s->ops->is_over(s))
        upstream_close();
}

static bool has_room(void)
{
    if (u.session && !u.session->client->is_going(u.session))
        return u.session->client->room(u.session) > 0;
    if (u.session && !u.session->ops->is_idle(u.session))
        return false;
    upstream_close();
    return open_session();
}

static void hand_over(void)
{
    for (int i = 0; i < CALLS; i++) {
        struct call *c = u.waiting[i];
        if (c && has_room()) {
            u.waiting[i] = NULL;
            if (u.session->client->begin(u.session, c))
                abort();
        } else if (c && !u.session) {
            forget(c);
            call_fail(c, CALL_UNREACHABLE, "nobody is there");
        }
    }
}

void upstream_begin(bool http2)
{
    static const struct peer peer = {.remote = "127.0.0.1:80"};
    u.http2 = http2;
    u.calls = u.sessions = 0;
    u.session = NULL;
    u.host =
        (struct session_host){.dirty = quiet, .alarm = no_alarm, .changed = quiet, .peer = &peer};
}

void upstream_receive(const uint8_t *data, size_t n)
{
    struct session *s = u.session;
    if (!s || !s->ops->wants_input(s))
        return;
    cost_resume();
    enum rc rc = s->ops->recv(s, data, n);
    cost_pause();
    if (!rc)
        return;
    take_sent();
    upstream_close();
}

void upstream_vanish(void)
{
    u.sessions = SESSIONS;
    upstream_close();
}

void upstream_turn(void)
{
    hand_over();
    if (u.session)
        take_sent();
}

void upstream_end(void)
{
    upstream_close();
    if (u.calls)
        abort();
}
