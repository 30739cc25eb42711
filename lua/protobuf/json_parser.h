/* What the files that read JSON share: messages in general, values, and the messages that have a
 * JSON form of their own. */
#ifndef LUA_PROTOBUF_JSON_PARSER_H
#define LUA_PROTOBUF_JSON_PARSER_H

#include "lua/protobuf/fill.h"
#include "lua/protobuf/json_options.h"
#include "lua/protobuf/json_reader.h"
#include "lua/protobuf/schema.h"

namespace codec
{

struct json_parser {
    decoder d;
    json_reader in;
    struct schema *schema;
    json_options options;
};

/* All push a value, and may longjmp. */

/* The table of a message of any kind. [-0, +1] */
void json_parse_message(json_parser &p, const place &at, const message &m);

/* Reads the members of an object whose opening brace has been read, and the closing one. Skips
 * "@type" if told to. [-0, +1] */
void json_parse_members(json_parser &p, const place &at, const message &m, bool skips_type);

/* The table of a message that is not PLAIN. [-0, +1] */
void json_parse_known(json_parser &p, const place &at, const message &m);

/* Lists and maps, for a field of that shape. [-0, +1] */
void json_parse_list(json_parser &p, place &at, const field &f);
void json_parse_map(json_parser &p, place &at, const field &f);

/* A scalar of the field's type. If it is an unknown name of an enum's value and those are skipped,
 * pushes nothing and returns false. [-0, +0|1] */
bool json_parse_scalar(json_parser &p, const place &at, const field &f);
/* A value of the field's type; otherwise as json_parse_scalar. */
bool json_parse_value(json_parser &p, const place &at, const field &f);

/* The key that a string contains. [-0, +1] */
void json_parse_key(json_parser &p, const place &at, const field &f, const json_piece &text);

} // namespace codec

#endif
