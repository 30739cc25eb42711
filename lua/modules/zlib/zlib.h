/*
 * The module moontrail.zlib: deflate and inflate (RFC 1950 to 1952), at once or as a stream.
 *
 * deflate{format=, level=} and inflate{format=, limit=} give a stream. stream:write(data) returns
 * the output so far, often none; stream:flush(), for deflating only, the output needed to read all
 * that was written; stream:finish([data]) the rest. stream:close(), the end of a <close> variable,
 * and the collector free the stream. compress(data, options) and decompress(data, options) do
 * everything at once.
 *
 * format is "gzip" (the default for deflating), "zlib" or "raw"; for inflating also "auto" (the
 * default), which accepts gzip and zlib. level is 0 to 9. limit bounds the whole output of
 * inflating, by default to 16 MiB: one byte more is an error, and is not stored. Gzip members that
 * follow each other are read as one.
 *
 * After an error a stream has failed, and holds no memory. zlib's memory is the pool's
 * (core/mem.h); userdata own it, so that any Lua error may pass.
 */
#ifndef LUA_MODULES_ZLIB_ZLIB_H
#define LUA_MODULES_ZLIB_ZLIB_H

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_zlib(struct lua_State *L);

#endif
