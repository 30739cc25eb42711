/* The only file that knows every part: it reads the command line, makes the parts, and joins them.
 */
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/version.h"
#include "lua/bridge.h"
#include "lua/config.h"
#include "net/access_log.h"
#include "net/address.h"
#include "net/tls.h"
#include "proc/options.h"
#include "proc/options_help.h"
#include "proc/worker.h"

#include <stdio.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct server {
    struct options options;
    struct tls *tls;
    struct access_log *access_log;
    int sockets[OPTIONS_MANY];
    bool secure[OPTIONS_MANY];
    int socket_count;
    struct worker worker;
    struct bridge *bridge;
};

/* One line on stderr that names the thing and the cure. */
static int complain(const char *why, int status)
{
    fprintf(stderr, "moontrail: %s\n", why);
    return status;
}

static int open_socket(struct server *s, const char *url)
{
    struct address address;
    char why[ADDRESS_WHY];
    int *fd = &s->sockets[s->socket_count];
    if (address_parse(url, &address, why))
        return complain(why, EXIT_USAGE);
    if (address_listen(&address, fd, why))
        return complain(why, EXIT_FAILED);
    s->secure[s->socket_count++] = address.tls;
    if (address.tls && s->options.cert_count == 0 && !s->options.dev && !address_is_loopback(*fd)) {
        snprintf(why, sizeof why,
            "%s is not a loopback address, and there is no certificate for it: give --cert and "
            "--key, or --dev for one made in memory",
            url);
        return complain(why, EXIT_FAILED);
    }
    return 0;
}

static int open_sockets(struct server *s)
{
    int status = 0;
    for (int i = 0; !status && i < s->options.listen.count; i++)
        status = open_socket(s, s->options.listen.items[i]);
    return status;
}

static int make_tls(struct server *s)
{
    char why[TLS_WHY];
    for (int i = 0; i < s->socket_count; i++) {
        if (!s->secure[i])
            continue;
        if (tls_new(s->options.certs, (size_t)s->options.cert_count, &s->tls, why))
            return complain(why, EXIT_FAILED);
        return 0;
    }
    return 0;
}

static int open_access_log(struct server *s)
{
    const struct options *o = &s->options;
    char why[ACCESS_LOG_WHY];
    if (!o->access_log)
        return 0;
    if (access_log_open(o->access_log, o->access_log_format, &s->access_log, why))
        return complain(why, EXIT_FAILED);
    worker_log_access(&s->worker, s->access_log);
    return 0;
}

/* One line with every address that is really bound. */
static void log_ready(const struct server *s)
{
    char list[OPTIONS_MANY * (ADDRESS_TEXT + 16)];
    size_t len = 0;
    list[0] = '\0';
    for (int i = 0; i < s->socket_count; i++) {
        char text[ADDRESS_TEXT];
        address_of_socket(s->sockets[i], text);
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s://%s", i ? "," : "",
            s->secure[i] ? "https" : "http", text);
    }
    log_event(LOG_INFO, "ready", log_str("listen", list), log_str("scripts", s->options.scripts),
        log_int("pid", getpid()));
}

static int load_scripts(struct server *s)
{
    char why[SCRIPT_WHY];
    const struct vm_options options = {.dev = s->options.dev,
        .max_cpu = s->options.max_cpu,
        .load_timeout = s->options.load_timeout,
        .max_memory = (size_t)s->options.max_vm_memory << 20,
        .max_generations = s->options.max_generations,
        .body_limit = s->options.body_limit};
    if (bridge_new(s->worker.ev, s->options.scripts, &options, &s->bridge, why))
        return complain(why, EXIT_FAILED);
    return 0;
}

static int serve(struct server *s)
{
    int status = open_sockets(s);
    if (!status)
        status = make_tls(s);
    if (!status)
        status = open_access_log(s);
    if (status)
        return status;
    for (int i = 0; i < s->socket_count; i++)
        worker_listen(&s->worker, s->sockets[i], s->secure[i] ? s->tls : NULL);
    s->options.net.http = &s->options.http;
    s->options.net.h2 = &s->options.h2;
    if (worker_start(&s->worker, bridge_handler(s->bridge), &s->options.net, s->options.grace))
        return complain(rc_text(RC_NOMEM), EXIT_FAILED);
    log_ready(s);
    s->socket_count = 0; /* the worker has them */
    worker_run(&s->worker);
    bridge_stop(s->bridge);
    return 0;
}

/* What is still alive here was lost: tests look for zeros. */
static void log_stopped(void)
{
    log_event(LOG_INFO, "stopped", log_int("conns", live.conns),
        log_int("exchanges", live.exchanges), log_int("calls", live.calls),
        log_int("tasks", live.tasks), log_int("waits", live.waits),
        log_int("blocks", (int64_t)mem_stats()->blocks));
}

static void free_parts(struct server *s)
{
    worker_fini(&s->worker);
    if (s->bridge)
        bridge_free(s->bridge);
    if (s->tls)
        tls_free(s->tls);
    if (s->access_log)
        access_log_close(s->access_log);
    for (int i = 0; i < s->socket_count; i++)
        close(s->sockets[i]);
    options_fini(&s->options);
    mem_trim();
}

static int run(struct server *s)
{
    if (worker_init(&s->worker))
        return complain("no event loop: the system has no way to wait for events", EXIT_FAILED);
    int status = load_scripts(s);
    if (!status && s->options.check)
        bridge_print_routes(s->bridge, stdout);
    else if (!status)
        status = serve(s);
    free_parts(s);
    if (!status && !s->options.check)
        log_stopped();
    return status;
}

int main(int argc, char **argv)
{
    static struct server server;
    char why[OPTIONS_WHY];
    enum rc rc = options_parse(argc, argv, config_read, &server.options, why);
    if (rc)
        return complain(why, rc == RC_INVALID ? EXIT_USAGE : EXIT_FAILED);
    if (server.options.help) {
        options_help();
        return 0;
    }
    if (server.options.version) {
        printf("moontrail %s\n", MOONTRAIL_VERSION);
        return 0;
    }
    log_configure(server.options.log_level, server.options.log_format);
    return run(&server);
}
