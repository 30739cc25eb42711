#include "proc/options.h"

#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct definition;

/* Each takes the option's argument; the phrase that it gives says what is wrong with it, or NULL.
 */
typedef const char *setter(struct options *o, const struct definition *d, const char *arg);

struct definition {
    const char *name;
    char letter;          /* 0 for none */
    const char *argument; /* as help shows it; NULL for a switch */
    const char *help;
    setter *set;
    size_t offset; /* of the field that set_switch, set_count or set_seconds sets */
};

static void *field_of(struct options *o, const struct definition *d)
{
    return (char *)o + d->offset;
}

static const char *set_switch(struct options *o, const struct definition *d, const char *arg)
{
    (void)arg;
    *(bool *)field_of(o, d) = true;
    return NULL;
}

static const char *set_count(struct options *o, const struct definition *d, const char *arg)
{
    char *end;
    unsigned long long count = strtoull(arg, &end, 10);
    if (arg[0] < '0' || arg[0] > '9' || *end || count > INT32_MAX)
        return "is a whole number up to 2147483647";
    *(uint32_t *)field_of(o, d) = (uint32_t)count;
    return NULL;
}

static const char *set_positive(struct options *o, const struct definition *d, const char *arg)
{
    const char *problem = set_count(o, d, arg);
    return problem || *(uint32_t *)field_of(o, d) ? problem : "is above 0";
}

static const char *set_seconds(struct options *o, const struct definition *d, const char *arg)
{
    char *end;
    double seconds = strtod(arg, &end);
    if (end == arg || *end || !isfinite(seconds) || seconds < 0)
        return "is a number of seconds, 0 or more";
    *(double *)field_of(o, d) = seconds;
    return NULL;
}

static const char *set_listen(struct options *o, const struct definition *d, const char *arg)
{
    (void)d;
    if (o->listen_count == OPTIONS_MANY)
        return "is given more than 16 times";
    o->listen[o->listen_count++] = arg;
    return NULL;
}

static const char *set_cert(struct options *o, const struct definition *d, const char *arg)
{
    (void)d;
    if (o->cert_count == OPTIONS_MANY)
        return "is given more than 16 times";
    o->certs[o->cert_count++].cert = arg;
    return NULL;
}

static const char *set_key(struct options *o, const struct definition *d, const char *arg)
{
    (void)d;
    if (o->key_count == OPTIONS_MANY)
        return "is given more than 16 times";
    o->certs[o->key_count++].key = arg;
    return NULL;
}

static const char *set_log_level(struct options *o, const struct definition *d, const char *arg)
{
    (void)d;
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(arg, names[i]) == 0) {
            o->log_level = (enum log_level)i;
            o->log_level_set = true;
            return NULL;
        }
    }
    return "is one of debug, info, warn, error";
}

static const char *set_log_format(struct options *o, const struct definition *d, const char *arg)
{
    (void)d;
    if (strcmp(arg, "text") != 0 && strcmp(arg, "json") != 0)
        return "is text or json";
    o->log_format = arg[0] == 'j' ? LOG_JSON : LOG_TEXT;
    return NULL;
}

#define FIELD(member) offsetof(struct options, member)

static const struct definition definitions[] = {
    {"listen", 'l', "URL",
        "https://HOST:PORT or http://HOST:PORT, repeatable;\n"
        "port 0 picks a free one\n"
        "(default https://127.0.0.1:8443 and http://127.0.0.1:8080)",
        set_listen, 0},
    {"cert", 0, "FILE",
        "certificate chain, PEM; repeatable, each with its --key\n"
        "(SNI picks); without any, one for localhost is made in memory",
        set_cert, 0},
    {"key", 0, "FILE", "private key, PEM, of the --cert before it", set_key, 0},
    {"dev", 0, NULL,
        "for development: tracebacks in error pages, debug log, and the\n"
        "certificate made in memory on any address",
        set_switch, FIELD(dev)},
    {"check", 0, NULL, "load the scripts, print the route table, and exit 0 or 1", set_switch,
        FIELD(check)},
    {"log-level", 0, "LEVEL", "debug, info, warn or error (default info, debug with --dev)",
        set_log_level, 0},
    {"log-format", 0, "FORMAT", "text or json (default text)", set_log_format, 0},
    {"grace", 0, "SECONDS", "how long requests may take to finish at shutdown (default 30)",
        set_seconds, FIELD(grace)},
    {"version", 0, NULL, "print the version and exit", set_switch, FIELD(version)},
    {"help", 'h', NULL, "print this help and exit", set_switch, FIELD(help)},
    {"max-connections", 0, "N", "connections in all (default 20000)", set_count,
        FIELD(net.max_conns)},
    {"max-connections-each", 0, "N",
        "connections from one IPv4 address or IPv6 /64 (default 10000)", set_count,
        FIELD(net.max_conns_each)},
    {"max-streams", 0, "N", "concurrent streams of a connection (default 128)", set_positive,
        FIELD(h2.max_streams)},
    {"max-header-bytes", 0, "BYTES", "of a decoded header list, beyond it 431 (default 65536)",
        set_positive, FIELD(http.header_bytes)},
    {"max-header-fields", 0, "N", "in a header list, beyond it 431 (default 128)", set_positive,
        FIELD(http.header_fields)},
    {"max-continuations", 0, "N", "CONTINUATION frames of a header block (default 7)", set_count,
        FIELD(h2.continuations)},
    {"max-resets", 0, "N", "streams that a client resets in a second (default 256)", set_count,
        FIELD(h2.a_second[GUARD_RESETS])},
    {"max-faults", 0, "N", "streams reset for a client's faults in a second (default 100)",
        set_count, FIELD(h2.a_second[GUARD_FAULTS])},
    {"max-control-frames", 0, "N", "PING, SETTINGS, PRIORITY and such in a second (default 500)",
        set_count, FIELD(h2.a_second[GUARD_CONTROL])},
    {"max-window-updates", 0, "N",
        "WINDOW_UPDATEs in a second beyond 8 for each DATA sent\n"
        "(default 1000)",
        set_count, FIELD(h2.a_second[GUARD_WINDOWS])},
    {"max-empty-frames", 0, "N", "DATA, HEADERS without content in a second (default 100)",
        set_count, FIELD(h2.a_second[GUARD_EMPTY])},
    {"max-dribbles", 0, "N",
        "DATA of under 64 bytes by a tiny window in a second\n"
        "(default 500)",
        set_count, FIELD(h2.a_second[GUARD_DRIBBLES])},
    {"max-queued-frames", 0, "N", "frames of the server's waiting to go out (default 2000)",
        set_positive, FIELD(h2.queued_frames)},
    {"stream-window", 0, "BYTES", "held of a body that is not read (default 65536)", set_positive,
        FIELD(http.stream_window)},
    {"connection-window", 0, "BYTES", "held of all bodies of a connection (default 1048576)",
        set_positive, FIELD(h2.conn_window)},
    {"body-limit", 0, "BYTES", "that ctx:body takes, beyond it 413 (default 1048576)", set_count,
        FIELD(body_limit)},
    {"max-cpu", 0, "SECONDS", "that a handler runs without waiting (default 0.15)", set_seconds,
        FIELD(max_cpu)},
    {"max-vm-memory", 0, "MIB", "that the scripts of a process take (default 512)", set_count,
        FIELD(max_vm_memory)},
    {"handshake-timeout", 0, "SECONDS", "from accept to the TLS handshake's end (default 10)",
        set_seconds, FIELD(net.handshake_timeout)},
    {"preface-timeout", 0, "SECONDS", "until the client's SETTINGS (default 10)", set_seconds,
        FIELD(h2.preface_timeout)},
    {"header-timeout", 0, "SECONDS", "for a header block (default 30)", set_seconds,
        FIELD(http.header_timeout)},
    {"idle-timeout", 0, "SECONDS", "without a stream (default 180)", set_seconds,
        FIELD(net.idle_timeout)},
    {"body-timeout", 0, "SECONDS",
        "for the next piece of a request's body that a handler waits for\n"
        "(default 300)",
        set_seconds, FIELD(http.body_timeout)},
    {"write-timeout", 0, "SECONDS", "in which a client takes nothing of a response (default 60)",
        set_seconds, FIELD(http.write_timeout)},
    {"request-timeout", 0, "SECONDS", "for a whole request (default 0)", set_seconds,
        FIELD(http.request_timeout)},
};

enum { DEFINITIONS = sizeof definitions / sizeof *definitions, FIRST_LONG = 256 };

void options_help(void)
{
    puts("Usage: moontrail [options] [FILE.lua | DIR]\n\n"
         "Serves Lua handlers over HTTP/2: one script for every request, or a folder of\n"
         "scripts routed by their paths (scripts/ when neither is given).\n");
    for (int i = 0; i < DEFINITIONS; i++) {
        const struct definition *d = &definitions[i];
        if (d->offset == FIELD(net.max_conns))
            puts("\nLimits, which end one stream or one connection when they are passed (0 is "
                 "none, where\n"
                 "that makes sense):\n");
        char flags[64];
        int n = d->letter ? snprintf(flags, sizeof flags, "-%c, ", d->letter)
                          : snprintf(flags, sizeof flags, "    ");
        snprintf(flags + n, sizeof flags - (size_t)n, "--%s %s", d->name,
            d->argument ? d->argument : "");
        printf("  %-34s", flags);
        for (const char *c = d->help; *c; c++) {
            putchar(*c);
            if (*c == '\n')
                printf("%36s", "");
        }
        putchar('\n');
    }
}

static void fill_tables(struct option *longs, char *shorts)
{
    *shorts++ = ':';
    for (int i = 0; i < DEFINITIONS; i++) {
        const struct definition *d = &definitions[i];
        longs[i] = (struct option){
            d->name, d->argument ? required_argument : no_argument, NULL, FIRST_LONG + i};
        if (d->letter)
            *shorts++ = d->letter;
        if (d->letter && d->argument)
            *shorts++ = ':';
    }
    longs[DEFINITIONS] = (struct option){0};
    *shorts = '\0';
}

static const struct definition *definition_of(int code)
{
    if (code >= FIRST_LONG)
        return &definitions[code - FIRST_LONG];
    for (int i = 0; i < DEFINITIONS; i++)
        if (definitions[i].letter == code)
            return &definitions[i];
    return NULL;
}

static enum rc parse_flags(int argc, char **argv, struct options *o, char why[OPTIONS_WHY])
{
    struct option longs[DEFINITIONS + 1];
    char shorts[3 * DEFINITIONS + 2];
    fill_tables(longs, shorts);
    opterr = 0;
    optind = 1;
    for (;;) {
        int at = optind;
        int code = getopt_long(argc, argv, shorts, longs, NULL);
        if (code == -1)
            return RC_OK;
        if (code == '?' || code == ':') {
            const char *given = argv[at < argc ? at : argc - 1];
            snprintf(why, OPTIONS_WHY, "option \"%.200s\" %s: see moontrail --help", given,
                code == ':' ? "lacks its argument" : "is unknown, or takes no argument");
            return RC_INVALID;
        }
        const struct definition *d = definition_of(code);
        const char *problem = d->set(o, d, optarg);
        if (problem) {
            snprintf(why, OPTIONS_WHY, "option --%s %s, not \"%.200s\"", d->name, problem, optarg);
            return RC_INVALID;
        }
    }
}

static void fill_defaults(struct options *o)
{
    if (o->listen_count == 0) {
        o->listen[0] = "https://127.0.0.1:8443";
        o->listen[1] = "http://127.0.0.1:8080";
        o->listen_count = 2;
    }
    if (!o->scripts)
        o->scripts = "scripts";
    if (!o->log_level_set)
        o->log_level = o->dev ? LOG_DEBUG : LOG_INFO;
}

enum rc options_parse(int argc, char **argv, struct options *out, char why[OPTIONS_WHY])
{
    *out = (struct options){.log_level = LOG_INFO,
        .grace = 30,
        .max_cpu = 0.15,
        .max_vm_memory = 512,
        .body_limit = 1 << 20,
        .net = net_limits_default,
        .http = http_limits_default,
        .h2 = h2_limits_default};
    enum rc rc = parse_flags(argc, argv, out, why);
    if (rc)
        return rc;
    if (argc - optind > 1) {
        snprintf(why, OPTIONS_WHY, "one script or folder is served, not \"%.200s\" as well",
            argv[optind + 1]);
        return RC_INVALID;
    }
    out->scripts = argv[optind];
    if (out->cert_count != out->key_count) {
        snprintf(why, OPTIONS_WHY, "--cert and --key come in pairs: %d and %d are given",
            out->cert_count, out->key_count);
        return RC_INVALID;
    }
    fill_defaults(out);
    return RC_OK;
}
