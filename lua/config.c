#include "lua/config.h"

#include "core/clock.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128, HOOK_EVERY = 10000 };

struct config {
    const char *file;
    setting_taker *take;
    void *data;
    char *why;
    size_t memory;   /* bytes that the state takes */
    double deadline; /* of clock_monotonic */
};

/* A state for a moment: its blocks go back to the system, not to the pools. */
static void *alloc(void *data, void *block, size_t old_size, size_t new_size)
{
    struct config *c = data;
    if (!block)
        old_size = 0;
    if (new_size > old_size && c->memory + new_size - old_size > CONFIG_MEMORY)
        return NULL;
    void *moved = NULL;
    if (new_size)
        moved = realloc(block, new_size);
    else
        free(block);
    if (moved || !new_size)
        c->memory += new_size - old_size;
    return moved;
}

/* What catches the error runs one instruction more. [may longjmp] */
static void on_hook(lua_State *L, lua_Debug *unused)
{
    (void)unused;
    void *c;
    lua_getallocf(L, &c);
    if (clock_monotonic() < ((struct config *)c)->deadline)
        return;
    lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
    luaL_where(L, 0);
    lua_pushfstring(L, "%sruns for more than %d seconds", lua_tostring(L, -1), CONFIG_SECONDS);
    lua_error(L);
}

static int l_exit(lua_State *L)
{
    return luaL_error(L, "os.exit would end the server");
}

/* Values. The strings that a setting borrows are kept by the table. */

/* The string at index. [may longjmp] */
static const char *text_at(lua_State *L, int index, const char *name)
{
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    if (strlen(text) != len)
        luaL_error(L, "%s holds a NUL byte", name);
    return text;
}

/* The list of strings on top of the stack; the array that holds them replaces it there. [-0, +0,
 * may longjmp] */
static void take_list(lua_State *L, struct setting *s)
{
    size_t n = lua_rawlen(L, -1), keys = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        keys++;
    if (keys != n)
        luaL_error(L, "%s is a text, or a list of texts without gaps and other keys", s->name);
    const char **texts = lua_newuserdatauv(L, (n + 1) * sizeof *texts, 0);
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, -2, (lua_Integer)i + 1) != LUA_TSTRING)
            luaL_error(L, "%s is a list of texts, and holds a %s", s->name, luaL_typename(L, -1));
        texts[i] = text_at(L, -1, s->name);
        lua_pop(L, 1);
    }
    s->kind = SETTING_TEXTS;
    s->texts = texts;
    s->count = n;
    lua_replace(L, -2);
}

/* The value on top of the stack, which stays there. [may longjmp] */
static void take_value(lua_State *L, struct setting *s)
{
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        s->kind = SETTING_TEXT;
        s->text = text_at(L, -1, s->name);
        break;
    case LUA_TTABLE:
        take_list(L, s);
        break;
    case LUA_TNUMBER:
        s->kind = SETTING_NUMBER;
        s->number = lua_tonumber(L, -1);
        break;
    case LUA_TBOOLEAN:
        s->kind = SETTING_SWITCH;
        s->on = lua_toboolean(L, -1);
        break;
    default:
        s->kind = SETTING_OTHER;
        s->type = luaL_typename(L, -1);
    }
}

/* Names. */

/* The name of the key below the top of the stack, with hyphens. [may longjmp] */
static void take_name(lua_State *L, char name[NAME_MAX_BYTES])
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "the keys are names of options, not a %s", luaL_typename(L, -2));
    snprintf(name, NAME_MAX_BYTES, "%s", text_at(L, -2, "the name of an option"));
    if (strchr(name, '-'))
        return;
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
}

/* One name may be spelled in two ways, but not in both. The key is below the top of the stack,
 * and the table below the key. [may longjmp] */
static void check_once(lua_State *L, const char *name)
{
    if (strcmp(lua_tostring(L, -2), name) == 0)
        return;
    lua_pushstring(L, name);
    if (lua_rawget(L, -4) != LUA_TNIL)
        luaL_error(L, "%s is given twice, with hyphens and with underscores", name);
    lua_pop(L, 1);
}

/* The table on top of the stack, from names of pools to URLs, as the option upstream-pool; a list
 * of texts replaces it there. [-0, +0, may longjmp] */
static void join_pools(lua_State *L)
{
    lua_Integer count = 0;
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) {
        bool is_list = lua_istable(L, -1);
        lua_Integer n = is_list ? (lua_Integer)lua_rawlen(L, -1) : 1;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "upstreams is a table from names to URLs, or to lists of them");
        for (lua_Integer i = 1; i <= n; i++) {
            if (is_list)
                lua_rawgeti(L, -1, i);
            else
                lua_pushvalue(L, -1);
            if (lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "upstreams: the URLs of %s are no texts", lua_tostring(L, -3));
            lua_pushfstring(L, "%s=%s", lua_tostring(L, -3), lua_tostring(L, -1));
            lua_rawseti(L, -5, ++count);
            lua_pop(L, 1);
        }
    }
    lua_replace(L, -2);
}

/* upstreams = { NAME = { URL, … } } is another way to write the option upstream-pool. */
static void take_pools(lua_State *L, char name[NAME_MAX_BYTES])
{
    if (strcmp(name, "upstreams") != 0 || !lua_istable(L, -1))
        return;
    snprintf(name, NAME_MAX_BYTES, "upstream-pool");
    join_pools(L);
}

static void take_settings(lua_State *L, struct config *c)
{
    char name[NAME_MAX_BYTES];
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct setting s = {.name = name};
        take_name(L, name);
        check_once(L, name);
        take_pools(L, name);
        take_value(L, &s);
        if (c->take(c->data, &s, c->why))
            luaL_error(L, "%s", c->why);
    }
}

/* The whole. */

static int l_read(lua_State *L)
{
    struct config *c = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_getglobal(L, LUA_OSLIBNAME);
    lua_pushcfunction(L, l_exit);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
    if (luaL_loadfilex(L, c->file, "t"))
        return lua_error(L);
    lua_sethook(L, on_hook, LUA_MASKCOUNT, HOOK_EVERY);
    lua_call(L, 0, 1);
    lua_sethook(L, NULL, 0, 0);
    if (!lua_istable(L, -1))
        luaL_error(L, "returns a %s, not a table of options", luaL_typename(L, -1));
    take_settings(L, c);
    return 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

/* The error value on top of the stack, as one line that names the file. */
static void describe_error(lua_State *L, const char *file, char why[SETTING_WHY])
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    char line[SETTING_WHY];
    if (text && strstr(text, file))
        snprintf(line, SETTING_WHY, "%s", text);
    else
        snprintf(line, SETTING_WHY, "%.300s: %s", file,
            text ? text : "raises an error that is no string");
    for (char *c = line; *c; c++)
        if (is_control(*c))
            *c = ' ';
    memcpy(why, line, SETTING_WHY);
}

enum rc config_read(const char *file, setting_taker *take, void *data, char why[SETTING_WHY])
{
    struct config c = {file, take, data, why, 0, clock_monotonic() + CONFIG_SECONDS};
    enum rc rc = RC_OK;
    lua_State *L = lua_newstate(alloc, &c);
    if (!L) {
        snprintf(why, SETTING_WHY, "%.300s: %s", file, rc_text(RC_NOMEM));
        return RC_NOMEM;
    }
    lua_pushcfunction(L, l_read);
    lua_pushlightuserdata(L, &c);
    if (lua_pcall(L, 1, 0, 0)) {
        describe_error(L, file, why);
        rc = RC_INVALID;
    }
    lua_close(L);
    return rc;
}
