/*
 * Handles: integers that scripts may keep for ever in place of pointers. The handle of an object
 * that is gone gives NULL, since each place in the table counts how often it was used.
 */
#ifndef LUA_RUNTIME_HANDLES_H
#define LUA_RUNTIME_HANDLES_H

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handle_place;

struct handles {
    struct handle_place *places;
    size_t count, room;
    size_t free; /* the first free place, or count */
    size_t used; /* places that are neither free nor retired */
};

void handles_fini(struct handles *h);
/* RC_NOMEM. */
enum rc handles_put(struct handles *h, void *thing, int64_t *handle) MUST_CHECK;
/* NULL if it is no handle, or a dropped one. */
void *handles_get(const struct handles *h, int64_t handle);
/* Drops a handle that is in use: it gives NULL from now on. */
void handles_drop(struct handles *h, int64_t handle);
/* The handle still gives its object, which no longer counts and which handles_next skips. It must
 * be dropped later. */
void handles_retire(struct handles *h, int64_t handle);
/* The object in use at *at or after it; *at moves past it. NULL after the last. */
void *handles_next(const struct handles *h, size_t *at);

#endif
