#include "h2/client.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/mem.h"
#include "h2/client_private.h"
#include "h2/memory.h"

/* Servers count the resets on a connection; if there are too many, they end it with all its calls
 * (CVE-2023-44487). A client that cancels its calls must not do that to the others on the same
 * connection: after RESETS_MAX resets it takes no further calls, and ends after those under way. */
enum { RESETS_MAX = 100 };

static struct h2_session *h2_of(const struct session *s)
{
    return container_of(s, struct h2_session, base);
}

static void mark_dirty(struct h2_session *s)
{
    s->base.host->dirty(s->base.host);
}

/* Streams. */

static void leg_dirty(struct h2_leg *leg)
{
    if (!list_linked(&leg->dirty))
        list_append(&leg->session->dirty, &leg->dirty);
    mark_dirty(leg->session);
}

void h2_leg_release(struct h2_leg *leg)
{
    if (leg->call || !(leg->closed || leg->id == 0))
        return;
    list_remove(&leg->dirty);
    list_append(&leg->session->dead, &leg->dirty);
    mark_dirty(leg->session);
}

static struct call *detach(struct h2_leg *leg)
{
    struct call *c = leg->call;
    leg->call = NULL;
    h2_leg_release(leg);
    return c;
}

void h2_leg_end(struct h2_leg *leg, enum call_end end, const char *why)
{
    struct h2_session *s = leg->session;
    check_hot(leg->call);
    call_end(detach(leg), end, why);
    mark_dirty(s);
}

void h2_leg_reset(struct h2_leg *leg, uint32_t code)
{
    if (leg->reset || leg->closed || leg->id == 0)
        return;
    leg->reset = true;
    if (nghttp2_submit_rst_stream(leg->session->ng, NGHTTP2_FLAG_NONE, leg->id, code))
        h2_fail(leg->session);
    if (++leg->session->resets >= RESETS_MAX)
        h2_part(leg->session, H2_NOTICED);
}

/* Calls. */

static void on_dirty(struct call *c)
{
    leg_dirty(c->held);
}

static void on_consumed(struct call *c, size_t n)
{
    struct h2_leg *leg = c->held;
    struct h2_session *s = leg->session;
    if (!leg->closed && nghttp2_session_consume_stream(s->ng, leg->id, n) == 0)
        mark_dirty(s);
}

/* The connection takes no further calls, and ends after those under way. */
static void retire(struct h2_session *s)
{
    h2_part(s, s->legs == 0 ? H2_LEAVING : H2_NOTICED);
    s->base.host->changed(s->base.host);
    mark_dirty(s);
}

/* Asks the server for a sign of life, one at a time: even empty SETTINGS have to be acknowledged at
 * once (RFC 9113 6.5.3). A PING would do too, but gRPC servers close a connection after a few of
 * them. */
static void doubt(struct h2_session *s)
{
    if (s->doubted)
        return;
    s->doubted = 1;
    if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, NULL, 0))
        h2_fail(s);
}

/* A cancelled call may have been on a dead connection if nothing was received on it, for any call,
 * since the call began. If the call timed out, that is certain enough. If its client left, the call
 * may have been waiting for something slow, or not for long. */
static void suspect(struct h2_leg *leg, const struct call *c)
{
    static const double patience = 0.1; /* seconds */
    struct h2_session *s = leg->session;
    if (leg->id == 0 || s->parting != H2_STAYS || s->heard != leg->heard)
        return;
    if (c->expired)
        retire(s);
    else if (clock_recent() - c->progressed >= patience)
        doubt(s);
}

static void on_cancelled(struct call *c, uint32_t code)
{
    struct h2_leg *leg = c->held;
    h2_leg_reset(leg, code);
    suspect(leg, c);
    detach(leg);
    mark_dirty(leg->session);
}

static const struct call_host call_host = {
    .protocol = "HTTP/2",
    .dirty = on_dirty,
    .consumed = on_consumed,
    .cancelled = on_cancelled,
};

static enum rc begin(struct session *base, struct call *c)
{
    struct h2_session *s = h2_of(base);
    struct h2_leg *leg = mem_get_zeroed(sizeof *leg);
    if (!leg)
        return RC_NOMEM;
    leg->session = s;
    leg->call = c;
    leg->heard = s->heard;
    list_init(&leg->link);
    list_init(&leg->dirty);
    list_append(&s->streams, &leg->link);
    s->legs++;
    call_hold(c, &call_host, leg, h2_body_max(s->common));
    call_keep(c);
    h2_keepalive_watch(s, c);
    c->request.framing = FRAMING_OWN;
    leg_dirty(leg);
    return RC_OK;
}

static bool is_going(const struct session *base)
{
    const struct h2_session *s = h2_of(base);
    return s->parting != H2_STAYS || s->fault != H2_SOUND ||
           !nghttp2_session_check_request_allowed(s->ng);
}

static bool carries(const struct session *base, uint32_t *calls)
{
    const struct h2_session *s = h2_of(base);
    *calls = nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (*calls > s->limits->max_streams)
        *calls = s->limits->max_streams;
    return s->greeted;
}

/* A server may allow a single stream, and refuses those beyond its limit: until its SETTINGS arrive
 * there is room for one (RFC 9113 5.1.2). */
static uint32_t room(const struct session *base)
{
    const struct h2_session *s = h2_of(base);
    uint32_t most;
    if (!carries(base, &most))
        most = 1;
    return is_going(base) || s->legs >= most ? 0 : most - s->legs;
}

static const struct session_client_ops client_ops = {
    .begin = begin,
    .room = room,
    .is_going = is_going,
    .carries = carries,
    .shares = true,
};

/* The role. */

static void output(struct list *dirty)
{
    h2_client_output(container_of(dirty, struct h2_leg, dirty));
}

static void free_leg(struct h2_leg *leg)
{
    struct h2_session *s = leg->session;
    check_hot(!leg->call && s->legs > 0);
    list_remove(&leg->link);
    list_remove(&leg->dirty);
    mem_put(leg, sizeof *leg);
    s->legs--;
}

static void free_dead(struct list *dead)
{
    struct h2_leg *leg = container_of(dead, struct h2_leg, dirty);
    struct h2_session *s = leg->session;
    free_leg(leg);
    if (s->parting != H2_STAYS && s->legs == 0)
        h2_part(s, H2_LEAVING);
    s->base.host->changed(s->base.host);
    mark_dirty(s);
}

static void free_lost(struct list *link, struct cut cut)
{
    char text[CODE_NAME_SIZE];
    struct h2_leg *leg = container_of(link, struct h2_leg, link);
    leg->closed = true;
    const struct h2_session *s = leg->session;
    enum call_end end = s->fault == H2_JUDGED || s->fault == H2_FAILED ? CALL_PROTOCOL : CALL_LOST;
    if (leg->call)
        h2_leg_end(leg, leg->id ? end : CALL_REFUSED, cut_text(cut, text));
    free_leg(leg);
}

/* Calls under way finish, and then GOAWAY is sent. */
static void shut_down(struct h2_session *s, enum session_end how)
{
    (void)how;
    if (s->legs == 0)
        h2_part(s, H2_LEAVING);
    s->base.host->changed(s->base.host);
}

/* A server that was asked for a sign of life, and gave none within a second or more, is taken for
 * dead. */
static void watch(struct h2_session *s, double seconds)
{
    (void)seconds;
    enum { SWEEPS = 2 };
    if (s->doubted && s->doubted++ >= SWEEPS && s->parting == H2_STAYS)
        retire(s);
}

static const struct h2_role client_role = {
    .output = output,
    .free_dead = free_dead,
    .free_lost = free_lost,
    .on_alarm = h2_keepalive_look,
    .watch = watch,
    .shut_down = shut_down,
};

static const nghttp2_session_callbacks *client_callbacks(void)
{
    static nghttp2_session_callbacks *callbacks;
    if (!callbacks && nghttp2_session_callbacks_new(&callbacks) == 0) {
        h2_client_input_callbacks(callbacks);
        h2_client_output_callbacks(callbacks);
    }
    return callbacks;
}

enum rc h2_client_new(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, struct session **out)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, common->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, common->header_bytes},
    };
    const nghttp2_session_callbacks *callbacks = client_callbacks();
    const nghttp2_option *options = h2_session_options();
    struct h2_session *s =
        callbacks && options ? h2_session_make(host, common, limits, &client_role) : NULL;
    if (!s)
        return RC_NOMEM;
    s->base.client = &client_ops;
    frames_init(&s->frames, false);
    if (nghttp2_session_client_new3(&s->ng, callbacks, s, options, h2_memory())) {
        mem_put(s, sizeof *s);
        return RC_NOMEM;
    }
    enum rc rc = h2_session_greet(s, settings, sizeof settings / sizeof *settings);
    if (!rc)
        *out = &s->base;
    return rc;
}
