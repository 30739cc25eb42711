/*
 * The modules written in Lua (lua/moontrail/), for scripts to require. The build puts their texts
 * into the program (bundle.sh), so that it needs no files; each is compiled when it is first
 * required.
 */
#ifndef LUA_MODULES_BUNDLE_H
#define LUA_MODULES_BUNDLE_H

struct lua_State;

struct bundled {
    const char *name;  /* for require */
    const char *chunk; /* for tracebacks */
    const char *text;
};

/* All of them; the last has a NULL name. */
extern const struct bundled bundled[];

/* Lets require find them. [-0, +0, may longjmp] */
void bundle_open(struct lua_State *L);

#endif
