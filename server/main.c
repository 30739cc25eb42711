/* The only file that knows every part: it provides what the server serves with, and lets the master
 * serve it.
 */
#include "core/log.h"
#include "core/version.h"
#include "lua/bridge.h"
#include "proc/master.h"
#include "proc/service.h"

#include <ev.h>
#include <stdio.h>

/* A worker's. */
static struct bridge *bridge;

static enum rc load(const struct options *o, struct ev_loop *loop, char why[SERVICE_WHY])
{
    const struct vm_options options = {.dev = o->dev,
        .max_cpu = o->max_cpu,
        .max_memory = (size_t)o->max_vm_memory << 20,
        .body_limit = o->body_limit};
    return bridge_new(loop, o->scripts, &options, &bridge, why);
}

static bool open_bridge(
    const struct options *o, struct ev_loop *loop, struct handler **out, char why[SERVICE_WHY])
{
    if (load(o, loop, why))
        return false;
    *out = bridge_handler(bridge);
    return true;
}

static void stop_bridge(struct handler *h)
{
    (void)h;
    bridge_stop(bridge);
}

static void close_bridge(struct handler *h)
{
    (void)h;
    bridge_free(bridge);
}

/* Loads the scripts for nothing but what visit, which may be NULL, does with them. */
static bool try_scripts(const struct options *o, void (*visit)(const struct bridge *b, FILE *f),
    FILE *f, char why[SERVICE_WHY])
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    if (!loop) {
        snprintf(why, SERVICE_WHY, "no event loop: the system has no way to wait for events");
        return false;
    }
    bool loads = load(o, loop, why) == RC_OK;
    if (loads && visit)
        visit(bridge, f);
    if (loads)
        bridge_free(bridge);
    ev_loop_destroy(loop);
    return loads;
}

static bool prove(const struct options *o, FILE *files, char why[SERVICE_WHY])
{
    return try_scripts(o, NULL, files, why);
}

static const struct service service = {
    .prove = prove,
    .open = open_bridge,
    .stop = stop_bridge,
    .close = close_bridge,
};

/* One line on stderr that names the thing and the cure. */
static int complain(const char *why, int status)
{
    fprintf(stderr, "moontrail: %s\n", why);
    return status;
}

static int check(const struct options *o)
{
    char why[SERVICE_WHY];
    return try_scripts(o, bridge_print_routes, stdout, why) ? 0 : complain(why, EXIT_FAILED);
}

int main(int argc, char **argv)
{
    struct options options;
    char why[OPTIONS_WHY];
    if (options_parse(argc, argv, &options, why))
        return complain(why, EXIT_USAGE);
    if (options.help) {
        options_help();
        return 0;
    }
    if (options.version) {
        printf("moontrail %s\n", MOONTRAIL_VERSION);
        return 0;
    }
    log_configure(options.log_level, options.log_format);
    return options.check ? check(&options) : master_run(&service, argc, argv);
}
