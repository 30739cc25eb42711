/*
 * The budget: how long a task may run without waiting. The process's CPU clock drives a tick, which
 * checks whether the same resume still runs; once that has taken too long, a hook is set on the
 * innermost coroutine. Until then it costs nothing.
 *
 * The hook ends the task by yielding up to it, which no pcall can catch: it is never resumed, but
 * closed. Where something between cannot yield (the callback of a C function) the hook raises, and
 * comes again with the next tick. A C function that does not return is beyond it.
 */
#ifndef LUA_RUNTIME_BUDGET_H
#define LUA_RUNTIME_BUDGET_H

#include <lua.h>
#include <stdbool.h>

struct vm;

struct budget {
    lua_State *volatile innermost; /* runs now; NULL while Lua does not run */
    volatile unsigned resumes;     /* tasks resumed so far */
    unsigned seen;                 /* resumes at the last tick */
    unsigned ticks;                /* since then */
    unsigned limit;                /* ticks; 0 is none */
    volatile unsigned allowed;     /* ticks that this resume may take */
    double load_until;             /* on clock_monotonic; 0 while no script loads */
};

/* The ticks that a finished task may take for each thing it closes: few, so that an endless loop
 * there does not hold up others for long either. */
enum { BUDGET_CLOSING = 2 };

/* A task is resumed. */
static inline void budget_begin(struct budget *b)
{
    b->allowed = b->limit;
    b->resumes++;
}

/* What a task has left to close is closed. */
static inline void budget_begin_closing(struct budget *b)
{
    b->allowed = b->limit < BUDGET_CLOSING ? b->limit : BUDGET_CLOSING;
    b->resumes++;
}

/* One tick. Safe in a signal handler. */
void budget_tick(struct budget *b);
/* Whether what runs is to be stopped. */
bool budget_is_spent(const struct budget *b);

/* While scripts load there are no ticks: a hook looks at the clock now and then, and raises past
 * the time that the vm's options give. */
void budget_start_load(struct vm *vm);
void budget_end_load(struct vm *vm);

#endif
