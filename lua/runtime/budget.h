/*
 * The budget: how long a task may run without waiting. The CPU clock of the loop's thread drives a
 * tick, which checks whether the same resume still runs; once that has taken too long, a hook is
 * set on the innermost coroutine. Until then it costs nothing.
 *
 * The hook ends the task by yielding up to it, which no pcall can catch: it is never resumed, but
 * closed. If something in between cannot yield (the callback of a C function) the hook raises, and
 * runs again at the next tick. It cannot end a C function that does not return.
 */
#ifndef LUA_RUNTIME_BUDGET_H
#define LUA_RUNTIME_BUDGET_H

#include <lua.h>
#include <stdbool.h>

struct vm;

struct budget {
    lua_State *volatile innermost; /* the coroutine that is running; NULL if Lua is not */
    volatile unsigned resumes;     /* tasks resumed so far */
    unsigned seen;                 /* resumes at the last tick */
    unsigned ticks;                /* ticks since then */
    unsigned limit;                /* ticks; 0 is none */
    volatile unsigned allowed;     /* ticks that this resume may take */
    double load_until;             /* on clock_monotonic; 0 while no script loads */
};

/* The ticks that a finished task may take for each variable it closes: few, so that an endless loop
 * there does not delay other requests for long. */
enum { BUDGET_CLOSING = 2 };

/* To be called when a task is resumed. */
static inline void budget_begin(struct budget *b)
{
    b->allowed = b->limit;
    b->resumes++;
}

/* To be called when a task closes its variables. */
static inline void budget_begin_closing(struct budget *b)
{
    b->allowed = b->limit < BUDGET_CLOSING ? b->limit : BUDGET_CLOSING;
    b->resumes++;
}

/* One tick. Safe in a signal handler. */
void budget_tick(struct budget *b);
/* Whether the running code is to be stopped. */
bool budget_is_spent(const struct budget *b);

/* There are no ticks while scripts load: a hook looks at the clock now and then, and raises after
 * the time that the vm's options allow. */
void budget_start_load(struct vm *vm);
void budget_end_load(struct vm *vm);

#endif
