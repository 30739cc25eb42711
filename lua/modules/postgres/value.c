#include "lua/modules/postgres/value.h"

#include "lua/modules/postgres/array.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char keys[4];

void value_use(lua_State *L, int index)
{
    static const char *const names[] = {"decode", "null", "write", "blame"};
    for (int i = VALUE_DECODE; i <= VALUE_BLAME; i++) {
        lua_getfield(L, index, names[i]);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[i]);
    }
}

void value_push_function(lua_State *L, enum value_function which)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[which]);
}

int value_blame(lua_State *L, const char *text)
{
    value_push_function(L, VALUE_BLAME);
    lua_pushliteral(L, "%s");
    lua_pushstring(L, text);
    lua_call(L, 2, 0);
    return 0;
}

static void push_json(lua_State *L, struct str text)
{
    value_push_function(L, VALUE_DECODE);
    lua_pushlstring(L, text.p, text.n);
    lua_call(L, 1, 1);
}

/* bytea, in either of its two forms. */

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

static void push_hex(lua_State *L, struct str text)
{
    luaL_Buffer b;
    size_t n = text.n / 2;
    char *to = luaL_buffinitsize(L, &b, n);
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(digit(text.p[2 * i]) << 4 | digit(text.p[2 * i + 1]));
    luaL_pushresultsize(&b, n);
}

static void push_escaped(lua_State *L, struct str text)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < text.n; i++) {
        bool is_octal =
            text.p[i] == '\\' && i + 3 < text.n && isdigit((unsigned char)text.p[i + 1]);
        if (is_octal) {
            const char *p = text.p + i + 1;
            luaL_addchar(&b, (char)((p[0] - '0') << 6 | (p[1] - '0') << 3 | (p[2] - '0')));
            i += 3;
        } else {
            i += text.p[i] == '\\' && i + 1 < text.n;
            luaL_addchar(&b, text.p[i]);
        }
    }
    luaL_pushresult(&b);
}

static void push_bytes(lua_State *L, struct str text)
{
    if (text.n >= 2 && memcmp(text.p, "\\x", 2) == 0)
        push_hex(L, (struct str){text.p + 2, text.n - 2});
    else
        push_escaped(L, text);
}

/* Types. */

/* Arrays of the server's own types, with the elements; sorted by the array's. */
static const struct {
    Oid array, element;
} own_arrays[] = {
    {143, 142},   /* xml */
    {199, 114},   /* json */
    {651, 650},   /* cidr */
    {719, 718},   /* circle */
    {775, 774},   /* macaddr8 */
    {791, 790},   /* money */
    {1000, 16},   /* bool */
    {1001, 17},   /* bytea */
    {1002, 18},   /* "char" */
    {1003, 19},   /* name */
    {1005, 21},   /* int2 */
    {1006, 22},   /* int2vector */
    {1007, 23},   /* int4 */
    {1009, 25},   /* text */
    {1014, 1042}, /* bpchar */
    {1015, 1043}, /* varchar */
    {1016, 20},   /* int8 */
    {1017, 600},  /* point */
    {1021, 700},  /* float4 */
    {1022, 701},  /* float8 */
    {1028, 26},   /* oid */
    {1040, 829},  /* macaddr */
    {1041, 869},  /* inet */
    {1115, 1114}, /* timestamp */
    {1182, 1082}, /* date */
    {1183, 1083}, /* time */
    {1185, 1184}, /* timestamptz */
    {1187, 1186}, /* interval */
    {1231, 1700}, /* numeric */
    {1270, 1266}, /* timetz */
    {1561, 1560}, /* bit */
    {1563, 1562}, /* varbit */
    {2210, 2205}, /* regclass */
    {2951, 2950}, /* uuid */
    {3807, 3802}, /* jsonb */
    {3905, 3904}, /* int4range */
    {3907, 3906}, /* numrange */
    {3909, 3908}, /* tsrange */
    {3911, 3910}, /* tstzrange */
    {3913, 3912}, /* daterange */
    {3927, 3926}, /* int8range */
};

enum { OWN_ARRAYS = sizeof own_arrays / sizeof *own_arrays };

static Oid own_element(Oid type)
{
    size_t from = 0, to = OWN_ARRAYS;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (own_arrays[middle].array == type)
            return own_arrays[middle].element;
        if (own_arrays[middle].array < type)
            from = middle + 1;
        else
            to = middle;
    }
    return 0;
}

Oid value_element(lua_State *L, int elements, Oid type)
{
    if (type < TYPE_OF_USERS)
        return type < own_arrays[0].array ? 0 : own_element(type);
    if (!lua_istable(L, elements))
        return 0;
    lua_rawgeti(L, elements, type);
    Oid element = (Oid)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return element;
}

static void push_other(lua_State *L, int elements, Oid type, struct str text)
{
    Oid element = value_element(L, elements, type);
    if (element)
        array_push(L, elements, element, text);
    else
        lua_pushlstring(L, text.p, text.n);
}

void value_push(lua_State *L, int elements, Oid type, struct str text)
{
    switch (type) {
    case TYPE_BOOL:
        lua_pushboolean(L, text.p[0] == 't');
        break;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
        lua_pushinteger(L, strtoll(text.p, NULL, 10));
        break;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        lua_pushnumber(L, strtod(text.p, NULL));
        break;
    case TYPE_TEXT:
        lua_pushlstring(L, text.p, text.n);
        break;
    case TYPE_BYTEA:
        push_bytes(L, text);
        break;
    case TYPE_JSON:
    case TYPE_JSONB:
        push_json(L, text);
        break;
    default:
        push_other(L, elements, type, text);
    }
}
