/*
 * Gates: so many tasks of a vm at a time. The module "moontrail.runtime.gate", for modules of ours:
 *
 *     local gate = gates.new(10)
 *     local place <close> = gate:take(30)     nil after 30 seconds
 *
 *     gates.now()                             seconds of a clock that nobody sets
 *     gates.task()                            what tells the running task from all others that live
 *     gates.is_loading()                      whether a script loads, so that nothing can wait
 *
 * Tasks get their places in the order in which they asked. A place is given back once: by
 * place:close(), as a <close> does, or when it is collected.
 */
#ifndef LUA_RUNTIME_GATE_H
#define LUA_RUNTIME_GATE_H

#include <lua.h>

/* [-0, +1, may longjmp] */
int luaopen_moontrail_gate(lua_State *L);

#endif
