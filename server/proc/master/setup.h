/*
 * A setup: one reading of the command line and of the files that it names. The master has one in
 * force and, during a change, the one that replaces it.
 */
#ifndef PROC_MASTER_SETUP_H
#define PROC_MASTER_SETUP_H

#include "proc/options/options.h"
#include "proc/worker/service.h"
#include "proc/worker/sockets.h"

struct access_log;
struct tls_tickets;

/* What setups are read from. */
struct setup_source {
    int argc;
    char **argv;
    setting_reader *read_config;
};

struct setup {
    uint32_t number; /* counts the readings; 0 is none */
    struct options options;
    uint64_t digest; /* of the files that the options were read from and name, without scripts */
    struct sockets sockets;
    struct tls *tls;               /* NULL if no address has TLS */
    struct access_log *access_log; /* NULL if there is none */
    struct area *area;             /* of the store */
    struct watch *watch;           /* on the scripts; NULL if there is none */
};

/* Reads anew, takes over the sockets of `before` that are still wanted, and opens the rest.
 * RC_INVALID: the command line is wrong; RC_NOMEM; RC_SYSTEM: all else. why then is one line that
 * names the thing and the cure, and nothing is left open but what before has. */
enum rc setup_read(struct setup *s, const struct setup_source *from, const struct setup *before,
    const struct tls_tickets *tickets, char why[SERVICE_WHY]) MUST_CHECK;
/* Whether the files, other than scripts, that it was read from are as they were. */
bool setup_is_current(const struct setup *s);
/* No effect where nothing is watched. */
void setup_end_watch(struct setup *s);
/* Frees s, except sockets that kept also holds. kept may be NULL. */
void setup_free(struct setup *s, const struct setup *kept);

#endif
