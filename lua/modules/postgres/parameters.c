#include "lua/modules/postgres/parameters.h"

#include "core/mem.h"
#include "lua/modules/postgres/link.h"
#include "lua/modules/postgres/value.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_MAX = 65535, DIGITS = 40 };

/* The link's room: four arrays. */
struct room {
    const char **values;
    int *lengths, *formats;
    char (*digits)[DIGITS];
};

static struct room get_room(lua_State *L, struct link *k, size_t n)
{
    const size_t each = sizeof(char *) + 2 * sizeof(int) + DIGITS;
    if (n * each > k->arguments_size) {
        size_t size = (n < 8 ? 8 : n) * each;
        void *bigger = mem_resize(k->arguments, k->arguments_size, size);
        if (!bigger)
            luaL_error(L, "%s", rc_text(RC_NOMEM));
        k->arguments = bigger;
        k->arguments_size = size;
    }
    struct room r = {.values = k->arguments};
    r.lengths = (int *)(r.values + n);
    r.formats = r.lengths + n;
    r.digits = (char(*)[DIGITS])(r.formats + n);
    return r;
}

/* One of them: the value is on top of the stack. */
struct one {
    int number; /* from 1 */
    int values; /* the index of their table */
    Oid type;
    const char *value;
    int length, format;
    char *digits;
};

/* Raises, for what the script has given. */
static void refuse(lua_State *L, const struct one *o, const char *what)
{
    lua_pushfstring(L, "parameter $%d %s", o->number, what);
    value_blame(L, lua_tostring(L, -1));
}

static bool is_text(Oid type)
{
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_NAME;
}

static bool is_float(Oid type)
{
    return type == TYPE_FLOAT4 || type == TYPE_FLOAT8;
}

static const char *special(lua_Number number)
{
    if (isnan(number))
        return "NaN";
    return number > 0 ? "Infinity" : "-Infinity";
}

/* The fewest digits that read back the same. */
static void write_shortest(char digits[DIGITS], lua_Number number)
{
    int precision = 15;
    do
        snprintf(digits, DIGITS, "%.*g", precision++, number);
    while (precision <= 17 && strtod(digits, NULL) != number);
}

static void write_float(struct one *o, lua_Number number)
{
    bool is_whole = number == floor(number) && fabs(number) < 0x1p63;
    if (!isfinite(number))
        snprintf(o->digits, DIGITS, "%s", special(number));
    else if (is_whole && is_text(o->type))
        snprintf(o->digits, DIGITS, "%.1f", number);
    else if (is_whole && !is_float(o->type))
        snprintf(o->digits, DIGITS, "%.0f", number);
    else
        write_shortest(o->digits, number);
    o->value = o->digits;
}

static void write_number(lua_State *L, struct one *o)
{
    if (!lua_isinteger(L, -1)) {
        write_float(o, lua_tonumber(L, -1));
        return;
    }
    snprintf(o->digits, DIGITS, "%lld", (long long)lua_tointeger(L, -1));
    o->value = o->digits;
}

static void write_string(lua_State *L, struct one *o)
{
    size_t n;
    o->value = lua_tolstring(L, -1, &n);
    o->format = o->type == TYPE_BYTEA;
    if (n > INT_MAX)
        refuse(L, o, "is longer than any that can be sent");
    o->length = (int)n;
    if (!o->format && memchr(o->value, '\0', n))
        refuse(L, o, "has a zero byte, which only bytea can hold");
}

/* The text takes the table's place among the values, so that it is kept. */
static void write_table(lua_State *L, struct one *o)
{
    luaL_checkstack(L, 6, NULL);
    lua_getiuservalue(L, 1, LINK_ELEMENTS);
    Oid element = value_element(L, lua_gettop(L), o->type);
    lua_pop(L, 1);
    value_push_function(L, VALUE_WRITE);
    lua_pushvalue(L, -2);
    lua_pushinteger(L, o->type);
    lua_pushinteger(L, element);
    lua_pushinteger(L, o->number);
    lua_call(L, 4, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, o->values, o->number);
    lua_replace(L, -2);
    write_string(L, o);
}

static void write_one(lua_State *L, struct one *o)
{
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA: /* json.null */
        break;
    case LUA_TBOOLEAN:
        o->value = lua_toboolean(L, -1) ? "true" : "false";
        break;
    case LUA_TNUMBER:
        write_number(L, o);
        break;
    case LUA_TSTRING:
        write_string(L, o);
        break;
    case LUA_TTABLE:
        write_table(L, o);
        break;
    default:
        refuse(L, o, "is of a type that PostgreSQL has not: a function, a userdata or a thread");
    }
}

static Oid type_of(struct str types, int i)
{
    uint32_t type = 0;
    if (types.n >= (size_t)(i + 1) * sizeof type)
        memcpy(&type, types.p + (size_t)i * sizeof type, sizeof type);
    return type;
}

static int count(lua_State *L, int index)
{
    lua_getfield(L, index, "n");
    lua_Integer n = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    if (n < 0 || n > PARAMETERS_MAX)
        value_blame(L, "a statement has up to 65535 parameters");
    return (int)n;
}

struct parameters parameters_read(lua_State *L, struct link *k, int index, int types)
{
    int n = count(L, index);
    struct str told = {NULL, 0};
    if (!lua_isnil(L, types))
        told.p = luaL_checklstring(L, types, &told.n);
    struct room r = get_room(L, k, (size_t)n);
    for (int i = 0; i < n; i++) {
        struct one o = {
            .number = i + 1, .values = index, .type = type_of(told, i), .digits = r.digits[i]};
        lua_rawgeti(L, index, i + 1);
        write_one(L, &o);
        lua_pop(L, 1);
        r.values[i] = o.value;
        r.lengths[i] = o.length;
        r.formats[i] = o.format;
    }
    return (struct parameters){n, r.values, r.lengths, r.formats};
}
