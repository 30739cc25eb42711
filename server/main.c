/* Knows all parts: gives the master the service that its workers run. No other file does. */
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/version.h"
#include "http/dispatch.h"
#include "http/part.h"
#include "lua/config.h"
#include "lua/scripts/bridge.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "net/tls.h"
#include "proc/master/master.h"
#include "proc/options/help.h"
#include "proc/worker/service.h"
#include "proc/worker/user.h"
#include "program/program.h"
#include "proxy/pool.h"
#include "proxy/pool_connector.h"
#include "proxy/proxy.h"
#include "socket/socket_group.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* What runs in a worker, and what --check and a proof examine. */
struct server {
    struct ev_loop *ev;
    int index; /* of the worker; 0 outside of one */
    struct dispatch dispatch;
    struct proxy *proxy;
    struct bridge *bridge; /* NULL if upstreams take every request */
    struct pool *pool;     /* NULL before join */
    struct store *store;
    struct descriptor pool_wakes; /* of the threads */
    struct pool_connector connector;
    struct programs programs;
    struct socket_group sockets;
};

static struct vm_options vm_options_of(const struct server *s, const struct options *o)
{
    return (struct vm_options){.dev = o->dev,
        .worker = s->index,
        .workers = o->workers,
        .max_cpu = o->max_cpu,
        .load_timeout = o->load_timeout,
        .max_memory = (size_t)o->max_vm_memory << 20,
        .max_generations = (unsigned)o->max_generations,
        .body_limit = o->body_limit,
        .proto_path = o->proto_path.items,
        .proto_path_count = o->proto_path.count,
        .dispatch = &s->dispatch,
        .store = s->store};
}

static void close_server(struct server *s)
{
    if (s->bridge)
        bridge_free(s->bridge);
    programs_fini(&s->programs);
    socket_group_fini(&s->sockets);
    if (s->proxy)
        proxy_free(s->proxy);
    if (s->pool)
        pool_free(s->pool);
    descriptor_stop(&s->pool_wakes);
    pool_close();
    if (s->store)
        store_free(s->store);
    mem_put(s, sizeof *s);
}

/* Adds the routes to upstreams that the options give. */
static enum rc add_upstreams(struct server *s, const struct options *o, char why[SERVICE_WHY])
{
    enum rc rc = RC_OK;
    for (int i = 0; !rc && i < o->upstream.count; i++)
        rc = proxy_add(s->proxy, o->upstream.items[i], why);
    for (int i = 0; !rc && i < o->upstream_pool.count; i++)
        rc = proxy_add_pool(s->proxy, o->upstream_pool.items[i], why);
    if (rc)
        return rc;
    proxy_take_prefixes(s->proxy, &s->dispatch);
    if (!dispatch_takes_all(&s->dispatch) || !options_is_set(o, "scripts"))
        return RC_OK;
    snprintf(why, SERVICE_WHY,
        "the scripts in %.500s would get no request: an upstream takes "
        "them all; give it a prefix, or no scripts",
        o->scripts);
    return RC_INVALID;
}

static void on_pool(struct descriptor *d, unsigned events)
{
    (void)d, (void)events;
    pool_collect();
}

/* A server without scripts yet. NULL on failure; why then says the reason. */
static struct server *new_server(
    const struct options *o, int index, struct ev_loop *loop, char why[SERVICE_WHY])
{
    struct server *s = mem_get_zeroed(sizeof *s);
    snprintf(why, SERVICE_WHY, "%s", rc_text(RC_NOMEM));
    if (!s)
        return NULL;
    s->ev = loop;
    descriptor_init(&s->pool_wakes, loop, on_pool);
    s->index = index;
    dispatch_init(&s->dispatch);
    pool_connector_init(&s->connector);
    programs_init(&s->programs, loop);
    socket_group_init(&s->sockets, loop);
    if (!proxy_new(loop, &o->proxy, &s->proxy) && !add_upstreams(s, o, why))
        return s;
    close_server(s);
    return NULL;
}

static void add_bridge(struct server *s)
{
    dispatch_add(&s->dispatch, bridge_handler(s->bridge));
    dispatch_add(&s->dispatch, bridge_missing(s->bridge));
}

/* RC_INVALID if the scripts do not load; with may_lack a bridge without scripts is made then. */
static enum rc open_bridge(struct server *s, const struct options *o, struct ev_loop *loop,
    bool may_lack, char why[SERVICE_WHY])
{
    struct vm_options options = vm_options_of(s, o);
    options.forwarder = proxy_forwarder(s->proxy);
    options.connector = &s->connector.base;
    options.programs = &s->programs;
    options.names = &s->sockets.names;
    options.sockets = &s->sockets;
    if (dispatch_takes_all(&s->dispatch))
        return RC_OK;
    enum rc rc = bridge_new(loop, o->scripts, &options, &s->bridge, why);
    if (rc == RC_INVALID && may_lack && bridge_bare(loop, o->scripts, &options, why, &s->bridge))
        rc = RC_NOMEM;
    if (s->bridge)
        add_bridge(s);
    return rc;
}

static void watch_pool(void *data, int fd)
{
    struct server *s = data;
    descriptor_watch(&s->pool_wakes, fd, DESCRIPTOR_READABLE);
}

/* The threads are for workers, which alone have an area. */
static enum rc open_store(
    struct server *s, const struct options *o, const struct area *area, char why[SERVICE_WHY])
{
    const struct store_options options = {o->store, o->store_size, o->heartbeat_timeout};
    if (area)
        pool_open(watch_pool, s);
    return store_new(s->ev, &options, area, &s->store, why);
}

static enum service_state open_server(const struct options *o, const struct service_place *place,
    struct ev_loop *loop, bool may_lack, struct server **out, char why[SERVICE_WHY])
{
    struct server *s = new_server(o, place->index, loop, why);
    if (!s)
        return SERVICE_FAILED;
    enum rc rc = open_store(s, o, place->area, why);
    if (!rc)
        rc = open_bridge(s, o, loop, may_lack, why);
    if (rc && !s->bridge) {
        close_server(s);
        return SERVICE_FAILED;
    }
    *out = s;
    return rc ? SERVICE_LACKING : SERVICE_OPEN;
}

static struct handler *handler_of(struct server *s)
{
    return &s->dispatch.base;
}

/* The proxy comes before the bridge, so that an exchange it returns to a script goes on in the same
 * turn. */
static enum rc join(struct server *s, const struct options *o, struct loop *loop)
{
    enum rc rc = pool_new(loop, &o->pool, &s->pool);
    if (rc)
        return rc;
    proxy_set_pool(s->proxy, s->pool);
    s->connector.pool = s->pool;
    socket_group_join(&s->sockets, loop->wire, loop);
    parts_add(&loop->parts, proxy_part(s->proxy));
    if (s->bridge)
        parts_add(&loop->parts, bridge_part(s->bridge));
    return RC_OK;
}

static void stop_server(struct server *s)
{
    if (s->bridge)
        bridge_stop(s->bridge);
}

static void write_line(void *file, const char *text)
{
    fprintf(file, "%s\n", text);
}

static bool prove(const struct options *o, FILE *files, char why[SERVICE_WHY])
{
    struct server *s = new_server(o, 0, NULL, why);
    if (!s)
        return false;
    const struct vm_options options = vm_options_of(s, o);
    bool proved = dispatch_takes_all(&s->dispatch) ||
                  bridge_prove(o->scripts, &options, write_line, files, why) == RC_OK;
    close_server(s);
    return proved;
}

static const struct service service = {
    .suffix = ".lua",
    .read_config = config_read,
    .prove = prove,
    .open = open_server,
    .handler = handler_of,
    .join = join,
    .stop = stop_server,
    .close = close_server,
};

/* Were one of them closed, the first socket would get its number, and the log, as well as programs
 * that scripts start, would write to that socket. */
static bool fill_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

/* Writes one line on stderr, which names the thing and the cure. */
static int complain(const char *why, int status)
{
    fprintf(stderr, "moontrail: %s\n", why);
    return status;
}

/* Whether the user is new here: there are no scripts, and no option names any. */
static bool is_beginner(const struct options *o)
{
    return !options_is_set(o, "scripts") && !o->upstream.count && access(o->scripts, F_OK) &&
           errno == ENOENT;
}

static int tell_beginner(const struct options *o, const char *program)
{
    fprintf(stderr,
        "moontrail: there is no folder \"%s\" here. To begin with one:\n\n"
        "    mkdir %s\n"
        "    echo 'return function(ctx) ctx:text(\"Hello\") end' > %s/index.lua\n"
        "    %s --dev %s\n\n",
        o->scripts, o->scripts, o->scripts, program, o->scripts);
    return EXIT_FAILED;
}

static enum rc check_certificates(const struct options *o, char why[SERVICE_WHY])
{
    struct tls *tls = NULL;
    enum rc rc = o->cert_count ? tls_new(o->certs, (size_t)o->cert_count, &tls, why) : RC_OK;
    if (!rc && tls)
        tls_warn(tls, o->certs);
    tls_free(tls);
    return rc;
}

/* Reads the scripts as the user of the workers, if possible. */
static enum rc read_as_user(const struct options *o, char why[SERVICE_WHY])
{
    uid_t user;
    if (!o->user)
        return RC_OK;
    if (geteuid() == 0)
        return user_become(o->user, why);
    if (user_check(o->user, &user, why) == RC_OK)
        return RC_OK;
    fprintf(stderr, "moontrail: the scripts are read as you, not as the workers' user: %s\n", why);
    return RC_OK;
}

static void print_routes(const struct server *s)
{
    proxy_print_routes(s->proxy, stdout);
    if (s->bridge)
        bridge_print_routes(s->bridge, stdout);
}

/* Loads all that serving would, and prints what was asked for. */
static int check_configuration(const struct options *o)
{
    char why[SERVICE_WHY];
    struct server *s;
    int status = 0;
    if (check_certificates(o, why) || read_as_user(o, why))
        return complain(why, EXIT_FAILED);
    if (open_server(o, &(struct service_place){0}, NULL, false, &s, why) == SERVICE_FAILED)
        return complain(why, EXIT_FAILED);
    if (!o->openapi)
        print_routes(s);
    else if (!s->bridge)
        status = complain("there are no scripts, whose services could be described", EXIT_FAILED);
    else if (!bridge_print_openapi(s->bridge, stdout, why))
        status = complain(why, EXIT_FAILED);
    close_server(s);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    char why[OPTIONS_WHY];
    if (!fill_standard_streams())
        return complain("/dev/null cannot be opened", EXIT_FAILED);
    enum rc rc = options_parse(argc, argv, config_read, &options, why);
    if (rc)
        return complain(why, rc == RC_INVALID ? EXIT_USAGE : EXIT_FAILED);
    if (options.help) {
        options_help();
        return 0;
    }
    if (options.version) {
        printf("moontrail %s\n", MOONTRAIL_VERSION);
        return 0;
    }
    if (is_beginner(&options))
        return tell_beginner(&options, argv[0]);
    log_open();
    log_configure(options.log_level, options.log_format);
    if (options.dev && isatty(STDERR_FILENO))
        log_use_terminal();
    bool serves = !options.check && !options.openapi;
    int status = serves ? 0 : check_configuration(&options);
    options_fini(&options);
    return serves ? master_run(&service, argc, argv) : status;
}
