/* The parts of the module moontrail.redis.wire. */
#ifndef LUA_MODULES_REDIS_REDIS_PRIVATE_H
#define LUA_MODULES_REDIS_REDIS_PRIVATE_H

struct lua_State;

enum { REDIS_LEVELS_MAX = 64 }; /* arrays in one another */

/* Functions of the module: as the charter of redis.h has them. */
int redis_l_command(struct lua_State *L);
int redis_l_slot(struct lua_State *L);
int redis_l_reader(struct lua_State *L);

/* Makes the metatable of readers. [-0, +0, may longjmp] */
void redis_open_reader(struct lua_State *L);

#endif
