#include "proc/options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each takes the option's argument; the phrase that it gives says what is wrong with it, or NULL.
 */
typedef const char *setter(struct options *o, const char *arg);

static const char *set_listen(struct options *o, const char *arg)
{
    if (o->listen_count == OPTIONS_MANY)
        return "is given more than 16 times";
    o->listen[o->listen_count++] = arg;
    return NULL;
}

static const char *set_cert(struct options *o, const char *arg)
{
    if (o->cert_count == OPTIONS_MANY)
        return "is given more than 16 times";
    o->certs[o->cert_count++].cert = arg;
    return NULL;
}

static const char *set_key(struct options *o, const char *arg)
{
    if (o->key_count == OPTIONS_MANY)
        return "is given more than 16 times";
    o->certs[o->key_count++].key = arg;
    return NULL;
}

static const char *set_log_level(struct options *o, const char *arg)
{
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

static const char *set_log_format(struct options *o, const char *arg)
{
    if (strcmp(arg, "text") != 0 && strcmp(arg, "json") != 0)
        return "is text or json";
    o->log_format = arg[0] == 'j' ? LOG_JSON : LOG_TEXT;
    return NULL;
}

static const char *set_grace(struct options *o, const char *arg)
{
    char *end;
    o->grace = strtod(arg, &end);
    if (end == arg || *end || !isfinite(o->grace) || o->grace < 0)
        return "is a number of seconds, 0 or more";
    return NULL;
}

static const char *set_dev(struct options *o, const char *arg)
{
    (void)arg;
    o->dev = true;
    return NULL;
}

static const char *set_check(struct options *o, const char *arg)
{
    (void)arg;
    o->check = true;
    return NULL;
}

static const char *set_version(struct options *o, const char *arg)
{
    (void)arg;
    o->version = true;
    return NULL;
}

static const char *set_help(struct options *o, const char *arg)
{
    (void)arg;
    o->help = true;
    return NULL;
}

static const struct definition {
    const char *name;
    char letter;          /* 0 for none */
    const char *argument; /* as help shows it; NULL for a switch */
    const char *help;
    setter *set;
} definitions[] = {
    {"listen", 'l', "URL",
        "https://HOST:PORT or http://HOST:PORT, repeatable; port 0 picks a free one\n"
        "(default https://127.0.0.1:8443 and http://127.0.0.1:8080)",
        set_listen},
    {"cert", 0, "FILE",
        "certificate chain, PEM; repeatable, each with its --key (SNI picks);\n"
        "without any, one for localhost is made in memory",
        set_cert},
    {"key", 0, "FILE", "private key, PEM, of the --cert before it", set_key},
    {"dev", 0, NULL,
        "for development: tracebacks in error pages, debug log, and the\n"
        "certificate made in memory on any address",
        set_dev},
    {"check", 0, NULL, "load the scripts, print the route table, and exit 0 or 1", set_check},
    {"log-level", 0, "LEVEL", "debug, info, warn or error (default info, debug with --dev)",
        set_log_level},
    {"log-format", 0, "FORMAT", "text or json (default text)", set_log_format},
    {"grace", 0, "SECONDS", "how long requests may take to finish at shutdown (default 30)",
        set_grace},
    {"version", 0, NULL, "print the version and exit", set_version},
    {"help", 'h', NULL, "print this help and exit", set_help},
};

enum { DEFINITIONS = sizeof definitions / sizeof *definitions, FIRST_LONG = 256 };

void options_help(void)
{
    puts("Usage: moontrail [options] [FILE.lua | DIR]\n\n"
         "Serves Lua handlers over HTTP/2: one script for every request, or a folder of\n"
         "scripts routed by their paths (scripts/ when neither is given).\n");
    for (int i = 0; i < DEFINITIONS; i++) {
        const struct definition *d = &definitions[i];
        char flags[64];
        int n = d->letter ? snprintf(flags, sizeof flags, "-%c, ", d->letter)
                          : snprintf(flags, sizeof flags, "    ");
        snprintf(flags + n, sizeof flags - (size_t)n, "--%s %s", d->name,
            d->argument ? d->argument : "");
        printf("  %-24s", flags);
        for (const char *c = d->help; *c; c++) {
            putchar(*c);
            if (*c == '\n')
                printf("%26s", "");
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
        const char *problem = d->set(o, optarg);
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
    *out = (struct options){.log_level = LOG_INFO, .grace = 30};
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
