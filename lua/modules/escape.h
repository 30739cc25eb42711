/* mt.escape: text made safe for where it is put. */
#ifndef LUA_MODULES_ESCAPE_H
#define LUA_MODULES_ESCAPE_H

struct lua_State;

/* What stands for a character in HTML's text and quoted attributes; NULL for itself. */
const char *escape_entity(char c);
/* Pushes the table of html and url. [-0, +1], may longjmp */
void escape_push(struct lua_State *L);

#endif
