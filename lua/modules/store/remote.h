/*
 * A store on another server: what is asked of it is done in Lua, by moontrail.store.redis, whose
 * functions wait. Arguments are checked before, and results told after, as those of the engines in
 * C are.
 *
 * Its functions; but for open, which is called first, with the URL, each is for a map's name and a
 * key in it:
 *
 *     get(name, key) → value or nil
 *     set(name, key, value or nil, ttl, condition, equal) → whether it was done; condition is nil,
 *         "absent" or "equal", a ttl of 0 is none, and nil for a value removes
 *     incr(name, key, by, ttl) → the new integer; nil and "string" or "overflow"
 *     expire(name, key, ttl) → whether it was there
 *     keys(name, prefix, after, most) → keys, each as string.pack "=s2" does; where to go on, or
 * nil take(name, key, rate, burst, cost) → true, or false and the seconds to wait update(name, key,
 * fn, ttl, call) → what was stored; call is remote_l_call lock(name, key, seconds, waits) → a lock,
 * or nil where it does not wait publish(name, channel, message); subscribe(name, channel) → a
 * subscription once(name, seconds, fn, report) → a function that takes the turn, and runs fn where
 * it is there; it reports the seconds until the next
 */
#ifndef LUA_MODULES_STORE_REMOTE_H
#define LUA_MODULES_STORE_REMOTE_H

#include "lua/modules/store/door.h"

/* Pushes the function of that name. [-0, +1, may longjmp] */
void remote_push(lua_State *L, const char *name);
/* Pushes name and key of a path. [-0, +2, may longjmp] */
void remote_push_path(lua_State *L, struct str path);
/* Calls what was pushed, and returns its one result. To be called last. */
int remote_call(lua_State *L, int arguments);
/* door_run, for an operation that is remote. */
int remote_run(lua_State *L, const struct store_op *op, door_then *then);
/* call(fn, old) → true and the new value; false and why it is none. fn cannot wait. */
int remote_l_call(lua_State *L);

#endif
