/* Received frames, as nghttp2 reports them, into exchanges. */
#include "core/log.h"
#include "h2/stream.h"
#include "http/code.h"

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

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

/* Counts a field against the limits; false once they are passed. */
static bool count_field(struct h2_stream *st, size_t name_len, size_t value_len)
{
    const struct h2_limits *limits = st->session->limits;
    st->header_bytes += name_len + value_len + 32;
    st->header_fields++;
    if (st->header_bytes > limits->header_bytes || st->header_fields > limits->header_fields)
        st->too_large = true;
    return !st->too_large;
}

static void set_pseudo(struct request *r, struct str name, struct str value)
{
    switch (name.p[1]) {
    case 'm':
        r->method = value;
        break;
    case 's':
        r->scheme = value;
        break;
    case 'a':
        r->authority = value;
        break;
    case 'p':
        request_set_target(r, value);
        break;
    }
}

static enum rc store_field(
    struct h2_stream *st, struct fields *list, struct str name, struct str value)
{
    struct exchange *x = &st->exchange;
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
    (void)flags, (void)user;
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
    if (!st || !count_field(st, name_len, value_len))
        return 0;
    struct request *r = &st->exchange.request;
    struct fields *list = frame->headers.cat == NGHTTP2_HCAT_REQUEST ? &r->fields : &r->trailers;
    enum rc rc = store_field(st, list, (struct str){(const char *)name, name_len},
        (struct str){(const char *)value, value_len});
    return rc ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static struct str host_of(const struct request *r)
{
    const struct field *host = fields_find(&r->fields, STR("host"));
    return host ? host->value : STR("");
}

/* The head of a request is complete. */
static void begin_request(struct h2_stream *st)
{
    struct exchange *x = &st->exchange;
    if (!x->request.authority.p)
        x->request.authority = host_of(&x->request);
    if (st->too_large)
        exchange_respond(x, 431, STR("Request Header Fields Too Large\n"), NULL);
    else if (str_eq(x->request.method, STR("CONNECT")))
        exchange_respond(x, 501, STR("Not Implemented\n"), NULL);
    else
        exchange_start(x);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
    if (!st)
        return 0;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        st->exchange.request.ended = ends;
        begin_request(st);
    } else if (ends) {
        exchange_receive_end(&st->exchange);
    }
    return 0;
}

/* Credit for the connection is given on receipt, so that a body which nobody reads holds up no
 * other; credit for the stream when the handler reads. */
static int on_data(
    nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user)
{
    (void)flags, (void)user;
    if (nghttp2_session_consume_connection(ng, n))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    struct h2_stream *st = stream_of(ng, id);
    if (!st || !st->exchange.instance)
        return 0;
    enum rc rc = exchange_receive(&st->exchange, data, n);
    if (rc)
        h2_stream_fail(st, rc == RC_LIMIT ? ERROR_FLOW_CONTROL_ERROR : ERROR_INTERNAL_ERROR);
    return 0;
}

static bool is_complete(const struct exchange *x)
{
    return x->request.ended && x->response.state == RESPONSE_SENT;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    (void)user;
    struct h2_stream *st = stream_of(ng, id);
    char name[CODE_NAME_SIZE];
    if (!st)
        return 0;
    st->closed = true;
    if (!is_complete(&st->exchange))
        exchange_abort(&st->exchange, code_name(code, name));
    h2_stream_release(st);
    return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    (void)ng;
    const struct h2_session *s = user;
    log_event(LOG_WARN, "frame refused", log_int("conn", (int64_t)s->base.host->peer->conn),
        log_int("stream", frame->hd.stream_id), log_int("type", frame->hd.type),
        log_str("reason", nghttp2_strerror(error)));
    return 0;
}

void h2_input_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
}
