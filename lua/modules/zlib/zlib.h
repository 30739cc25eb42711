/*
 * The module moontrail.zlib: deflate and inflate (RFC 1950 to 1952), at once or as a stream.
 *
 * deflate{format=, level=} and inflate{format=, limit=} give a stream. stream:write(data) gives the
 * output so far, often none; stream:flush(), of deflating alone, what is needed to read all that
 * was written; stream:finish([data]) the rest. stream:close(), the end of a <close> variable, and
 * the collector free it. compress(data, options) and decompress(data, options) do all at once.
 *
 * format is "gzip", the default of deflating, "zlib", "raw", or to inflate "auto", the default,
 * which takes gzip and zlib. level is 0 to 9. limit bounds what comes out of inflating in all, by
 * default at 16 MiB: one byte more is an error, and is not held. Gzip members that follow each
 * other are read as one.
 *
 * After an error a stream has failed, and holds nothing. zlib's memory is the pool's
 * (core/mem.h); userdata own it, so that any Lua error may pass.
 */
#ifndef LUA_MODULES_ZLIB_ZLIB_H
#define LUA_MODULES_ZLIB_ZLIB_H

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_zlib(struct lua_State *L);

#endif
