/*
 * An upgrade: a new program takes the listening sockets over, while the old one serves on until the
 * new one says that it is ready. Sockets, ticket keys, the store's memory and the pipe for that
 * word are passed as descriptors, which the environment names.
 */
#ifndef PROC_MASTER_UPGRADE_H
#define PROC_MASTER_UPGRADE_H

#include "core/rc.h"
#include "net/timer.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct area;
struct sockets;
struct tls_tickets;

/* In the old program. */

struct upgrade {
    struct ev_loop *loop;
    char program[PATH_MAX];
    char **argv;
    pid_t pid; /* 0 while none is under way */
    ev_io readable;
    struct timer limit;
    /* The new program serves; or it does not, and has ended. */
    void (*done)(struct upgrade *u, bool ready);
};

/* To be called early: the program is looked up by argv[0], in the folder that is current now. */
void upgrade_init(struct upgrade *u, struct ev_loop *loop, char **argv,
    void (*done)(struct upgrade *u, bool ready));
/* Starts the new program, which has so many seconds to be ready. RC_NOMEM, RC_SYSTEM. */
enum rc upgrade_start(struct upgrade *u, const struct sockets *sockets,
    const struct tls_tickets *tickets, const struct area *area, double seconds) MUST_CHECK;
/* Ends a new program that is not ready yet. */
void upgrade_cancel(struct upgrade *u);

/* In the new one. */

enum { UPGRADE_NONE = -1 };

/* Takes what the old program has passed; *area is NULL where it was made by one that has it
 * otherwise. *ready is for upgrade_tell_ready, or UPGRADE_NONE where there was no old program.
 * RC_INVALID. */
enum rc upgrade_inherit(struct sockets *sockets, struct tls_tickets *tickets, struct area **area,
    int *ready) MUST_CHECK;
void upgrade_tell_ready(int ready);

#endif
