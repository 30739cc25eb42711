/*
 * The crew: the workers, as the master sees them. It forks them, has their channels, watches their
 * hearts and sees them end; when to start and end one is for the master to decide.
 *
 *     CHILD_STARTING ──REPLY_READY──▶ CHILD_SERVING ──ORDER_DRAIN──▶ CHILD_DRAINING ──▶ gone
 *
 * States go forward only. A worker may be gone from any, and drain before it serves; it is
 * CHILD_LOST before it is gone where the reason is known and logged: it was stuck and is killed, or
 * could not start.
 */
#ifndef PROC_MASTER_CREW_H
#define PROC_MASTER_CREW_H

#include "core/list.h"
#include "core/rc.h"
#include "net/timer.h"
#include "proc/worker/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct board;
struct options;

enum child_state { CHILD_STARTING, CHILD_SERVING, CHILD_DRAINING, CHILD_LOST };

struct child {
    struct list link;
    struct crew *crew;
    enum child_state state;
    pid_t pid;
    int index;               /* among the workers */
    uint32_t setup;          /* the number of the setup that it serves with */
    bool served;             /* it got as far as that */
    bool bare;               /* it serves, but has no scripts: what is on disk does not load */
    bool retried;            /* it was ordered to load them, it alone */
    bool loading;            /* scripts, which may take longer than a heart may be still */
    int reloads;             /* ordered, and not replied to */
    double started, drained; /* when it was; seconds of clock_monotonic */
    double grace;            /* that it has once it drains */
    /* seconds that its heart may be still while it is not loading; 0: for ever */
    double patience;
    double load_patience; /* seconds that loading may take */
    int heart;
    uint64_t beats; /* when last seen to have changed, at beaten */
    double beaten;
    uint32_t steps; /* of its scripts, when last seen */
    bool asked;     /* what it is at, before it is killed */
    struct channel channel;
};

struct crew {
    struct ev_loop *loop;
    struct board *board;
    struct list children;
    struct timer pulse;
    bool quick;    /* with --dev: a long step of a script is reported earlier */
    double pulsed; /* when it last did */
    void (*on_reply)(struct child *c, enum message kind, const char *text);
    /* It has ended, with a status of waitpid; what is given is a last copy. */
    void (*on_gone)(const struct child *c, int status);
};

/* The callbacks have been set. RC_SYSTEM. */
enum rc crew_init(struct crew *crew, struct ev_loop *loop) MUST_CHECK;
/* Frees what there is, in a process that has been forked too; processes are not touched. */
void crew_fini(struct crew *crew);

/* What a new worker is given. */
struct berth {
    int channel;
    int heart;
};

/* Forks. Returns twice: in the worker with *out NULL and its berth; the crew there is a copy
 * without use. The caller has blocked signals. RC_LIMIT, RC_NOMEM, RC_SYSTEM. */
enum rc crew_fork(struct crew *crew, const struct options *o, int index, uint32_t setup,
    struct child **out, struct berth *berth) MUST_CHECK;
/* Sees which have ended; to be called on SIGCHLD. */
void crew_reap(struct crew *crew);

void child_set_state(struct child *c, enum child_state state);
/* A child that takes no orders is killed. */
void child_order(struct child *c, enum message kind, const void *text, size_t n);
void child_drain(struct child *c);
void child_stop(struct child *c);
void child_kill(struct child *c);
/* As child_stop, and it says what it cuts. */
void child_cut(struct child *c);
/* The requests that it has under way. */
int64_t child_requests(const struct child *c);
bool child_is_on_duty(const struct child *c);

#endif
