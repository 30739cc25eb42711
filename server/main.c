/* The only file that knows every part: it provides what the server serves with, and lets the master
 * serve it.
 */
#include "core/log.h"
#include "core/version.h"
#include "lua/config.h"
#include "lua/scripts/bridge.h"
#include "net/tls.h"
#include "proc/master/master.h"
#include "proc/options/help.h"
#include "proc/worker/service.h"
#include "proc/worker/user.h"
#include "proxy/pool.h"
#include "proxy/pool_connector.h"
#include "proxy/proxy.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A worker's. The bridge is NULL where upstreams take every request. */
static struct proxy *proxy;
static struct bridge *bridge;
static struct pool *pool;
static struct pool_connector connector;

static struct vm_options vm_options_of(const struct options *o)
{
    return (struct vm_options){.dev = o->dev,
        .max_cpu = o->max_cpu,
        .load_timeout = o->load_timeout,
        .max_memory = (size_t)o->max_vm_memory << 20,
        .max_generations = (unsigned)o->max_generations,
        .body_limit = o->body_limit,
        .proto_path = o->proto_path.items,
        .proto_path_count = o->proto_path.count};
}

/* A proxy with the routes that the options give it. */
static bool open_proxy(
    const struct options *o, struct ev_loop *loop, struct proxy **out, char why[SERVICE_WHY])
{
    enum rc rc = proxy_new(loop, &o->proxy, out);
    snprintf(why, SERVICE_WHY, "%s", rc_text(rc));
    if (rc)
        return false;
    for (int i = 0; !rc && i < o->upstream.count; i++)
        rc = proxy_add(*out, o->upstream.items[i], why);
    if (!rc && proxy_takes_all(*out) && options_is_set(o, "scripts")) {
        snprintf(why, SERVICE_WHY,
            "the scripts in %.500s would get no request: an upstream takes "
            "them all; give it a prefix, or no scripts",
            o->scripts);
        rc = RC_INVALID;
    }
    if (rc)
        proxy_free(*out);
    return !rc;
}

/* RC_INVALID where the scripts do not load; there is a bridge then if it may do without. */
static enum rc open_bridge(
    const struct options *o, struct ev_loop *loop, bool may_lack, char why[SERVICE_WHY])
{
    struct vm_options options = vm_options_of(o);
    options.forwarder = proxy_forwarder(proxy);
    pool_connector_init(&connector);
    options.connector = &connector.base;
    bridge = NULL;
    if (proxy_takes_all(proxy))
        return RC_OK;
    enum rc rc = bridge_new(loop, o->scripts, &options, &bridge, why);
    if (rc == RC_INVALID && may_lack && bridge_bare(loop, o->scripts, &options, why, &bridge))
        rc = RC_NOMEM;
    if (bridge)
        proxy_set_next(proxy, bridge_handler(bridge));
    return rc;
}

static enum service_state open_handler(const struct options *o, struct ev_loop *loop, bool may_lack,
    struct handler **out, char why[SERVICE_WHY])
{
    if (!open_proxy(o, loop, &proxy, why))
        return SERVICE_FAILED;
    enum rc rc = open_bridge(o, loop, may_lack, why);
    if (rc && !bridge) {
        proxy_free(proxy);
        return SERVICE_FAILED;
    }
    *out = proxy_handler(proxy);
    return rc ? SERVICE_LACKING : SERVICE_OPEN;
}

static enum rc join(const struct options *o, struct loop *loop)
{
    enum rc rc = pool_new(loop, &o->pool, &pool);
    if (rc)
        return rc;
    proxy_set_pool(proxy, pool);
    connector.pool = pool;
    return RC_OK;
}

static void stop_handler(struct handler *h)
{
    (void)h;
    if (bridge)
        bridge_stop(bridge);
}

static void close_handler(struct handler *h)
{
    (void)h;
    if (bridge)
        bridge_free(bridge);
    proxy_free(proxy);
    if (pool)
        pool_free(pool);
}

static void write_line(void *file, const char *text)
{
    fprintf(file, "%s\n", text);
}

static bool prove(const struct options *o, FILE *files, char why[SERVICE_WHY])
{
    const struct vm_options options = vm_options_of(o);
    struct proxy *proved;
    if (!open_proxy(o, NULL, &proved, why))
        return false;
    bool alone = proxy_takes_all(proved);
    proxy_free(proved);
    return alone || bridge_prove(o->scripts, &options, write_line, files, why) == RC_OK;
}

static const struct service service = {
    .read_config = config_read,
    .prove = prove,
    .open = open_handler,
    .join = join,
    .stop = stop_handler,
    .close = close_handler,
};

/* A descriptor that is missing here would be that of the first socket, which the log, and programs
 * that scripts start, would then write to. */
static bool fill_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

/* One line on stderr that names the thing and the cure. */
static int complain(const char *why, int status)
{
    fprintf(stderr, "moontrail: %s\n", why);
    return status;
}

static enum rc check_certificates(const struct options *o, char why[SERVICE_WHY])
{
    struct tls *tls = NULL;
    enum rc rc = o->cert_count ? tls_new(o->certs, (size_t)o->cert_count, &tls, why) : RC_OK;
    tls_free(tls);
    return rc;
}

/* The scripts are read as workers will read them, where that is possible. */
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

static int check(const struct options *o)
{
    char why[SERVICE_WHY];
    struct handler *handler;
    if (check_certificates(o, why) || read_as_user(o, why))
        return complain(why, EXIT_FAILED);
    if (open_handler(o, NULL, false, &handler, why) == SERVICE_FAILED)
        return complain(why, EXIT_FAILED);
    proxy_print_routes(proxy, stdout);
    if (bridge)
        bridge_print_routes(bridge, stdout);
    close_handler(handler);
    return 0;
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
    log_open();
    log_configure(options.log_level, options.log_format);
    int status = options.check ? check(&options) : 0;
    bool serves = !options.check;
    options_fini(&options);
    return serves ? master_run(&service, argc, argv) : status;
}
