/*
 * The command line. One table in options.c names every option once: parsing and --help come from
 * it.
 */
#ifndef PROC_OPTIONS_H
#define PROC_OPTIONS_H

#include "core/log.h"
#include "core/rc.h"
#include "h2/session.h"
#include "http/limits.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdbool.h>

enum { OPTIONS_MANY = 16 }; /* listeners, and certificates, at the most */

struct options {
    const char *listen[OPTIONS_MANY]; /* URLs */
    int listen_count;
    struct tls_files certs[OPTIONS_MANY];
    int cert_count, key_count;
    const char *scripts; /* a file or a folder */
    enum log_level log_level;
    enum log_format log_format;
    struct net_limits net; /* but for its http and h2, which are the next two */
    struct http_limits http;
    struct h2_limits h2;
    double max_cpu;         /* seconds */
    uint32_t max_vm_memory; /* MiB */
    uint32_t body_limit;    /* bytes */
    double grace;           /* seconds */
    bool log_level_set;
    bool dev, check, version, help;
};

enum { OPTIONS_WHY = 512 };

/* Reads argv into out, which borrows from it, and fills in defaults. RC_INVALID; why then holds one
 * line that names the option and the cure. */
enum rc options_parse(int argc, char **argv, struct options *out, char why[OPTIONS_WHY]) MUST_CHECK;
/* Prints the help on stdout. */
void options_help(void);

#endif
