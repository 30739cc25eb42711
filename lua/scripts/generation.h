/*
 * A generation: a vm, and the scripts loaded into it once. New requests go to the latest one; those
 * under way finish on the one that they began on:
 *
 *     GENERATION_CURRENT ──a newer one has loaded──▶ GENERATION_OLD
 *     GENERATION_OLD ──last request and mt.on_reload end──▶ GENERATION_CLOSING ──tasks end──▶ freed
 */
#ifndef LUA_SCRIPTS_GENERATION_H
#define LUA_SCRIPTS_GENERATION_H

#include "core/list.h"
#include "core/rc.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/scripts.h"

#include <stdbool.h>

enum generation_state {
    GENERATION_CURRENT,
    GENERATION_OLD,
    GENERATION_CLOSING, /* the tasks that its scripts spawned are aborted, as "reload" */
};

struct generation {
    struct list link;
    struct vm *vm;
    struct scripts *scripts; /* NULL in a bare one */
    struct schedule *schedule;
    enum generation_state state;
    bool aborted; /* generation_abort was called */
};

/* What generations are made from; all of it is borrowed. */
struct generation_source {
    struct ev_loop *ev;
    const char *path; /* of a file or a folder */
    struct vm_options options;
    const char *fault; /* see vm.fault */
};

/* Loads the scripts into a vm of their own. RC_INVALID, RC_NOMEM; why then is one line. */
enum rc generation_new(
    const struct generation_source *from, struct generation **out, char why[SCRIPT_WHY]) MUST_CHECK;
/* One without scripts; its vm serves what is answered in their place. RC_NOMEM. */
enum rc generation_bare(const struct generation_source *from, struct generation **out) MUST_CHECK;
/* Loads them as generation_new does, and throws the result away; visits the path of each file that
 * loading came upon, in no order, where it fails too. */
enum rc generation_prove(const struct generation_source *from,
    void (*visit)(void *data, const char *file), void *data, char why[SCRIPT_WHY]) MUST_CHECK;
/* Every request must be over. Spawned tasks are aborted with the reason "shutdown" and run to their
 * end; they still need the ticks. */
void generation_stop(struct generation *g);
/* Stops first, if that was not done. */
void generation_free(struct generation *g);
/* One step further. What is old does nothing unasked any more, and its scripts are told. */
void generation_set_state(struct generation *g, enum generation_state state);
/* Of one that is old: aborts every request with the reason "reload"; the clients get 503, or a
 * reset with CANCEL. To be done once. */
void generation_abort(struct generation *g);
/* The worker drains: its scripts are told, once. */
void generation_drain(struct generation *g);
/* Whether functions of mt.on_reload run. */
bool generation_is_telling(const struct generation *g);
/* For one that is old: moves it on towards its end. Whether it may be freed. */
bool generation_wind_up(struct generation *g);
/* The most bytes that a request of it holds; see held.h. */
size_t generation_heaviest(struct generation *g);
/* Ends requests that hold so many bytes or more, until what they held is most: with 413 where the
 * request's body is still coming, 503 where not, or a reset. Gives what they held. */
size_t generation_relieve(struct generation *g, size_t least, size_t most);
/* Whether it has taken nearly all memory beyond what it began with, and collecting did not help. */
bool generation_is_bloated(struct generation *g);

#endif
