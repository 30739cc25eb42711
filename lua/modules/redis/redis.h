/*
 * The module moontrail.redis.wire: what moontrail.redis needs of C.
 *
 * command(name, ...) gives the bytes of a command; its arguments are strings, integers and floats,
 * which are written as Redis reads them. For what is none of these it gives nil and the argument's
 * place and type. slot(key) is the cluster's slot of a key. null stands for a null inside of an
 * array, and is the one of moontrail.json. error(kind, message [, code]) makes an error of the
 * runtime's.
 *
 * reader() makes a reader of replies. reader:next([bytes]) takes bytes that have come, and gives
 * nothing where more must follow before there is a reply; else how many bytes of what came lie
 * behind the reply, the reply, and true where that is an error of the server's. It may then be
 * called again without bytes for the reply behind. reader:expect(n) makes the n replies that follow
 * one array. It raises for what is no reply (protocol), and for one that is larger or deeper than
 * it may be (limit); the reader is of no use then.
 *
 *     nothing is allocated for what is announced and has not come
 *     the work is in proportion to the bytes, however they are cut
 *
 * All of its memory is Lua's.
 */
#ifndef LUA_MODULES_REDIS_REDIS_H
#define LUA_MODULES_REDIS_REDIS_H

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_redis_wire(struct lua_State *L);

#endif
