/*
 * Programs that this process runs: each has an owner, which is told of events, writes its input and
 * takes its output. What is written waits in a queue, and so does the output, which is read only as
 * far as there is room for it: a program waits as long as its output is not taken.
 *
 *     PROGRAM_RUNNING ──its end is seen──▶ PROGRAM_OVER
 *     PROGRAM_RUNNING, PROGRAM_OVER ──program_end──▶ PROGRAM_TOLD_TO_END ──1 s──▶ PROGRAM_KILLED
 *
 * A program that is released before all of it has ended gets SIGTERM, with its whole group, and
 * SIGKILL a second later. Until then its process is not reaped, which keeps the group's number its
 * own. PROGRAM_OVER with both outputs at their end, and PROGRAM_KILLED with the end seen, are
 * freed.
 *
 * Everything here runs from the loop, or is recorded for it. A worker has one struct programs,
 * which owns them all; it outlives every owner.
 */
#ifndef PROGRAM_PROGRAM_H
#define PROGRAM_PROGRAM_H

#include "core/bytes.h"
#include "core/list.h"
#include "core/rc.h"
#include "net/descriptor.h"
#include "net/timer.h"
#include "program/launch.h"

#include <stdbool.h>
#include <stdint.h>

struct program;

enum {
    PROGRAM_QUEUE = 65536, /* bytes in each direction */
    PROGRAM_OUTPUTS = 2,
};

enum program_output { PROGRAM_OUT, PROGRAM_ERR };

enum program_state { PROGRAM_RUNNING, PROGRAM_OVER, PROGRAM_TOLD_TO_END, PROGRAM_KILLED };

/* Called from the loop. The owner may end the program there. */
struct program_ops {
    void (*on_output)(struct program *p, enum program_output which); /* more, or its end */
    void (*on_room)(struct program *p); /* the queue of its input is empty, or it takes no more */
    void (*on_end)(struct program *p);  /* status is set */
};

struct programs {
    struct ev_loop *ev;
    struct list all; /* by program.link */
};

struct program_stream {
    int fd; /* -1 once it is closed */
    struct descriptor descriptor;
    struct bytes queue;
    uint64_t moved; /* bytes so far */
    bool lost;      /* output: memory ran out, and the rest is lost */
    bool ended;     /* input: nothing more is to be written. Output: nothing more comes */
};

struct program {
    struct list link;
    const struct program_ops *ops;
    void *owner;
    enum program_state state;
    pid_t pid;
    int pidfd;
    int group;  /* where it is noted for the process that sees this one end */
    int code;   /* its exit status, once it has ended; -1 if a signal ended it, or nobody knows */
    int signal; /* that signal; 0 for none */
    bool seen;  /* its end was seen */
    struct descriptor end;
    struct timer patience;
    struct program_stream input, outputs[PROGRAM_OUTPUTS];
};

void programs_init(struct programs *all, struct ev_loop *ev);
/* No program may have an owner any more. Waits at most a second for the end of those that were told
 * to end, and kills the others. */
void programs_fini(struct programs *all);

/* Returns 0, or an errno with step set as by launch. ENOMEM. */
int program_start(struct programs *all, const struct launch_order *order,
    const struct program_ops *ops, void *owner, struct program **out, enum launch_step *step);
/* Releases it, and ends what is left of it. May free p. */
void program_end(struct program *p);
/* Sends the signal to the whole group; no effect once all of it has ended. */
void program_signal(struct program *p, int number);

/* Whether all of it has ended: its end was seen, and no process holds its outputs. */
bool program_is_over(const struct program *p);

/* Queues as many of n bytes of its input as there is room for. RC_CLOSED if it takes no more, or
 * after program_finish; RC_NOMEM. */
enum rc program_write(struct program *p, const char *data, size_t n, size_t *taken) MUST_CHECK;
/* Ends its input after what is queued. */
void program_finish(struct program *p);
/* Whether it still takes input. */
bool program_takes(const struct program *p);
/* The next piece of an output; *n is 0 if none is queued. Borrowed until program_consume. */
const char *program_peek(const struct program *p, enum program_output which, size_t *n);
void program_consume(struct program *p, enum program_output which, size_t n);
/* Whether an output is empty, and nothing more comes. */
bool program_output_ended(const struct program *p, enum program_output which);

#endif
