/* A place in a message, for error messages of the codec. */
#ifndef LUA_PROTOBUF_PLACE_H
#define LUA_PROTOBUF_PLACE_H

#include "lua/protobuf/table.h"

#include <lua.hpp>

namespace codec
{

enum { DEPTH_MAX = 100 }; /* nested messages */

/* The outermost place: a message, and the function that words its errors. */
struct place_root {
    const message &m;
    int fail; /* index of the function that turns the text into an error; 0 for none */
};

/* A value in a message. Places are on the C stack, each in the frame that handles the value. */
struct place {
    const place *up;        /* the message with the field; the outermost place has no field */
    const place_root *root; /* of the outermost place only */
    const field *of;
    lua_Integer element; /* of a list, from 1; 0 for none */
    int key;             /* of a map: its stack index; 0 for none */
    int value;           /* when encoding: its stack index */
};

/* Raises "pkg.Message.field[3].field: " and the problem, or the error that the root's function
 * makes of that text. */
[[noreturn]] void place_fail(lua_State *L, const place &at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As place_fail, for a value of a wrong type: "expected a string, got nil". */
[[noreturn]] void place_fail_type(lua_State *L, const place &at, const char *expected);

} // namespace codec

#endif
