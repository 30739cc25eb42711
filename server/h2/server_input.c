/* Received frames, as nghttp2 reports them, into exchanges. */
#include "core/check.h"
#include "core/log.h"
#include "h2/server_private.h"
#include "http/code.h"
#include "http/head.h"

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct h2_stream *st = h2_stream_new(user, frame->hd.stream_id);
    if (!st)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, st);
    return 0;
}

/* Compares the letters of names that have the same length. */
static void set_pseudo(struct request *r, struct str name, struct str value)
{
    switch (name.n) {
    case sizeof ":path" - 1:
        if (str_eq(name, STR(":path")))
            r->path = value; /* with the query, until the head is complete */
        break;
    case sizeof ":method" - 1:
        if (str_eq(name, STR(":method")))
            r->method = value;
        else if (str_eq(name, STR(":scheme")))
            r->scheme = value;
        break;
    case sizeof ":protocol" - 1:
        if (str_eq(name, STR(":protocol")))
            r->tunnel = value;
        break;
    case sizeof ":authority" - 1:
        if (str_eq(name, STR(":authority")))
            r->authority = value;
        break;
    }
}

/* Fields that must not be trailers are dropped, never merged (RFC 9110 6.5.1). */
static enum rc store_field(
    struct h2_stream *st, struct fields *list, struct str name, struct str value)
{
    struct exchange *x = &st->exchange;
    if (list == &x->request.trailers && field_trailer_problem(name))
        return RC_OK;
    char *copy = arena_bytes(&x->arena, name.n + value.n);
    if (!copy)
        return RC_NOMEM;
    memcpy(copy, name.p, name.n);
    memcpy(copy + name.n, value.p, value.n);
    name.p = copy;
    value.p = copy + name.n;
    if (name.p[0] != ':')
        return fields_add(list, &x->arena, name, value);
    set_pseudo(&x->request, name, value);
    return RC_OK;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)ng, (void)flags;
    struct h2_stream *st = h2_stream_find(user, frame->hd.stream_id);
    if (!st)
        return 0;
    if (!header_size_add(&st->size, st->session->common, name_len + value_len)) {
        if (header_size_is_bomb(&st->size, st->session->common))
            h2_judge(st->session, ERROR_ENHANCE_YOUR_CALM, "limit reached",
                log_str("limit", st->size.too_large));
        return st->session->fault != H2_SOUND ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    }
    struct request *r = &st->exchange.request;
    struct fields *list = frame->headers.cat == NGHTTP2_HCAT_REQUEST ? &r->fields : &r->trailers;
    enum rc rc = store_field(st, list, (struct str){(const char *)name, name_len},
        (struct str){(const char *)value, value_len});
    return rc ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static void log_too_large(const struct h2_stream *st)
{
    const struct peer *peer = st->session->base.host->peer;
    log_peer_event(LOG_WARN, "limit reached", log_str("limit", st->size.too_large),
        log_int("conn", (int64_t)peer->conn), log_int("stream", st->exchange.stream),
        log_str("remote", peer->remote));
}

/* A request that breaks a rule is answered with the status that it gets over HTTP/1.1, and the
 * connection goes on (RFC 9113 8.1.1). */
static void refuse(struct h2_stream *st, enum head_fault fault)
{
    const struct peer *peer = st->session->base.host->peer;
    char text[STATUS_TEXT_SIZE];
    int status = head_fault_status(fault);
    if (status == 400)
        log_peer_event(LOG_WARN, "request refused", log_str("reason", head_fault_text(fault)),
            log_int("status", status), log_int("conn", (int64_t)peer->conn),
            log_int("stream", st->exchange.stream), log_str("remote", peer->remote));
    exchange_respond(&st->exchange, status, status_text(status, text), NULL);
}

/* The head of a request is complete. */
static void begin_request(struct h2_stream *st, bool ends)
{
    struct exchange *x = &st->exchange;
    enum head_fault fault = head_set_target(&x->request, x->request.path);
    enum head_fault other = head_settle(x, ends);
    if (st->size.too_large) {
        log_too_large(st);
        exchange_respond(x, 431, STR("Request Header Fields Too Large\n"), NULL);
    } else if (fault || other) {
        refuse(st, fault ? fault : other);
    } else {
        exchange_start(x);
    }
}

/* Input after the frame that ended the connection, but from the same read, is ignored. */
static void on_headers(struct h2_stream *st, const nghttp2_frame *frame)
{
    if (st->session->fault != H2_SOUND)
        return;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        begin_request(st, ends);
    } else if (st->size.too_large && st->exchange.instance) {
        log_too_large(st);
        h2_stream_fail(st, ERROR_ENHANCE_YOUR_CALM);
    } else if (ends) {
        exchange_receive_end(&st->exchange);
    }
}

/* The end of a DATA frame; on_data has taken its bytes. */
static void on_data_frame(struct h2_stream *st, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        exchange_receive_end(&st->exchange);
    else if (frame->hd.length && frame->hd.length == frame->data.padlen)
        h2_count(st->session, GUARD_EMPTY);
}

static void on_reset(struct h2_stream *st)
{
    st->peer_reset = true;
    if (!outgoing_over(&st->exchange.response.out))
        h2_count(st->session, GUARD_RESETS);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)ng;
    struct h2_session *s = user;
    struct h2_stream *st = h2_stream_find(s, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_SETTINGS)
        s->greeted = true;
    if (st && frame->hd.type == NGHTTP2_HEADERS)
        on_headers(st, frame);
    if (st && frame->hd.type == NGHTTP2_DATA)
        on_data_frame(st, frame);
    if (st && frame->hd.type == NGHTTP2_RST_STREAM)
        on_reset(st);
    /* Success even after a verdict, so that nghttp2 closes a stream that was reset: its handler
     * must not run. */
    return 0;
}

static void take_piece(struct h2_stream *st, const uint8_t *data, size_t n)
{
    st->received = true;
    exchange_note_continue(&st->exchange);
    enum rc rc = exchange_receive(&st->exchange, data, n);
    if (rc == RC_LIMIT) /* nghttp2 resets the stream: it exceeded its window */
        exchange_abort(&st->exchange, cut_by_us(ERROR_FLOW_CONTROL_ERROR));
    else if (rc)
        h2_stream_fail(st, ERROR_INTERNAL_ERROR);
}

static int on_data(
    nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user)
{
    (void)ng, (void)flags;
    struct h2_stream *st = h2_stream_find(user, id);
    if (st && st->exchange.instance)
        take_piece(st, data, n);
    return h2_give_credit(user, n);
}

static bool is_complete(const struct exchange *x)
{
    return x->request.ended && x->response.out.state == OUTGOING_SENT;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    (void)ng;
    struct h2_session *s = user;
    struct h2_stream *st = h2_stream_find(s, id);
    if (!st)
        return 0;
    check_hot(!st->closed);
    st->closed = true;
    s->recent = NULL;
    if (!is_complete(&st->exchange))
        exchange_abort(&st->exchange, st->peer_reset ? cut_by_peer(code) : cut_by_us(code));
    h2_stream_release(st);
    return 0;
}

void h2_server_input_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, h2_on_invalid_frame);
}
