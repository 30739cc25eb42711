/*
 * The options: what the command line and the configuration file say. One table in table.c names
 * each once; parsing, the file's keys, --help and the manuals come from it.
 *
 * Nothing is kept between two calls: options are read anew, into another struct, at any time.
 */
#ifndef PROC_OPTIONS_OPTIONS_H
#define PROC_OPTIONS_OPTIONS_H

#include "core/arena.h"
#include "core/log.h"
#include "core/rc.h"
#include "core/setting.h"
#include "h2/limits.h"
#include "http/limits.h"
#include "net/access_log.h"
#include "net/loop.h"
#include "net/tls.h"
#include "proxy/pool.h"
#include "proxy/proxy.h"

#include <stdbool.h>

enum {
    OPTIONS_MANY = 16,     /* listeners, and certificates, at the most */
    OPTIONS_MAX = 96,      /* entries of the table, at the most */
    OPTIONS_WORKERS = 256, /* at the most */
    OPTIONS_WHY = SETTING_WHY,
};

/* Who set an option; each overrides those before it. */
enum options_source { OPTIONS_DEFAULT, OPTIONS_FILE, OPTIONS_FLAG };

/* A repeatable option. */
struct options_list {
    const char *items[OPTIONS_MANY];
    int count;
};

struct options {
    struct options_list listen;           /* URLs */
    struct options_list cert, key;        /* PEM files, in pairs */
    struct tls_files certs[OPTIONS_MANY]; /* those pairs */
    int cert_count;
    const char *scripts;            /* a file or a folder */
    const char *config;             /* a file; NULL for none */
    struct options_list proto_path; /* folders */
    enum log_level log_level;
    enum log_format log_format;
    const char *access_log; /* a file, or "-"; NULL for none */
    enum access_log_format access_log_format;
    struct options_list upstream;      /* "[PREFIX=]URL" */
    struct options_list upstream_pool; /* "NAME=URL" */
    struct proxy_options proxy;
    struct pool_limits pool;
    struct net_limits net; /* without its http and h2, which follow */
    struct http_limits http;
    struct h2_limits h2;
    double max_cpu;         /* seconds */
    double load_timeout;    /* seconds */
    uint32_t max_vm_memory; /* MiB */
    uint32_t max_generations;
    uint32_t body_limit; /* bytes */
    double grace;        /* seconds */
    int workers;
    const char *user;         /* that workers run as; NULL for the master's own */
    const char *pid_file;     /* NULL for none */
    const char *store;        /* a URL */
    uint32_t store_size;      /* MiB */
    double heartbeat_timeout; /* seconds; 0 is none */
    double ticket_rotation;   /* seconds; 0 is none */
    bool dev, watch, check, openapi, version, help;
    enum options_source source;        /* the source that is being read */
    unsigned char set_by[OPTIONS_MAX]; /* an enum options_source, by place in the table */
    struct arena strings;              /* those that came from a file */
};

/* Reads argv into out, which borrows from it, the file that it names, and fills in the rest. Where
 * it fails, out owns nothing and why holds one line that names the option and the cure: RC_INVALID
 * for the command line, RC_SYSTEM for the file. */
enum rc options_parse(int argc, char **argv, setting_reader *read, struct options *out,
    char why[OPTIONS_WHY]) MUST_CHECK;
void options_fini(struct options *o);

/* The start of options_parse: all as it is where nothing is said. */
void options_init(struct options *o);
/* Sets what a configuration file says; see setting_taker. The options are its data. */
enum rc options_set(void *options, const struct setting *s, char why[SETTING_WHY]) MUST_CHECK;
/* Whether the option of this name was set, by any source. */
bool options_is_set(const struct options *o, const char *name);

#endif
