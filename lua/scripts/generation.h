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
    struct scripts *scripts; /* NULL in a generation without scripts */
    struct schedule *schedule;
    enum generation_state state;
    bool aborted; /* generation_abort was called */
};

/* What generations are made from. Everything is borrowed. */
struct generation_source {
    struct ev_loop *ev;
    const char *path; /* of a file or a folder */
    struct vm_options options;
    const char *fault; /* see vm.fault */
};

/* Loads the scripts into a vm of their own. RC_INVALID, RC_NOMEM; why then is one line. */
enum rc generation_new(
    const struct generation_source *from, struct generation **out, char why[SCRIPT_WHY]) MUST_CHECK;
/* A generation without scripts; its vm serves the answers in their place. RC_NOMEM. */
enum rc generation_bare(const struct generation_source *from, struct generation **out) MUST_CHECK;
/* Loads the scripts as generation_new does, and discards them. Visits the path of each file that
 * loading came upon, in no order, even if loading fails. */
enum rc generation_prove(const struct generation_source *from,
    void (*visit)(void *data, const char *file), void *data, char why[SCRIPT_WHY]) MUST_CHECK;
/* Every request must have ended. Spawned tasks are aborted with the reason "shutdown" and run to
 * their end, for which they need the ticks. */
void generation_stop(struct generation *g);
/* Calls generation_stop first if that was not done. */
void generation_free(struct generation *g);
/* Moves one state further. An old generation runs nothing without a request, and its scripts are
 * told. */
void generation_set_state(struct generation *g, enum generation_state state);
/* For an old generation, once: aborts every request with the reason "reload". The clients get 503,
 * or a reset with CANCEL. */
void generation_abort(struct generation *g);
/* The worker drains: the scripts are told, once, unless they have been told of a reload; modules of
 * ours in any case. */
void generation_drain(struct generation *g);
/* Whether functions of mt.on_reload are running. */
bool generation_is_telling(const struct generation *g);
/* Whether tasks end what others have left open on other servers. */
bool generation_is_parting(const struct generation *g);
/* For an old generation: moves it on towards its end. Returns whether it may be freed. */
bool generation_wind_up(struct generation *g);
/* The largest number of bytes that a request of the generation holds; see held.h. */
size_t generation_heaviest(struct generation *g);
/* Ends requests that hold so many bytes or more, until what they held is most: with 413 where the
 * request's body is still coming, 503 where not, or a reset. Gives what they held. */
size_t generation_relieve(struct generation *g, size_t least, size_t most);
/* Whether nearly all memory beyond what it began with is taken, even after a collection. */
bool generation_is_bloated(struct generation *g);

#endif
