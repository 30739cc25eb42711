/* Deviations from the JSON mapping of protocol buffers. */
#ifndef LUA_PROTOBUF_JSON_OPTIONS_H
#define LUA_PROTOBUF_JSON_OPTIONS_H

#include <lua.hpp>

namespace codec
{

struct json_options {
    bool defaults;       /* fields at their default are written */
    bool proto_names;    /* fields are written with their names in the .proto */
    bool enum_numbers;   /* values of enums are written as numbers */
    bool ignore_unknown; /* unknown fields, and unknown values of enums, are skipped */
    bool partial;        /* required fields may be missing */
};

/* Reads the options from the table at the index, if there is one. [-0, +0], may longjmp */
json_options json_options_take(lua_State *L, int index);

} // namespace codec

#endif
