/*
 * The server with handlers in C in place of Lua, behind the same seam (http/handler.h): beside the
 * bare responder it shows what the server's own layers cost, beside moontrail what Lua does.
 * It takes moontrail's options; the routes are those of the benchmark's scripts.
 */
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/code.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/part.h"
#include "net/loop.h"
#include "proc/master/master.h"
#include "proc/worker/service.h"

#include <string.h>

enum { DOWNLOAD_SIZE = 1 << 20, PIECE_SIZE = 1 << 16, FIELDS_ROOM = 1024 };

struct server {
    struct handler base;
    struct part part;
    struct list ready; /* of struct job */
};

/* Does what it can. *waits stays false where the response is complete. */
typedef enum rc serve_function(struct exchange *x, bool *waits);

struct job {
    struct list link; /* in the router's ready list, or in none */
    struct exchange *x;
    serve_function *serve;
};

static struct server server;
static const char hello[] = "Hello world\n";

static enum rc set_text(struct exchange *x)
{
    struct str type = STR("text/plain; charset=utf-8");
    return outgoing_set_header(&x->response.out, STR("content-type"), type);
}

/* Writes a text for which an empty queue has room. */
static enum rc write_whole(struct exchange *x, const char *text, size_t n)
{
    size_t taken;
    return exchange_write(x, text, n, &taken);
}

static enum rc respond(struct exchange *x, const char *text, size_t n)
{
    enum rc rc = set_text(x);
    rc = rc ? rc : write_whole(x, text, n);
    return rc ? rc : exchange_finish(x);
}

static enum rc serve_hello(struct exchange *x, bool *waits)
{
    (void)waits;
    return respond(x, hello, sizeof hello - 1);
}

static enum rc serve_trailer(struct exchange *x, bool *waits)
{
    (void)waits;
    struct outgoing *o = &x->response.out;
    enum rc rc = outgoing_declare_trailer(o, STR("trailername"));
    rc = rc ? rc : set_text(x);
    rc = rc ? rc : write_whole(x, hello, sizeof hello - 1);
    rc = rc ? rc : outgoing_append_trailer(o, STR("trailername"), STR("trailervalue"));
    return rc ? rc : exchange_finish(x);
}

/* Appends as much as there is room for, and a comma. */
static size_t append_joined(char *out, size_t at, struct str s)
{
    size_t room = FIELDS_ROOM - 1 - at;
    size_t n = s.n < room ? s.n : room;
    if (n)
        memcpy(out + at, s.p, n);
    out[at + n] = ',';
    return at + n + (at + n < FIELDS_ROOM - 1);
}

/* Five fields of the request and its query, one behind the other. */
static enum rc serve_fields(struct exchange *x, bool *waits)
{
    (void)waits;
    static const char *const names[] = {
        "user-agent", "accept", "accept-language", "x-request-id", "cookie"};
    char text[FIELDS_ROOM];
    size_t n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct field *f = fields_find(&x->request.fields, str_of(names[i]));
        n = append_joined(text, n, f ? f->value : STR(""));
    }
    n = append_joined(text, n, x->request.query);
    text[n - 1] = '\n';
    return respond(x, text, n);
}

static enum rc wait_for_room(struct exchange *x, bool *waits)
{
    *waits = true;
    x->want = WANT_ROOM;
    return RC_OK;
}

static enum rc serve_echo(struct exchange *x, bool *waits)
{
    size_t n, taken;
    const char *piece;
    while (piece = exchange_peek(x, &n), n > 0) {
        enum rc rc = exchange_write(x, piece, n, &taken);
        if (rc)
            return rc;
        exchange_consume(x, taken);
        if (taken < n)
            return wait_for_room(x, waits);
    }
    if (x->request.ended)
        return exchange_finish(x);
    *waits = true;
    exchange_want_body(x);
    return RC_OK;
}

static enum rc serve_download(struct exchange *x, bool *waits)
{
    static const char piece[PIECE_SIZE];
    size_t taken;
    while (x->response.out.written < DOWNLOAD_SIZE) {
        size_t left = DOWNLOAD_SIZE - x->response.out.written;
        size_t n = left < PIECE_SIZE ? left : PIECE_SIZE;
        enum rc rc = exchange_write(x, piece, n, &taken);
        if (rc)
            return rc;
        if (taken < n)
            return wait_for_room(x, waits);
    }
    return exchange_finish(x);
}

static serve_function *route(struct str path)
{
    static const struct {
        const char *path;
        serve_function *serve;
    } routes[] = {
        {"/hello", serve_hello},
        {"/proxied", serve_hello},
        {"/trailer", serve_trailer},
        {"/fields", serve_fields},
        {"/echo", serve_echo},
        {"/download", serve_download},
    };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (str_eq(path, str_of(routes[i].path)))
            return routes[i].serve;
    }
    return NULL;
}

static bool on_start(struct handler *h, struct exchange *x)
{
    (void)h;
    serve_function *serve = route(x->request.path);
    struct job *job = serve ? mem_get(sizeof *job) : NULL;
    if (!job) {
        exchange_respond(x, serve ? 500 : 404, STR(""), NULL);
        return true;
    }
    *job = (struct job){.x = x, .serve = serve};
    list_init(&job->link);
    x->instance = job;
    list_append(&server.ready, &job->link);
    return true;
}

static void on_ready(struct exchange *x)
{
    struct job *job = x->instance;
    if (!list_linked(&job->link))
        list_append(&server.ready, &job->link);
}

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)cut;
    struct job *job = x->instance;
    list_remove(&job->link);
    mem_put(job, sizeof *job);
}

/* A reset tells nobody: the job goes here in any case. */
static void go_on(struct job *job)
{
    struct exchange *x = job->x;
    bool waits = false;
    enum rc rc = job->serve(x, &waits);
    if (waits)
        return;
    mem_put(job, sizeof *job);
    if (rc)
        exchange_reset(x, ERROR_INTERNAL_ERROR);
    else
        exchange_detach(x);
}

static bool run(struct part *p)
{
    (void)p;
    struct list *node;
    while ((node = list_shift(&server.ready)))
        go_on(container_of(node, struct job, link));
    return false;
}

static const struct handler_ops ops = {
    .start = on_start, .on_readable = on_ready, .on_writable = on_ready, .on_abort = on_abort};

static const struct part_ops part_ops = {.run = run};

static bool prove(const struct options *o, FILE *files, char why[SERVICE_WHY])
{
    (void)o, (void)files, (void)why;
    return true;
}

static enum service_state open_server(const struct options *o, const struct service_place *place,
    struct ev_loop *loop, bool may_lack, struct server **out, char why[SERVICE_WHY])
{
    (void)o, (void)place, (void)loop, (void)may_lack, (void)why;
    server.part.ops = &part_ops;
    server.base = (struct handler){.ops = &ops, .part = &server.part};
    list_init(&server.ready);
    *out = &server;
    return SERVICE_OPEN;
}

static struct handler *handler_of(struct server *s)
{
    return &s->base;
}

static enum rc join(struct server *s, const struct options *o, struct loop *loop)
{
    (void)o;
    parts_add(&loop->parts, &s->part);
    return RC_OK;
}

static void do_nothing(struct server *s)
{
    (void)s;
}

static enum rc refuse_config(
    const char *file, setting_taker *take, void *data, char why[SETTING_WHY])
{
    (void)take, (void)data;
    snprintf(why, SETTING_WHY, "%s: there is nothing here to read it with", file);
    return RC_INVALID;
}

int main(int argc, char **argv)
{
    static const struct service service = {.read_config = refuse_config,
        .prove = prove,
        .open = open_server,
        .handler = handler_of,
        .join = join,
        .stop = do_nothing,
        .close = do_nothing};
    struct options options;
    char why[OPTIONS_WHY];
    if (options_parse(argc, argv, refuse_config, &options, why)) {
        fprintf(stderr, "chandler: %s\n", why);
        return 2;
    }
    log_configure(options.log_level, options.log_format);
    options_fini(&options);
    return master_run(&service, argc, argv);
}
