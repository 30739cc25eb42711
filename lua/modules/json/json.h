/*
 * The module moontrail.json: Lua values to JSON text and back, by yajl.
 *
 * encode(v) gives a string. nil and null become null; integers are exact; a float gets the fewest
 * of 15 to 17 digits that read back the same, and a ".0" or an exponent that keeps it a float. A
 * table with the keys 1..n, and one that is marked as an array, becomes an array; one with only
 * string keys, in Lua's order, or with none, an object. Metamethods are not called. An error tells
 * the place: "json.encode: cannot encode a function at .a.b[3]".
 *
 * decode(s) gives a value. Integers of 64 bits are exact and larger ones floats; a number that no
 * float can hold is an error, and so is half a surrogate pair. Of equal keys the last one wins.
 * Arrays are marked. null becomes json.null, which Lua takes for true: compare with ==. An error
 * tells the byte, counted from 1, at which reading stopped: "json.decode: trailing garbage at byte
 * 5".
 *
 * array(t) marks t, by default a new table, as an array and returns it: it encodes as one even when
 * it is empty. The mark is its metatable, so t may have no other.
 *
 * Both refuse more than 100 levels, and text that is not UTF-8. A document of more than 64 MiB is
 * not written.
 *
 * Memory of yajl and of the text being written is the pool's (core/mem.h); userdata own it, so that
 * any Lua error may pass.
 */
#ifndef LUA_MODULES_JSON_JSON_H
#define LUA_MODULES_JSON_JSON_H

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_json(struct lua_State *L);

/* Pushes the JSON text of the value at the index, as encode does; the module need not be loaded.
 * [-0, +1], may longjmp */
void json_push_encoded(struct lua_State *L, int index);

#endif
