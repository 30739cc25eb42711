#include "lua/protobuf/json_parse.h"

#include "lua/protobuf/int_map.h"
#include "lua/protobuf/json_parser.h"
#include "lua/protobuf/required.h"

#include <cstring>
#include <type_traits>

namespace codec
{

using google::protobuf::FieldDescriptor;

enum { STACK = 20 /* Lua stack slots that a level takes */ };

/* A Lua error skips destructors. */
static_assert(std::is_trivially_destructible<json_parser>::value);

bool json_parse_value(json_parser &p, const place &at, const field &f)
{
    if (!f.type_message)
        return json_parse_scalar(p, at, f);
    json_parse_message(p, at, *f.type_message);
    return true;
}

/* Whether null is a value of the field's type. For other fields null means that the field is
 * absent. */
static bool takes_null(const field &f)
{
    return f.null_value || (f.type_message && f.type_message->known == VALUE);
}

/* Reads a null that says so. */
static bool take_nothing(json_parser &p, const place &at, const field &f)
{
    if (json_peek(p.in) != 'n' || (takes_null(f) && f.shape == SINGLE))
        return false;
    json_literal(p.in, at, "null");
    return true;
}

/* Lists. */

void json_parse_list(json_parser &p, place &at, const field &f)
{
    lua_Integer n = 0;
    if (json_peek(p.in) != '[')
        json_fail_type(p.in, at, "a list");
    json_expect(p.in, at, '[');
    lua_newtable(p.d.L);
    if (json_take(p.in, ']'))
        return;
    do {
        at.element = n + 1;
        if (json_parse_value(p, at, f))
            lua_rawseti(p.d.L, -2, ++n);
    } while (json_more(p.in, at, ']'));
    at.element = 0;
}

/* Maps. */

/* Reads the name of a member, which a value on the top keeps alive, and the colon after it. */
static json_piece read_name(json_parser &p, const place &at)
{
    if (json_peek(p.in) != '"')
        json_expect(p.in, at, '"');
    json_piece name = json_string(p.in, at);
    json_expect(p.in, at, ':');
    return name;
}

/* Raises if the map already has the key on the top. */
static void check_key(json_parser &p, const place &at, int map, const json_piece &name)
{
    lua_pushvalue(p.d.L, -1);
    if (lua_rawget(p.d.L, map) != LUA_TNIL)
        json_fail(p.in, at, name.from, "a key is given twice");
    lua_pop(p.d.L, 1);
}

/* Pushes the key and the value of an entry. If the entry is skipped, pushes nothing and returns
 * false. */
static bool parse_entry(json_parser &p, place &at, const message &entry, int map)
{
    json_piece name = read_name(p, at);
    json_parse_key(p, at, entry.fields[0], name);
    lua_remove(p.d.L, -2);
    check_key(p, at, map, name);
    at.key = lua_gettop(p.d.L);
    bool read = json_parse_value(p, at, entry.fields[1]);
    at.key = 0;
    if (!read)
        lua_pop(p.d.L, 1);
    return read;
}

/* Reads the entries into the map on the top, which has integer keys. */
static void parse_int_entries(json_parser &p, place &at, const message &entry)
{
    int_map m = int_map_begin(p.d, true);
    do
        if (parse_entry(p, at, entry, m.table))
            int_map_set(p.d, at, m);
    while (json_more(p.in, at, '}'));
    lua_pop(p.d.L, 1);
}

static void parse_entries(json_parser &p, place &at, const message &entry)
{
    int map = lua_gettop(p.d.L);
    do
        if (parse_entry(p, at, entry, map))
            lua_rawset(p.d.L, map);
    while (json_more(p.in, at, '}'));
}

void json_parse_map(json_parser &p, place &at, const field &f)
{
    if (json_peek(p.in) != '{')
        json_fail_type(p.in, at, "an object");
    json_expect(p.in, at, '{');
    bool integers = int_map_is_for(f);
    lua_createtable(p.d.L, 0, integers ? (int)INT_MAP_SMALL : 0);
    if (json_take(p.in, '}'))
        return;
    if (integers)
        parse_int_entries(p, at, *f.type_message);
    else
        parse_entries(p, at, *f.type_message);
}

/* Messages. */

namespace
{

/* A message being read. */
struct object {
    const message &m;
    int table;      /* stack index */
    presence named; /* fields that the text names */
    presence has;   /* those of them with a value */
};

} // namespace

/* Pushes the value of a field. If it is skipped, pushes nothing and returns false. */
static bool parse_field(json_parser &p, place &at, const field &f)
{
    if (f.shape == LIST)
        json_parse_list(p, at, f);
    else if (f.shape == MAP)
        json_parse_map(p, at, f);
    else
        return json_parse_value(p, at, f);
    return true;
}

static void choose(
    json_parser &p, const place &at, object &o, const field &f, const json_piece &name)
{
    uint32_t &chosen = o.has.chosen[f.oneof - 1];
    if (chosen)
        json_fail(p.in, at, name.from, "both %s and %s of the oneof %s are set",
            o.m.fields[chosen - 1].name, f.name, f.descriptor->containing_oneof()->name().c_str());
    chosen = f.index + 1;
}

static void parse_member_of(
    json_parser &p, const place &up, object &o, const field &f, const json_piece &name)
{
    place at = {&up, nullptr, &f, 0, 0, 0};
    if (presence_has(o.named, f.index))
        json_fail(p.in, at, name.from, "given twice");
    presence_add(o.named, f.index);
    if (take_nothing(p, at, f))
        return;
    if (f.oneof)
        choose(p, up, o, f, name);
    value_push_constant(p.d, f.key);
    if (!parse_field(p, at, f)) {
        lua_pop(p.d.L, 1);
        return;
    }
    lua_rawset(p.d.L, o.table);
    presence_add(o.has, f.index);
}

static bool is_type(const json_piece &name)
{
    return json_length(name) == 5 && memcmp(name.at, "@type", 5) == 0;
}

[[noreturn]] static void fail_name(const json_parser &p, const place &at, const json_piece &name)
{
    json_shown shown = json_show(name);
    json_fail(p.in, at, name.from, "there is no field \"%.*s\"", shown.n, shown.text);
}

static void parse_member(json_parser &p, const place &at, object &o, bool skips_type)
{
    json_piece name = read_name(p, at);
    auto found = o.m.by_text.find({name.at, json_length(name)});
    if (found != o.m.by_text.end())
        parse_member_of(p, at, o, o.m.fields[found->second], name);
    else if (p.options.ignore_unknown || (skips_type && is_type(name)))
        json_skip(p.in, at, DEPTH_MAX - p.d.depth);
    else
        fail_name(p, at, name);
    lua_pop(p.d.L, 1);
}

void json_parse_members(json_parser &p, const place &at, const message &m, bool skips_type)
{
    uint64_t few_named[PRESENCE_FEW] = {0}, few[PRESENCE_FEW] = {0};
    fill_push(p.d, m);
    int table = lua_gettop(p.d.L);
    presence named = presence_push(p.d, at, m, few_named, true);
    object o = {m, table, named, presence_push(p.d, at, m, few, true)};
    if (!json_take(p.in, '}')) {
        do
            parse_member(p, at, o, skips_type);
        while (json_more(p.in, at, '}'));
    }
    fill_finish(p.d, at, m, o.has, table);
    lua_settop(p.d.L, table);
}

void json_parse_message(json_parser &p, const place &at, const message &m)
{
    if (++p.d.depth > DEPTH_MAX)
        json_fail(p.in, at, p.in.at, "more than %d levels", DEPTH_MAX);
    luaL_checkstack(p.d.L, STACK, "protobuf");
    if (m.known != PLAIN && m.known != EMPTY) {
        json_parse_known(p, at, m);
    } else {
        if (json_peek(p.in) != '{')
            json_fail_type(p.in, at, "an object");
        json_expect(p.in, at, '{');
        json_parse_members(p, at, m, false);
    }
    p.d.depth--;
}

static void expect_end(json_parser &p, const place &at)
{
    json_peek(p.in);
    if (p.in.at < p.in.end)
        json_fail(p.in, at, p.in.at, "not JSON: more text behind the value");
}

void json_parse_field_push(lua_State *L, schema *s, const message &m, const field &f, int constants,
    const char *text, size_t n, const json_options &options)
{
    const place_root root = {m, 0};
    const place up = {nullptr, &root, nullptr, 0, 0, 0};
    place at = {&up, nullptr, &f, 0, 0, 0};
    lua_pushnil(L);
    decoder d = {L, constants, lua_gettop(L), 0, pace_of(L, n)};
    json_parser p = {d, {p.d.pace, text, text, text + n}, s, options};
    if (take_nothing(p, at, f) || !parse_field(p, at, f))
        lua_pushnil(L);
    expect_end(p, at);
    if (!options.partial)
        required_check_field(p.d, at, f);
}

void json_parse_push(lua_State *L, schema *s, const message &m, int constants, const char *text,
    size_t n, const json_options &options)
{
    const place_root root = {m, 0};
    const place at = {nullptr, &root, nullptr, 0, 0, 0};
    lua_pushnil(L);
    decoder d = {L, constants, lua_gettop(L), 0, pace_of(L, n)};
    json_parser p = {d, {p.d.pace, text, text, text + n}, s, options};
    json_parse_message(p, at, m);
    expect_end(p, at);
    if (!options.partial)
        required_check(p.d, at, m);
}

} // namespace codec
