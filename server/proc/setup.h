/*
 * A setup: one reading of the command line and of the files that it names. The master has one in
 * force and, while it changes, the next.
 */
#ifndef PROC_SETUP_H
#define PROC_SETUP_H

#include "proc/options.h"
#include "proc/service.h"
#include "proc/sockets.h"

struct tls_tickets;

struct setup {
    uint32_t number; /* which reading it is, for who counts them; 0 is none */
    struct options options;
    struct sockets sockets;
    struct tls *tls; /* NULL where no address has TLS */
};

/* Reads anew, takes the sockets of before that are still wanted, and opens what is lacking.
 * RC_INVALID: the command line is wrong; RC_NOMEM, RC_SYSTEM. why then is one line that names the
 * thing and the cure, and nothing is left open but what before has. */
enum rc setup_read(struct setup *s, int argc, char **argv, const struct setup *before,
    const struct tls_tickets *tickets, char why[SERVICE_WHY]) MUST_CHECK;
/* Gives up what s has, but for the sockets that kept, which may be NULL, has as well. */
void setup_free(struct setup *s, const struct setup *kept);

#endif
