#include "lua/modules/redis/redis_private.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commands, as arrays of bulk strings; and the slot of a key. */

enum {
    NUMBER_ROOM = 32,
    HEAD_ROOM = 32, /* "$18446744073709551615\r\n" */
    SLOTS = 16384,
};

/* Writes decimal digits; returns how many. */
static size_t put_decimal(char *out, uint64_t n)
{
    char digits[20];
    size_t count = 0;
    do
        digits[sizeof digits - ++count] = (char)('0' + n % 10);
    while (n /= 10);
    memcpy(out, digits + sizeof digits - count, count);
    return count;
}

/* "$5\r\n", "*2\r\n"; returns its length. */
static size_t put_head(char *out, char type, uint64_t n)
{
    out[0] = type;
    size_t at = 1 + put_decimal(out + 1, n);
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

/* The fewest digits that read back the same. */
static size_t put_float(char *out, double value)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, NUMBER_ROOM, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return (size_t)n;
}

static size_t put_integer(char *out, int64_t n)
{
    if (n >= 0)
        return put_decimal(out, (uint64_t)n);
    out[0] = '-';
    return 1 + put_decimal(out + 1, 0 - (uint64_t)n);
}

/* The number at the index as text. A float that is whole has no point: Redis wants integers in most
 * places. */
static size_t put_number(lua_State *L, int index, char *out)
{
    int whole;
    lua_Integer n = lua_tointegerx(L, index, &whole);
    return whole ? put_integer(out, n) : put_float(out, lua_tonumber(L, index));
}

static void add_bulk(luaL_Buffer *b, const char *text, size_t n)
{
    char *out = luaL_prepbuffsize(b, HEAD_ROOM + n + 2);
    size_t at = put_head(out, '$', n);
    memcpy(out + at, text, n);
    memcpy(out + at + n, "\r\n", 2);
    luaL_addsize(b, at + n + 2);
}

static void add_argument(lua_State *L, luaL_Buffer *b, int index)
{
    char number[NUMBER_ROOM];
    size_t n;
    const char *text = number;
    if (lua_type(L, index) == LUA_TNUMBER)
        n = put_number(L, index, number);
    else
        text = lua_tolstring(L, index, &n);
    add_bulk(b, text, n);
}

/* Whether the value can be an argument. Not-a-number is none for Redis either. */
static bool is_argument(lua_State *L, int index)
{
    int type = lua_type(L, index);
    return type == LUA_TSTRING || (type == LUA_TNUMBER && !isnan(lua_tonumber(L, index)));
}

/* The first index that has no argument; 0 for none. */
static int find_wrong(lua_State *L, int top)
{
    for (int i = 1; i <= top; i++)
        if (!is_argument(L, i))
            return i;
    return 0;
}

static int push_wrong(lua_State *L, int index)
{
    lua_pushnil(L);
    lua_pushinteger(L, index - 1);
    if (lua_type(L, index) == LUA_TNUMBER)
        lua_pushliteral(L, "nan");
    else
        lua_pushstring(L, luaL_typename(L, index));
    return 3;
}

int redis_l_command(lua_State *L)
{
    int top = lua_gettop(L), wrong;
    char head[HEAD_ROOM];
    luaL_Buffer b;
    luaL_checktype(L, 1, LUA_TSTRING);
    if ((wrong = find_wrong(L, top)))
        return push_wrong(L, wrong);
    luaL_buffinit(L, &b);
    luaL_addlstring(&b, head, put_head(head, '*', (uint64_t)top));
    for (int i = 1; i <= top; i++)
        add_argument(L, &b, i);
    luaL_pushresult(&b);
    return 1;
}

/* CRC-16/XMODEM, as Redis' cluster specification has it. */
static uint16_t crc16(const char *p, size_t n)
{
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned)(unsigned char)p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

/* slot(key): of what stands in the first braces, where that is something. */
int redis_l_slot(lua_State *L)
{
    size_t n;
    const char *key = luaL_checklstring(L, 1, &n);
    const char *open = memchr(key, '{', n);
    const char *end = open ? memchr(open, '}', n - (size_t)(open - key)) : NULL;
    if (end && end > open + 1) {
        key = open + 1;
        n = (size_t)(end - key);
    }
    lua_pushinteger(L, crc16(key, n) % SLOTS);
    return 1;
}
