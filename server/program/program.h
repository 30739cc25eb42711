/*
 * Programs that this process runs: each has an owner, who is told of what happens, writes its
 * input and takes its output. What is written waits in a queue, and so does the output, which is
 * read only as far as there is room for it: a program waits as long as nobody takes what it says.
 *
 *     PROGRAM_RUNNING ──its end is seen──▶ PROGRAM_OVER
 *     PROGRAM_RUNNING, PROGRAM_OVER ──program_end──▶ PROGRAM_TOLD_TO_END ──1 s──▶ PROGRAM_KILLED
 *
 * One that is let go of before all of it is over gets SIGTERM, with its whole group, and after a
 * second SIGKILL. Until then its process is not reaped, which keeps the group's number its own.
 * PROGRAM_OVER with both outputs at their end, and PROGRAM_KILLED with the end seen, are freed.
 *
 * Nothing here is done but from the loop, or recorded. A worker has one struct programs, which owns
 * them all; it outlives every owner.
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
    void (*on_end)(struct program *p);  /* status is there */
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
    bool lost;      /* output: memory has run out, and the rest is gone */
    bool ended;     /* input: nothing more is to be written. Output: nothing more comes */
};

struct program {
    struct list link;
    const struct program_ops *ops;
    void *owner;
    enum program_state state;
    pid_t pid;
    int pidfd;
    int group;  /* where it is noted for who sees this process end */
    int code;   /* its exit status, once it is over; -1 where a signal has ended it */
    int signal; /* that; 0 for none */
    bool seen;  /* its end was */
    struct descriptor end;
    struct timer patience;
    struct program_stream input, outputs[PROGRAM_OUTPUTS];
};

void programs_init(struct programs *all, struct ev_loop *ev);
/* No program has an owner any more. Waits, for a second at the most, until those that were told to
 * end have, and kills the rest. */
void programs_fini(struct programs *all);

/* 0, or an errno, with step set as by launch. ENOMEM. */
int program_start(struct programs *all, const struct launch_order *order,
    const struct program_ops *ops, void *owner, struct program **out, enum launch_step *step);
/* Lets go of it, and ends what of it is not over. p may be freed. */
void program_end(struct program *p);
/* To the whole group; no effect once all of it is over. */
void program_signal(struct program *p, int number);

/* Whether all of it is over: its end was seen, and nobody holds its outputs. */
bool program_is_over(const struct program *p);

/* Queues as many of n bytes of its input as there is room for. RC_CLOSED where it takes no more, or
 * program_finish was called; RC_NOMEM. */
enum rc program_write(struct program *p, const char *data, size_t n, size_t *taken) MUST_CHECK;
/* Its input ends with what is queued. */
void program_finish(struct program *p);
/* Whether it still takes input. */
bool program_takes(const struct program *p);
/* The next piece of an output; *n is 0 where none is queued. Borrowed until program_consume. */
const char *program_peek(const struct program *p, enum program_output which, size_t *n);
void program_consume(struct program *p, enum program_output which, size_t n);
/* Whether nothing of an output is left, and nothing more comes. */
bool program_output_ended(const struct program *p, enum program_output which);

#endif
