#include "net/request_log.h"

#include "core/clock.h"
#include "core/log.h"
#include "http/exchange.h"
#include "net/access_line.h"

enum { FIELDS_MAX = 10, TEXT_MAX = 2048 };

struct row {
    struct log_field fields[FIELDS_MAX];
    size_t count;
};

static void put(struct row *r, struct log_field field)
{
    r->fields[r->count++] = field;
}

static void put_text(struct row *r, const char *key, struct str s)
{
    put(r, log_bytes(key, s.p, s.n < TEXT_MAX ? s.n : TEXT_MAX));
}

static void put_end(struct row *r, const struct exchange *x, char reset[CODE_NAME_SIZE])
{
    struct str status = access_line_grpc_status(x);
    if (x->cut.cause)
        put(r, log_str("reset", cut_text(x->cut, reset)));
    if (status.p)
        put_text(r, "grpc_status", status);
}

/* Rounded to a tenth of a millisecond. */
static double seconds_since(double began)
{
    return (double)(uint64_t)((clock_monotonic() - began) * 1e4 + 0.5) / 1e4;
}

static void on_ended(struct exchange_observer *o, const struct exchange *x)
{
    (void)o;
    char reset[CODE_NAME_SIZE];
    struct row r = {.count = 0};
    if (!log_enabled(LOG_INFO))
        return;
    put_text(&r, "method", x->request.method);
    put_text(&r, "path", x->request.path);
    if (x->answered_by)
        put(&r, log_str("script", x->answered_by));
    if (x->response.out.head_handed)
        put(&r, log_int("status", x->response.status));
    put(&r, log_num("duration", seconds_since(x->began)));
    put(&r, log_int("bytes", (int64_t)outgoing_sent(&x->response.out)));
    put_end(&r, x, reset);
    put(&r, log_int("conn", (int64_t)x->peer->conn));
    put(&r, log_int("stream", x->stream));
    log_write(LOG_INFO, "request", r.fields, r.count);
}

struct exchange_observer *request_log_observer(void)
{
    static struct exchange_observer observer = {.ended = on_ended};
    return &observer;
}
