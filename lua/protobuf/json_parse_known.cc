#include "lua/protobuf/encode.h"
#include "lua/protobuf/json_parser.h"
#include "lua/protobuf/time_text.h"

#include <cstring>

namespace codec
{

enum { STEP_BYTES = 16 /* bytes of an Any, or of a text read twice, that are one thing */ };

static place place_of(const place &up, const field &f)
{
    return {&up, nullptr, &f, 0, 0, 0};
}

/* Sets the value on the top as the field of the table below it. */
static void set_field(json_parser &p, const field &f)
{
    value_push_constant(p.d, f.key);
    lua_insert(p.d.L, -2);
    lua_rawset(p.d.L, -3);
}

/* Timestamp, Duration. */

static void parse_time(json_parser &p, const place &at, const message &m)
{
    instant t;
    bool point = m.known == TIMESTAMP;
    const char *expected =
        point ? "a time such as \"2001-02-03T04:05:06.7Z\"" : "a duration such as \"1.5s\"";
    if (json_peek(p.in) != '"')
        json_fail_type(p.in, at, expected);
    json_piece text = json_string(p.in, at);
    size_t n = json_length(text);
    if (point ? !timestamp_read(text.at, n, &t) : !duration_read(text.at, n, &t))
        json_fail(p.in, at, text.from, "not %s", expected);
    lua_pop(p.d.L, 1);
    fill_push(p.d, m);
    lua_pushinteger(p.d.L, t.seconds);
    set_field(p, m.fields[0]);
    lua_pushinteger(p.d.L, t.nanos);
    set_field(p, m.fields[1]);
}

/* FieldMask: camelCase names, which are written with underscores in the table. */

/* Converts a path, and returns its length; 0 if it is invalid. */
static size_t to_snake_case(char *out, const char *at, const char *end)
{
    char *to = out;
    for (; at < end; at++) {
        bool upper = *at >= 'A' && *at <= 'Z', lower = *at >= 'a' && *at <= 'z';
        if (!upper && !lower && !(*at >= '0' && *at <= '9') && *at != '.')
            return 0;
        if (upper)
            *to++ = '_';
        *to++ = upper ? (char)(*at | 0x20) : *at;
    }
    return (size_t)(to - out);
}

/* Pushes a list of the paths in the text. */
static void push_paths(json_parser &p, const place &at, const json_piece &text)
{
    auto out = (char *)lua_newuserdatauv(p.d.L, 2 * json_length(text) + 1, 0);
    lua_Integer n = 0;
    lua_newtable(p.d.L);
    for (const char *path = text.at; path < text.end || (n > 0 && path == text.end);) {
        auto comma = (const char *)memchr(path, ',', (size_t)(text.end - path));
        const char *end = comma ? comma : text.end;
        size_t length = to_snake_case(out, path, end);
        if (length == 0)
            json_fail(p.in, at, text.from, "not paths in camelCase with commas between them");
        pace_step(p.d.pace);
        lua_pushlstring(p.d.L, out, length);
        lua_rawseti(p.d.L, -2, ++n);
        path = end + 1;
    }
    lua_remove(p.d.L, -2);
}

static void parse_field_mask(json_parser &p, const place &at, const message &m)
{
    if (json_peek(p.in) != '"')
        json_fail_type(p.in, at, "paths in a string");
    json_piece text = json_string(p.in, at);
    fill_push(p.d, m);
    push_paths(p, at, text);
    set_field(p, m.fields[0]);
    lua_remove(p.d.L, -2);
}

/* Struct, ListValue, Value, and the wrappers. */

/* The member of Value whose kind the token is; NULL if there is none. */
static const field *member_for(const message &m, char c)
{
    switch (c) {
    case 'n':
        return table_find_field(m, 1);
    case '"':
        return table_find_field(m, 3);
    case 't':
    case 'f':
        return table_find_field(m, 4);
    case '{':
        return table_find_field(m, 5);
    case '[':
        return table_find_field(m, 6);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? table_find_field(m, 2) : nullptr;
    }
}

static void parse_any_value(json_parser &p, const place &up, const message &m)
{
    const field *f = member_for(m, json_peek(p.in));
    if (!f)
        json_fail_type(p.in, up, "a value");
    place at = place_of(up, *f);
    fill_push(p.d, m);
    json_parse_value(p, at, *f);
    set_field(p, *f);
}

/* A message that JSON writes as the value of its only field. */
static void parse_only_field(json_parser &p, const place &up, const message &m)
{
    const field &f = m.fields[0];
    place at = place_of(up, f);
    fill_push(p.d, m);
    if (f.shape == LIST)
        json_parse_list(p, at, f);
    else if (f.shape == MAP)
        json_parse_map(p, at, f);
    else
        json_parse_value(p, m.known == WRAPPER ? up : at, f);
    set_field(p, f);
}

/* Any. */

/* Looks for the type's name in the object whose brace is open, without moving, and pushes the value
 * that keeps the name alive. False if there is none. */
static bool find_type(json_parser &p, const place &at, json_piece &type)
{
    json_reader ahead = p.in;
    bool found = false;
    lua_pushnil(p.d.L);
    if (json_take(ahead, '}'))
        return false;
    do {
        if (json_peek(ahead) != '"')
            json_expect(ahead, at, '"');
        json_piece name = json_string(ahead, at);
        json_expect(ahead, at, ':');
        bool is_type = json_length(name) == 5 && memcmp(name.at, "@type", 5) == 0;
        lua_pop(p.d.L, 1);
        if (!is_type) {
            json_skip(ahead, at, DEPTH_MAX - p.d.depth);
            continue;
        }
        if (found)
            json_fail(ahead, at, name.from, "@type: given twice");
        if (json_peek(ahead) != '"')
            json_fail_type(ahead, at, "a string");
        type = json_string(ahead, at);
        lua_replace(p.d.L, -2);
        found = true;
    } while (json_more(ahead, at, '}'));
    pace_make(p.d.pace, at, (size_t)(ahead.at - p.in.at) / STEP_BYTES);
    return found;
}

/* The message whose name follows the last slash of a URL. */
static const message &message_of(json_parser &p, const place &at, const json_piece &type)
{
    const message *m = nullptr;
    auto slash = (const char *)memrchr(type.at, '/', json_length(type));
    if (!slash || slash == type.at)
        json_fail(p.in, at, type.from, "@type: no URL of a type");
    size_t n = (size_t)(type.end - slash - 1);
    const char *name = lua_pushlstring(p.d.L, slash + 1, n);
    const char *problem = strlen(name) < n ? "no name" : schema_find_message(p.schema, name, &m);
    json_shown shown = json_show(type);
    if (problem || !m)
        json_fail(p.in, at, type.from, "@type: unknown type %.*s", shown.n, shown.text);
    lua_pop(p.d.L, 1);
    return *m;
}

/* Reads the members of an Any whose message has a JSON form of its own: that is in "value". */
static void parse_inner_value(json_parser &p, const place &at, const message &m)
{
    bool found = false;
    do {
        if (json_peek(p.in) != '"')
            json_expect(p.in, at, '"');
        json_piece name = json_string(p.in, at);
        json_expect(p.in, at, ':');
        bool is_value = json_length(name) == 5 && memcmp(name.at, "value", 5) == 0;
        bool is_type = json_length(name) == 5 && memcmp(name.at, "@type", 5) == 0;
        if (is_value && found)
            json_fail(p.in, at, name.from, "value: given twice");
        if (!is_value && !is_type && !p.options.ignore_unknown)
            json_fail(p.in, at, name.from, "there is only @type and value beside each other");
        lua_pop(p.d.L, 1);
        if (is_value)
            json_parse_message(p, at, m);
        else
            json_skip(p.in, at, DEPTH_MAX - p.d.depth);
        found |= is_value;
    } while (json_more(p.in, at, '}'));
    if (!found)
        json_fail(p.in, at, p.in.at - 1, "there is no value beside @type");
}

/* Replaces the message's table on the top by the message's bytes. */
static void encode_top(json_parser &p, const place &at, const message &m)
{
    encode_push(p.d.L, m, lua_gettop(p.d.L));
    pace_make(p.d.pace, at, lua_rawlen(p.d.L, -1) / STEP_BYTES);
    for (int top = lua_gettop(p.d.L) - 1; !lua_istable(p.d.L, top); top--)
        lua_remove(p.d.L, top);
    lua_replace(p.d.L, -2);
}

static bool has_own_way(const message &m)
{
    return m.known != PLAIN && m.known != EMPTY;
}

static void parse_any(json_parser &p, const place &at, const message &m)
{
    json_piece type;
    if (json_peek(p.in) != '{')
        json_fail_type(p.in, at, "an object");
    const char *where = p.in.at;
    json_expect(p.in, at, '{');
    fill_push(p.d, m);
    int table = lua_gettop(p.d.L);
    bool typed = find_type(p, at, type);
    if (!typed && !json_take(p.in, '}'))
        json_fail(p.in, at, where, "there is no @type");
    if (typed) {
        const message &inner = message_of(p, at, type);
        if (has_own_way(inner))
            parse_inner_value(p, at, inner);
        else
            json_parse_members(p, at, inner, true);
        encode_top(p, at, inner);
        lua_pushlstring(p.d.L, type.at, json_length(type));
    } else {
        lua_pushliteral(p.d.L, "");
        lua_pushliteral(p.d.L, "");
    }
    lua_setfield(p.d.L, table, "type_url");
    lua_setfield(p.d.L, table, "value");
    lua_settop(p.d.L, table);
}

void json_parse_known(json_parser &p, const place &at, const message &m)
{
    switch (m.known) {
    case ANY:
        parse_any(p, at, m);
        break;
    case TIMESTAMP:
    case DURATION:
        parse_time(p, at, m);
        break;
    case FIELD_MASK:
        parse_field_mask(p, at, m);
        break;
    case VALUE:
        parse_any_value(p, at, m);
        break;
    default:
        parse_only_field(p, at, m);
    }
}

} // namespace codec
