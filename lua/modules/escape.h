/* mt.escape: text made safe for where it is put. */
#ifndef LUA_MODULES_ESCAPE_H
#define LUA_MODULES_ESCAPE_H

struct lua_State;

/* Pushes the table of html and url. [-0, +1], may longjmp */
void escape_push(struct lua_State *L);

#endif
