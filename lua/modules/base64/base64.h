/*
 * The module moontrail.base64 (RFC 4648).
 *
 * encode(bytes) gives text of the standard alphabet, padded; encode(bytes, "url") of the one for
 * URLs, without padding. decode(text) takes both alphabets, padded or not, and gives nil for what
 * is none. decode_joined(text) is for texts that were encoded one by one and joined, whose padding
 * therefore stands anywhere, and that come in pieces: it gives the bytes, and the characters at the
 * end that more must follow; nil for what is none.
 */
#ifndef LUA_MODULES_BASE64_BASE64_H
#define LUA_MODULES_BASE64_BASE64_H

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_base64(struct lua_State *L);

#endif
