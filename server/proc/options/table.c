#include "proc/options/table.h"

#include "core/distance.h"
#include "proc/options/options.h"

#include <assert.h>
#include <string.h>

#define FIELD(member) offsetof(struct options, member)

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const access_log_formats[] = {"combined", "json", NULL};

const struct definition options_table[] = {
    {OPTIONS_OPERAND, "scripts", 0, OPTIONS_TEXT, FIELD(scripts), "FILE.lua | DIR",
        "one script for every request, or a folder of scripts routed by their paths", NULL},

    {OPTIONS_COMMAND, "config", 'c', OPTIONS_TEXT, FIELD(config), "FILE",
        "a Lua file that returns a table of these options", NULL},
    {OPTIONS_COMMAND, "check", 0, OPTIONS_SWITCH, FIELD(check), NULL,
        "load the configuration and the scripts, print the route table, and exit 0 or 1", NULL},
    {OPTIONS_COMMAND, "openapi", 0, OPTIONS_SWITCH, FIELD(openapi), NULL,
        "load the scripts, print an OpenAPI document of the gRPC services' routes of HTTP, and "
        "exit 0 "
        "or 1",
        NULL},
    {OPTIONS_COMMAND, "version", 0, OPTIONS_SWITCH, FIELD(version), NULL,
        "print the version and exit", NULL},
    {OPTIONS_COMMAND, "help", 'h', OPTIONS_SWITCH, FIELD(help), NULL, "print this help and exit",
        NULL},

    {OPTIONS_SERVER, "listen", 'l', OPTIONS_TEXTS, FIELD(listen), "URL",
        "https://HOST:PORT or http://HOST:PORT; port 0 picks a free one", NULL},
    {OPTIONS_SERVER, "cert", 0, OPTIONS_TEXTS, FIELD(cert), "FILE",
        "certificate chain, PEM, each with its key (SNI picks); without any, one for localhost is "
        "made in memory",
        NULL},
    {OPTIONS_SERVER, "key", 0, OPTIONS_TEXTS, FIELD(key), "FILE",
        "private key, PEM, of the cert in the same place", NULL},
    {OPTIONS_SERVER, "proto-path", 0, OPTIONS_TEXTS, FIELD(proto_path), "DIR",
        "folder in which .proto files are looked for, behind those of the scripts", NULL},
    {OPTIONS_SERVER, "workers", 'w', OPTIONS_WORKER_COUNT, FIELD(workers), "N",
        "processes that serve; auto is one for each core, and 1 with dev", NULL},
    {OPTIONS_SERVER, "user", 0, OPTIONS_TEXT, FIELD(user), "NAME",
        "user that workers run as, where the start is privileged", NULL},
    {OPTIONS_SERVER, "pid-file", 0, OPTIONS_TEXT, FIELD(pid_file), "FILE",
        "holds the process id of the master, which takes the signals", NULL},
    {OPTIONS_SERVER, "watch", 0, OPTIONS_SWITCH, FIELD(watch), NULL,
        "load the scripts anew when a file of theirs changes", NULL},
    {OPTIONS_SERVER, "dev", 0, OPTIONS_SWITCH, FIELD(dev), NULL,
        "for development: watch, tracebacks in error pages, a log at debug with each request, and "
        "the certificate made in "
        "memory on any address",
        NULL},
    {OPTIONS_SERVER, "log-level", 0, OPTIONS_CHOICE, FIELD(log_level), "LEVEL",
        "debug, info, warn or error; with dev it is debug unless given", log_levels},
    {OPTIONS_SERVER, "log-format", 0, OPTIONS_CHOICE, FIELD(log_format), "FORMAT", "text or json",
        log_formats},
    {OPTIONS_SERVER, "access-log", 0, OPTIONS_TEXT, FIELD(access_log), "FILE",
        "a line for each request is appended there; - is standard output", NULL},
    {OPTIONS_SERVER, "access-log-format", 0, OPTIONS_CHOICE, FIELD(access_log_format), "FORMAT",
        "combined or json", access_log_formats},
    {OPTIONS_SERVER, "grace", 0, OPTIONS_SECONDS, FIELD(grace), "SECONDS",
        "how long requests may take to finish at shutdown", NULL},
    {OPTIONS_SERVER, "heartbeat-timeout", 0, OPTIONS_SECONDS, FIELD(heartbeat_timeout), "SECONDS",
        "after which a worker that is stuck is replaced; 0 is never", NULL},
    {OPTIONS_SERVER, "ticket-rotation", 0, OPTIONS_SECONDS, FIELD(ticket_rotation), "SECONDS",
        "after which new TLS session tickets have a new key; the one before still opens its own; 0 "
        "is never",
        NULL},

    {OPTIONS_SERVER, "store", 0, OPTIONS_STORE, FIELD(store), "URL",
        "where moontrail.store keeps what scripts store: memory:, which all workers share, "
        "file:PATH, or redis://[USER:PASSWORD@]HOST[:PORT][/DB][?prefix=TEXT], which many servers "
        "share",
        NULL},
    {OPTIONS_SERVER, "store-size", 0, OPTIONS_POSITIVE, FIELD(store_size), "MIB",
        "that the store may fill; a quarter more is kept for removals", NULL},

    {OPTIONS_UPSTREAMS, "upstream", 'u', OPTIONS_TEXTS, FIELD(upstream), "[PREFIX=]URL",
        "requests whose path begins with the prefix, or all, go to this server: http://HOST:PORT, "
        "https://HOST:PORT, h2c://HOST:PORT or unix:PATH; several of one prefix take turns",
        NULL},
    {OPTIONS_UPSTREAMS, "upstream-pool", 0, OPTIONS_TEXTS, FIELD(upstream_pool), "NAME=URL",
        "ctx:proxy(\"upstream:NAME\") goes to this server; several of one name take turns", NULL},
    {OPTIONS_UPSTREAMS, "upstream-pass-host", 0, OPTIONS_SWITCH, FIELD(proxy.pass_host), NULL,
        "the client's Host goes on, in place of the upstream's own", NULL},
    {OPTIONS_UPSTREAMS, "upstream-ca", 0, OPTIONS_TEXT, FIELD(proxy.call.cas), "FILE",
        "certificates, PEM, that upstreams are verified by, in place of the system's", NULL},
    {OPTIONS_UPSTREAMS, "upstream-insecure", 0, OPTIONS_SWITCH, FIELD(proxy.call.insecure), NULL,
        "certificates of upstreams are not verified", NULL},
    {OPTIONS_UPSTREAMS, "upstream-connect-timeout", 0, OPTIONS_SECONDS,
        FIELD(proxy.call.connect_timeout), "SECONDS", "for a connection to an upstream", NULL},
    {OPTIONS_UPSTREAMS, "upstream-response-timeout", 0, OPTIONS_SECONDS,
        FIELD(proxy.call.response_timeout), "SECONDS", "for the head of its response", NULL},
    {OPTIONS_UPSTREAMS, "upstream-idle-timeout", 0, OPTIONS_SECONDS, FIELD(proxy.call.idle_timeout),
        "SECONDS", "for anything more to move", NULL},
    {OPTIONS_UPSTREAMS, "upstream-max-failures", 0, OPTIONS_COUNT,
        FIELD(proxy.upstreams.max_failures), "N",
        "in a row, until an upstream is left out for a while", NULL},
    {OPTIONS_UPSTREAMS, "upstream-recovery", 0, OPTIONS_SECONDS, FIELD(proxy.upstreams.recovery),
        "SECONDS", "for which it is left out", NULL},
    {OPTIONS_UPSTREAMS, "upstream-max-connections", 0, OPTIONS_COUNT, FIELD(pool.max_conns), "N",
        "of a worker to one upstream", NULL},
    {OPTIONS_UPSTREAMS, "upstream-max-each", 0, OPTIONS_COUNT, FIELD(pool.max_each), "N",
        "of these for one client, over all upstreams; half of them unless given", NULL},
    {OPTIONS_UPSTREAMS, "upstream-max-idle", 0, OPTIONS_COUNT, FIELD(pool.max_idle), "N",
        "of these kept without a request", NULL},
    {OPTIONS_UPSTREAMS, "upstream-max-waiting", 0, OPTIONS_COUNT, FIELD(pool.max_waiting), "N",
        "requests that wait for one of these, beyond it 503", NULL},
    {OPTIONS_UPSTREAMS, "upstream-max-streams", 0, OPTIONS_POSITIVE, FIELD(pool.max_streams), "N",
        "requests at a time on one of these, with HTTP/2", NULL},
    {OPTIONS_UPSTREAMS, "upstream-keepalive", 0, OPTIONS_SECONDS, FIELD(pool.idle_timeout),
        "SECONDS", "for which one is kept without a request", NULL},

    {OPTIONS_LIMITS, "max-connections", 0, OPTIONS_COUNT, FIELD(net.max_conns), "N",
        "connections of a worker", NULL},
    {OPTIONS_LIMITS, "max-connections-each", 0, OPTIONS_COUNT, FIELD(net.max_conns_each), "N",
        "those from one IPv4 address or IPv6 /64", NULL},
    {OPTIONS_LIMITS, "max-connection-memory", 0, OPTIONS_COUNT, FIELD(net.max_conn_memory), "MIB",
        "that the connections of a worker hold in all", NULL},
    {OPTIONS_LIMITS, "max-streams", 0, OPTIONS_POSITIVE, FIELD(h2.max_streams), "N",
        "concurrent streams of a connection", NULL},
    {OPTIONS_LIMITS, "max-header-bytes", 0, OPTIONS_POSITIVE, FIELD(http.header_bytes), "BYTES",
        "of a decoded header list, beyond it 431", NULL},
    {OPTIONS_LIMITS, "max-header-fields", 0, OPTIONS_POSITIVE, FIELD(http.header_fields), "N",
        "in a header list, beyond it 431", NULL},
    {OPTIONS_LIMITS, "max-continuations", 0, OPTIONS_COUNT, FIELD(h2.continuations), "N",
        "CONTINUATION frames of a header block", NULL},
    {OPTIONS_LIMITS, "max-resets", 0, OPTIONS_COUNT, FIELD(h2.a_second[GUARD_RESETS]), "N",
        "streams that a client resets in a second", NULL},
    {OPTIONS_LIMITS, "max-faults", 0, OPTIONS_COUNT, FIELD(h2.a_second[GUARD_FAULTS]), "N",
        "streams reset for a client's faults in a second", NULL},
    {OPTIONS_LIMITS, "max-control-frames", 0, OPTIONS_COUNT, FIELD(h2.a_second[GUARD_CONTROL]), "N",
        "PING, SETTINGS, PRIORITY and such in a second", NULL},
    {OPTIONS_LIMITS, "max-window-updates", 0, OPTIONS_COUNT, FIELD(h2.a_second[GUARD_WINDOWS]), "N",
        "WINDOW_UPDATEs in a second beyond 8 for each DATA sent", NULL},
    {OPTIONS_LIMITS, "max-empty-frames", 0, OPTIONS_COUNT, FIELD(h2.a_second[GUARD_EMPTY]), "N",
        "DATA, CONTINUATION without content in a second", NULL},
    {OPTIONS_LIMITS, "max-dribbles", 0, OPTIONS_COUNT, FIELD(h2.a_second[GUARD_DRIBBLES]), "N",
        "DATA of under 64 bytes by a tiny window in a second", NULL},
    {OPTIONS_LIMITS, "max-queued-frames", 0, OPTIONS_POSITIVE, FIELD(h2.queued_frames), "N",
        "frames of the server's waiting to go out", NULL},
    {OPTIONS_LIMITS, "stream-window", 0, OPTIONS_POSITIVE, FIELD(http.stream_window), "BYTES",
        "held of a body that is not read", NULL},
    {OPTIONS_LIMITS, "connection-window", 0, OPTIONS_POSITIVE, FIELD(h2.conn_window), "BYTES",
        "of all bodies of a connection that may be under way", NULL},
    {OPTIONS_LIMITS, "body-limit", 0, OPTIONS_COUNT, FIELD(body_limit), "BYTES",
        "that ctx:body takes, beyond it 413", NULL},
    {OPTIONS_LIMITS, "max-cpu", 0, OPTIONS_SECONDS, FIELD(max_cpu), "SECONDS",
        "that a handler runs without waiting", NULL},
    {OPTIONS_LIMITS, "max-generations", 0, OPTIONS_COUNT, FIELD(max_generations), "N",
        "of scripts alive at once, beyond which requests of the oldest are aborted", NULL},
    {OPTIONS_LIMITS, "load-timeout", 0, OPTIONS_SECONDS, FIELD(load_timeout), "SECONDS",
        "for the scripts to load", NULL},
    {OPTIONS_LIMITS, "max-vm-memory", 0, OPTIONS_COUNT, FIELD(max_vm_memory), "MIB",
        "that the scripts of a process take, in all generations", NULL},
    {OPTIONS_LIMITS, "min-body-rate", 0, OPTIONS_COUNT, FIELD(http.min_body_rate), "BYTES",
        "a second of a body that a handler waits for, from 5 s on; slower is 408", NULL},
    {OPTIONS_LIMITS, "min-send-rate", 0, OPTIONS_COUNT, FIELD(http.min_send_rate), "BYTES",
        "a second that a client takes of what waits for it, from 5 s on", NULL},
    {OPTIONS_LIMITS, "handshake-timeout", 0, OPTIONS_SECONDS, FIELD(net.handshake_timeout),
        "SECONDS", "from accept to the TLS handshake's end", NULL},
    {OPTIONS_LIMITS, "preface-timeout", 0, OPTIONS_SECONDS, FIELD(h2.preface_timeout), "SECONDS",
        "until the client's SETTINGS", NULL},
    {OPTIONS_LIMITS, "header-timeout", 0, OPTIONS_SECONDS, FIELD(http.header_timeout), "SECONDS",
        "for a header block", NULL},
    {OPTIONS_LIMITS, "idle-timeout", 0, OPTIONS_SECONDS, FIELD(net.idle_timeout), "SECONDS",
        "without a stream", NULL},
    {OPTIONS_LIMITS, "body-timeout", 0, OPTIONS_SECONDS, FIELD(http.body_timeout), "SECONDS",
        "for the next piece of a request's body that a handler waits for", NULL},
    {OPTIONS_LIMITS, "write-timeout", 0, OPTIONS_SECONDS, FIELD(http.write_timeout), "SECONDS",
        "in which a client takes nothing of a response", NULL},
    {OPTIONS_LIMITS, "request-timeout", 0, OPTIONS_SECONDS, FIELD(http.request_timeout), "SECONDS",
        "for a whole request", NULL},
};

enum { COUNT = sizeof options_table / sizeof *options_table };
const int options_count = COUNT;

static_assert((int)COUNT <= OPTIONS_MAX, "struct options notes who set each");

const struct definition *options_find(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(options_table[i].name, name) == 0)
            return &options_table[i];
    return NULL;
}

const struct definition *options_nearest(const char *name)
{
    const struct definition *nearest = NULL;
    size_t best = distance_limit(name);
    for (int i = 0; i < COUNT; i++) {
        size_t d = distance(name, options_table[i].name);
        if (d < best) {
            best = d;
            nearest = &options_table[i];
        }
    }
    return nearest;
}
