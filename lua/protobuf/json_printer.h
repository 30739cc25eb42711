/* What the files that write JSON share: messages in general, values, and the messages that have a
 * JSON form of their own. */
#ifndef LUA_PROTOBUF_JSON_PRINTER_H
#define LUA_PROTOBUF_JSON_PRINTER_H

#include "lua/protobuf/fields.h"
#include "lua/protobuf/json_options.h"
#include "lua/protobuf/json_writer.h"
#include "lua/protobuf/schema.h"

namespace codec
{

struct json_printer {
    json_writer out;
    struct schema *schema;
    int constants; /* stack index */
    int depth;
    json_options options;
};

inline lua_State *json_state(const json_printer &p)
{
    return p.out.pace.L;
}

/* Each function writes the value at the place, and may longjmp. [-0, +0] */

/* A message of any kind. */
void json_print_message(json_printer &p, const place &at, const message &m);

/* The fields of a message, separated by commas; the first has none in front. */
void json_print_members(json_printer &p, const place &at, const message &m, bool first);

/* A message that has a JSON form of its own. */
void json_print_known(json_printer &p, const place &at, const message &m);
/* Whether the message has such a form. */
inline bool json_is_known(const message &m)
{
    return m.known != PLAIN && m.known != EMPTY;
}

void json_print_list(json_printer &p, place &at, const field &f);
void json_print_map(json_printer &p, place &at, const field &f);
/* A single value of the field's type. */
void json_print_value(json_printer &p, const place &at, const field &f);

/* A scalar; json_print_default writes the default of one that is not set. */
void json_print_scalar(json_printer &p, const place &at, const field &f);
void json_print_default(json_printer &p, const place &at, const field &f);
/* A scalar as the key of a map, in quotes. */
void json_print_key(json_printer &p, const place &at, const field &f);
/* Whether the value, which has been checked, is the field's default. */
bool json_is_default(json_printer &p, const place &at, const field &f);

} // namespace codec

#endif
