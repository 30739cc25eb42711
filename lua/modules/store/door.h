/*
 * What the functions of moontrail.store share: maps as scripts have them, arguments, and how an
 * operation is asked for and waited for.
 */
#ifndef LUA_MODULES_STORE_DOOR_H
#define LUA_MODULES_STORE_DOOR_H

#include "store/store.h"

#include <lua.h>

struct task;

/* A map: a userdata. */
struct door_map {
    enum store_space space;
    size_t n;
    char name[STORE_NAME];
};

/* The parts of the module: each adds its methods to the table on top, and makes its metatables.
 * [-0, +0, may longjmp] */
void door_open_updates(lua_State *L);
void door_open_locks(lua_State *L);
void door_open_messages(lua_State *L);
void door_open_keys(lua_State *L);

/* The map at index 1. */
const struct door_map *door_map(lua_State *L);
/* The key at index 2, as the store has it; room is for that. */
struct str door_path(lua_State *L, const struct door_map *m, char room[STORE_PATH]);
/* A string of 1 to so many bytes; what says what it is. */
struct str door_text(lua_State *L, int index, size_t most, const char *what);
/* A value to be stored: a string or an integer. */
struct store_value door_value(lua_State *L, int index);
/* Seconds above 0, in the field of the options at the index, or 0 where there is none. */
double door_ttl(lua_State *L, int options);
double door_seconds(lua_State *L, int index);
/* Raises for options that have a name which is not among the known ones, which end with NULL. */
void door_check_options(lua_State *L, int index, const char *const *known);

/* The running task, which may wait, and the store, which is open: raises otherwise, and where the
 * request is aborted. To be called before anything is done. */
struct task *door_enter(lua_State *L, struct store **out);
/* What follows on an operation: pushes results, or goes on to another. The stack is as door_run
 * found it, perhaps with a few values more. */
typedef int door_then(lua_State *L, struct store_op *op);
/* Carries out an operation, and calls then: now, or after a wait. To be called last. */
int door_run(lua_State *L, const struct store_op *op, door_then *then);
/* Raises for what did not succeed for reasons of the store's. */
void door_check_result(lua_State *L, const struct store_op *op);
/* Pushes it, or nil. */
void door_push_value(lua_State *L, const struct store_value *v);
/* Pushes whether it was done. */
int door_push_done(lua_State *L, struct store_op *op);

#endif
