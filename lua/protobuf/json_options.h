/* How JSON differs from the mapping that protocol buffers define. */
#ifndef LUA_PROTOBUF_JSON_OPTIONS_H
#define LUA_PROTOBUF_JSON_OPTIONS_H

#include <lua.hpp>

namespace codec
{

struct json_options {
    bool defaults;       /* fields at their default are written */
    bool proto_names;    /* fields are written by their names in the .proto */
    bool enum_numbers;   /* values of enums are written as numbers */
    bool ignore_unknown; /* fields and values of enums that are unknown are skipped */
};

/* Takes the table at the index, or nothing. [-0, +0], may longjmp */
json_options json_options_take(lua_State *L, int index);

} // namespace codec

#endif
