/*
 * The module "moontrail.runtime.folder", for modules of ours: list(path) gives the names in a
 * folder, sorted by their bytes, without those that begin with a dot; or nil and why.
 */
#ifndef LUA_MODULES_FOLDER_FOLDER_H
#define LUA_MODULES_FOLDER_FOLDER_H

struct lua_State;

/* [-0, +1, may longjmp] */
int luaopen_moontrail_folder(struct lua_State *L);

#endif
