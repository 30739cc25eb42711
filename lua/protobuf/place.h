/* Where in a message the codec is, for what it says when it fails. */
#ifndef LUA_PROTOBUF_PLACE_H
#define LUA_PROTOBUF_PLACE_H

#include "lua/protobuf/table.h"

#include <lua.hpp>

namespace codec
{

enum { DEPTH_MAX = 100 }; /* levels of messages within each other */

/* The outermost place: a message, and the function that words its errors. */
struct place_root {
    const message &m;
    int fail; /* the index of the function that makes an error of its text; 0 for none */
};

/* A value in a message. Places lie on the C stack, each in the frame that goes into the value. */
struct place {
    const place *up;        /* the message that the field is of; the outermost place has no field */
    const place_root *root; /* of the outermost place alone */
    const field *of;
    lua_Integer element; /* of a list, from 1; 0 for none */
    int key;             /* of a map: where it lies on the stack; 0 for none */
    int value;           /* when encoding: where the value lies on the stack */
};

/* Raises "pkg.Message.field[3].field: " and what is wrong there; or what the root's function makes
 * of that text. */
[[noreturn]] void place_fail(lua_State *L, const place &at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As fail, for what the place tells to be the value: "expected a string, got nil". */
[[noreturn]] void place_fail_type(lua_State *L, const place &at, const char *expected);

} // namespace codec

#endif
