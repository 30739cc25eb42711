/* The only file that knows every part: it provides what the server serves with, and lets the master
 * serve it.
 */
#include "core/log.h"
#include "core/version.h"
#include "lua/bridge.h"
#include "lua/config.h"
#include "proc/master.h"
#include "proc/options_help.h"
#include "proc/service.h"

#include <stdio.h>

/* A worker's. */
static struct bridge *bridge;

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

static bool open_bridge(
    const struct options *o, struct ev_loop *loop, struct handler **out, char why[SERVICE_WHY])
{
    const struct vm_options options = vm_options_of(o);
    if (bridge_new(loop, o->scripts, &options, &bridge, why))
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

static void write_line(void *file, const char *text)
{
    fprintf(file, "%s\n", text);
}

static bool prove(const struct options *o, FILE *files, char why[SERVICE_WHY])
{
    const struct vm_options options = vm_options_of(o);
    return bridge_prove(o->scripts, &options, write_line, files, why) == RC_OK;
}

static const struct service service = {
    .read_config = config_read,
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
    struct handler *handler;
    if (!open_bridge(o, NULL, &handler, why))
        return complain(why, EXIT_FAILED);
    bridge_print_routes(bridge, stdout);
    close_bridge(handler);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options;
    char why[OPTIONS_WHY];
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
    log_configure(options.log_level, options.log_format);
    int status = options.check ? check(&options) : 0;
    bool serves = !options.check;
    options_fini(&options);
    return serves ? master_run(&service, argc, argv) : status;
}
