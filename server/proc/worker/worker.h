/*
 * A worker: a process with a loop, its listeners and a handler. It takes its orders from the
 * master, over a channel, and none by signal. Where the master is gone it drains and ends.
 *
 *     WORKER_STARTING ──all loaded──▶ WORKER_SERVING ──ORDER_DRAIN──▶ WORKER_DRAINING
 *     WORKER_DRAINING ──no connection left──▶ over
 *
 * ORDER_STOP, and in WORKER_DRAINING the end of the grace, lead to the end at once.
 */
#ifndef PROC_WORKER_WORKER_H
#define PROC_WORKER_WORKER_H

#include <stdbool.h>

#include <signal.h>

/* Makes a worker write to its activity what it is doing. */
enum { WORKER_ASKED = SIGUSR1 };

struct access_log;
struct area;
struct board;
struct options;
struct service;
struct sockets;
struct tls;
struct tls_tickets;

/* All borrowed, but the channel. */
struct worker_job {
    const struct service *service;
    const struct options *options;
    struct tls *tls; /* NULL if no address has TLS */
    struct tls_tickets *tickets;
    struct access_log *access_log; /* NULL if there is none */
    const struct sockets *sockets;
    const struct area *area;
    int index;     /* among the workers */
    bool may_lack; /* scripts: it serves even so */
    int channel;
    struct board *board;
    int heart;
};

/* Serves, and returns the exit status. The process has just been forked; the caller ends it. */
int worker_main(const struct worker_job *job);

#endif
