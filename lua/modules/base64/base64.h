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

#include "core/str.h"

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_base64(struct lua_State *L);

/* Pushes a table of encode and decode for one alphabet alone; padding may be there or not. decode
 * gives nil and why for what is no text of it. [-0, +1], may longjmp */
void base64_push_codec(struct lua_State *L, bool is_url);

/* Encodes in the standard alphabet without padding, into out, which has room for BASE64_TEXT(n)
 * characters; returns how many they are. */
#define BASE64_TEXT(n) (((n) + 2) / 3 * 4)
size_t base64_encode(const unsigned char *bytes, size_t n, char *out);
/* Decodes a text of either alphabet into out, which has room for BASE64_ROOM(text.n) bytes; false
 * where it is none. */
#define BASE64_ROOM(n) ((n) / 4 * 3 + 3)
bool base64_decode(struct str text, char *out, size_t *n);

#endif
