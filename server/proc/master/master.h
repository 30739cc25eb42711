/*
 * The master: it binds, reads what is to be read with its privileges, and keeps workers running; it
 * serves no request itself, and never runs a script.
 *
 * Signals become changes:
 *     HUP        the logs are opened anew, and the setup is read anew: where no file but scripts is
 *                other than it was these are loaded in place (reload.c), else new workers replace
 *                those of the old one (change.c)
 *     USR1       the logs are opened anew
 *     USR2       a new program takes over (upgrade.c)
 *     TERM, INT  all ends, within the grace; the second time at once
 *
 * What fails leaves all as it was, and is logged once.
 */
#ifndef PROC_MASTER_MASTER_H
#define PROC_MASTER_MASTER_H

#include "net/tls_tickets.h"
#include "proc/master/crew.h"
#include "proc/master/proof.h"
#include "proc/master/setup.h"
#include "proc/master/upgrade.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/*
 * What it is doing. One thing at a time: what is asked for meanwhile is done afterwards.
 *
 *     MASTER_IDLE ──▶ MASTER_PROVING_CHANGE ──▶ MASTER_CHANGING ──▶ MASTER_IDLE
 *     MASTER_IDLE ──▶ MASTER_PROVING_RELOAD, MASTER_PROVING_RETRY ──▶ MASTER_IDLE
 *
 * What fails leads back to MASTER_IDLE as well.
 */
enum master_task {
    MASTER_IDLE,
    MASTER_PROVING_CHANGE, /* do the scripts of the next setup load? */
    MASTER_CHANGING,       /* its workers start */
    MASTER_PROVING_RELOAD, /* do those of the setup in force load anew? */
    MASTER_PROVING_RETRY,  /* the same, for workers that have none */
};

/* A worker's place, which is taken again when it falls vacant. */
struct post {
    struct master *master;
    struct timer again;
    int failures; /* in short order */
};

enum { MASTER_SIGNALS = 6 };

struct master {
    const struct service *service;
    struct setup_source source;
    struct ev_loop *loop;
    struct setup now, next;
    uint32_t readings; /* of the setup so far */
    enum master_task task;
    bool change_wanted, reload_wanted; /* once the task is done */
    double doubted; /* since when reloads failed as the scripts changed once more; 0 for none */
    bool stopping;
    int status;              /* to exit with */
    int heir;                /* of upgrade_inherit */
    char fault[SERVICE_WHY]; /* why the scripts on disk do not load; "" where they do */
    struct crew crew;
    struct post posts[OPTIONS_WORKERS];
    struct proof proof;
    int proof_heart;   /* of its activity, which says what it loads; BOARD_NONE at first */
    struct timer slow; /* runs until the loading is worth a line */
    struct upgrade upgrade;
    struct tls_tickets tickets;
    struct timer rotation;
    struct timer retry;  /* runs while a worker has no scripts */
    struct timer reap;   /* runs while a child of its own hides others that have ended */
    bool told_to_reload; /* by HUP, whose end systemd waits for */
    struct timer again;  /* runs towards a second try at what a change seems to have broken */
    bool tried_again;    /* since the last change */
    struct timer hurry;  /* runs while scripts have changed since the proof of a reload began */
    double proved_in;    /* seconds that the last proof of a reload took that succeeded */
    ev_signal signals[MASTER_SIGNALS];
};

/* Serves until a signal ends it; returns the exit status. */
int master_run(const struct service *service, int argc, char **argv);

/* Begins to read the setup anew and to go over to it, or to load no more than the scripts. */
void master_change(struct master *m);
/* Opens the access log anew, here and in all workers. */
void master_reopen(struct master *m);
/* Begins to watch the scripts of a setup, where it says so: a change reloads them. */
void master_watch(struct master *m, struct setup *s);
/* Begins to load the scripts anew. */
void master_reload(struct master *m);
/* Lets everything end, as at a signal of that name; the second time at once. */
void master_stop(struct master *m, const char *signal_name);

/* For the files of the master. */

/* One step further, with what happened to a worker or to a proof, and whether that has read any
 * script. */
void change_proved(struct master *m, bool proved, bool any_read, const char *why);
void change_joined(struct master *m);
void change_failed(struct master *m, enum rc rc, const char *why);
void reload_init(struct master *m);
/* The files, a line each, that a proof came upon: they are watched from now on. Where it failed it
 * may not have come upon all, and those of before are kept. */
void reload_watch(struct setup *s, bool proved, const char *files);
void reload_proved(struct master *m, bool proved, const char *why);
/* The first workers serve, though the scripts, for what m->fault says, may not have loaded. */
void reload_begun(struct master *m);
/* A worker that replaces another serves, but has no scripts. */
void reload_lacking(struct master *m, struct child *c, const char *why);
void reload_replied(struct master *m, struct child *c, enum message kind, const char *text);
void master_set_task(struct master *m, enum master_task task);
/* Starts what was wanted meanwhile. */
void master_next_task(struct master *m);
/* stop.c: as master_stop does the first time, but systemd is not told. */
void master_begin_stop(struct master *m, const char *signal_name);

/* spawn.c: the processes. */

/* Forks a process that proves the scripts of a setup; the answer comes to the task. RC_SYSTEM. */
enum rc master_prove(struct master *m, struct setup *s) MUST_CHECK;
/* Forks a worker. RC_LIMIT, RC_NOMEM, RC_SYSTEM. */
enum rc master_start_worker(struct master *m, const struct setup *s, int index) MUST_CHECK;
/* Lets go of signals, timers, channels and the loop; other processes go on. */
void master_release(struct master *m);
/* Logs what is still alive at a process's end, and so leaked: tests look for zeros. */
void master_log_end(void);

/* posts.c: a worker with a place in the setup in force has ended. */
void posts_init(struct master *m);
void posts_vacated(struct master *m, const struct child *c);
/* Fills those that are vacant at once: what was in the way may be gone. */
void posts_retry(struct master *m);
/* Forgets vacancies and failures. */
void posts_clear(struct master *m);

/* Calls visit for the workers of a setup that start or serve. */
void master_each(
    struct master *m, uint32_t setup, void (*visit)(struct child *c, void *data), void *data);

#endif
