#include "lua/protobuf/json_print.h"

#include "lua/protobuf/json_printer.h"

#include <cstring>
#include <type_traits>

namespace codec
{

enum { SMALL = 1024 /* bytes of the text on the C stack */ };

/* A Lua error skips destructors. */
static_assert(std::is_trivially_destructible<json_printer>::value);

void json_print_value(json_printer &p, const place &at, const field &f)
{
    if (f.type_message)
        json_print_message(p, at, *f.type_message);
    else
        json_print_scalar(p, at, f);
}

void json_print_list(json_printer &p, place &at, const field &f)
{
    lua_State *L = json_state(p);
    if (!lua_istable(L, at.value))
        place_fail_type(L, at, "a list");
    lua_Integer n = fields_count_elements(p.out.pace, at);
    int list = at.value;
    json_put_char(p.out, at, '[');
    at.value = lua_gettop(L) + 1;
    for (at.element = 1; at.element <= n; at.element++) {
        if (at.element > 1)
            json_put_char(p.out, at, ',');
        pace_step(p.out.pace);
        lua_rawgeti(L, list, at.element);
        json_print_value(p, at, f);
        lua_pop(L, 1);
    }
    at.element = 0;
    json_put_char(p.out, at, ']');
}

void json_print_map(json_printer &p, place &at, const field &f)
{
    lua_State *L = json_state(p);
    if (!lua_istable(L, at.value))
        place_fail_type(L, at, "a map");
    int map = at.value;
    bool first = true;
    at.key = lua_gettop(L) + 1;
    json_put_char(p.out, at, '{');
    for (lua_pushnil(L); lua_next(L, map); lua_pop(L, 1)) {
        if (!first)
            json_put_char(p.out, at, ',');
        first = false;
        pace_step(p.out.pace);
        at.value = at.key;
        json_print_key(p, at, f.type_message->fields[0]);
        json_put_char(p.out, at, ':');
        at.value = at.key + 1;
        json_print_value(p, at, f.type_message->fields[1]);
    }
    at.key = 0;
    json_put_char(p.out, at, '}');
}

static void put_name(json_printer &p, const place &at, const field &f, bool *first)
{
    const char *name = p.options.proto_names ? f.name : f.json_name;
    if (!*first)
        json_put_char(p.out, at, ',');
    *first = false;
    json_put_string(p.out, at, name, strlen(name));
    json_put_char(p.out, at, ':');
}

/* Whether a list or map that is one has nothing in it. */
static bool is_empty(lua_State *L, const place &at)
{
    if (!lua_istable(L, at.value))
        return false;
    lua_pushnil(L);
    bool empty = !lua_next(L, at.value);
    if (!empty)
        lua_pop(L, 2);
    return empty;
}

/* Whether a field that is there is left out. */
static bool is_left_out(json_printer &p, const place &at, const field &f)
{
    if (p.options.defaults)
        return false;
    if (f.shape != SINGLE)
        return is_empty(json_state(p), at);
    return f.implicit && json_is_default(p, at, f);
}

static void print_field(json_printer &p, const place &up, const field &f, int value, bool *first)
{
    place at = {&up, nullptr, &f, 0, 0, value};
    if (is_left_out(p, at, f))
        return;
    put_name(p, at, f, first);
    if (f.shape == LIST)
        json_print_list(p, at, f);
    else if (f.shape == MAP)
        json_print_map(p, at, f);
    else
        json_print_value(p, at, f);
}

static void print_missing(json_printer &p, const place &up, const field &f, bool *first)
{
    place at = {&up, nullptr, &f, 0, 0, 0};
    if (!f.implicit && f.shape == SINGLE)
        return;
    put_name(p, at, f, first);
    if (f.shape == SINGLE)
        json_print_default(p, at, f);
    else
        json_put(p.out, at, f.shape == LIST ? "[]" : "{}", 2);
}

/* Puts the fields by number. */
static void print_fields(
    json_printer &p, const place &at, const message &m, const fields &found, bool first)
{
    for (size_t word = 0; word < m.filled.size(); word++) {
        uint64_t missing = p.options.defaults ? m.filled[word] : 0;
        for (uint64_t left = found.set[word] | missing; left; left &= left - 1) {
            const field &f = m.fields[64 * word + (unsigned)__builtin_ctzll(left)];
            pace_step(p.out.pace);
            if (fields_has(found, f.index))
                print_field(p, at, f, found.slots[f.index], &first);
            else
                print_missing(p, at, f, &first);
        }
    }
}

void json_print_members(json_printer &p, const place &at, const message &m, bool first)
{
    fields_few few;
    int top = lua_gettop(json_state(p));
    fields found = fields_push(p.out.pace, at, m, few);
    print_fields(p, at, m, found, first);
    lua_settop(json_state(p), top);
}

void json_print_message(json_printer &p, const place &at, const message &m)
{
    if (++p.depth > DEPTH_MAX)
        place_fail(json_state(p), at, "more than %d levels", DEPTH_MAX);
    luaL_checkstack(json_state(p), LUA_MINSTACK, "protobuf");
    if (json_is_known(m)) {
        json_print_known(p, at, m);
    } else {
        json_put_char(p.out, at, '{');
        json_print_members(p, at, m, true);
        json_put_char(p.out, at, '}');
    }
    p.depth--;
}

void json_print_push(lua_State *L, schema *s, const message &m, int constants, int table,
    const json_options &options)
{
    char small[SMALL];
    const place_root root = {m, 0};
    const place at = {nullptr, &root, nullptr, 0, 0, table};
    lua_pushnil(L);
    json_writer out = {pace_of(L, 0), lua_gettop(L), small, small, small + SMALL};
    json_printer p = {out, s, constants, 0, options};
    json_print_message(p, at, m);
    lua_pushlstring(L, p.out.begin, (size_t)(p.out.at - p.out.begin));
}

} // namespace codec
