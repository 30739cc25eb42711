/*
 * The functions that answer a path, by method. A script returns them: one function, or a table. It
 * owns its references to the functions, in the registry.
 */
#ifndef LUA_SCRIPTS_METHODS_H
#define LUA_SCRIPTS_METHODS_H

#include "core/str.h"
#include "lua/scripts/scripts.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { METHODS_MAX = 32, METHODS_NAME = 24, METHODS_ALLOW = 1024 };

struct method {
    char name[METHODS_NAME]; /* "" for a function that answers every method, "*" for one that
                                answers those that the table does not name */
    int handler;
    struct script_wrap wrap;
};

/* An empty one is all zero. */
struct methods {
    size_t count;
    struct method list[METHODS_MAX]; /* sorted by name */
    char allow[METHODS_ALLOW];       /* in the form of the Allow field */
};

/* Takes the value on top of the stack. Raises for a value that is neither a function nor a table,
 * and names where it comes from; what was taken by then is kept. [-0, +0, may longjmp] */
void methods_take(lua_State *L, struct methods *m, const char *where);
void methods_fini(struct methods *m, lua_State *L);
/* The reference to the function for a method. HEAD without one has that of GET, any other method
 * without one that of "*"; LUA_NOREF for none. */
int methods_find(const struct methods *m, struct str name);
/* What goes around that function. */
struct script_wrap methods_wrap(const struct methods *m, struct str name);
/* Whether something goes around one of them, outside of all else. */
bool methods_have_outer(const struct methods *m);
/* Whether both have the same functions. [-0, +0] */
bool methods_same(const struct methods *a, const struct methods *b, lua_State *L);
/* Adds the functions of another, which keeps its own. False, and nothing is added, where both have
 * a method, but for one function, or one of them answers all. [-0, +0, may longjmp] */
bool methods_merge(lua_State *L, struct methods *m, const struct methods *other, const char *where);
/* For the route table. */
const char *methods_text(const struct methods *m);

#endif
