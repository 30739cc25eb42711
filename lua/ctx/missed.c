#include "lua/ctx/missed.h"

#include "core/distance.h"
#include "lua/ctx/ctx_private.h"
#include "lua/runtime/error_text.h"
#include "lua/runtime/vm.h"

#include <stdio.h>
#include <string.h>

/* Called by Lua with the table of names and a key that is not in it. */
static int l_missed(lua_State *L)
{
    struct vm *vm = vm_of(L);
    size_t len = 0;
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : "";
    if (len < sizeof vm->missed)
        memcpy(vm->missed, name, len + 1);
    return 0;
}

void missed_watch(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_missed);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

struct search {
    const char *name, *nearest;
    size_t least;
};

static void look_at(struct search *s, const char *known)
{
    size_t d = distance(s->name, known);
    if (d < s->least) {
        s->least = d;
        s->nearest = known;
    }
}

/* NULL if no name is near. */
static const char *nearest(const char *name)
{
    static const luaL_Reg *const lists[] = {ctx_stream_functions, ctx_request_functions,
        ctx_form_functions, ctx_cookie_functions, ctx_response_functions, ctx_proxy_functions,
        ctx_life_functions, ctx_head_functions};
    struct search s = {.name = name, .least = distance_limit(name)};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const luaL_Reg *f = lists[i]; f->name; f++)
            look_at(&s, f->name);
    for (const struct ctx_field *f = ctx_fields; f->name; f++)
        look_at(&s, f->name);
    return s.nearest;
}

/* Whether Lua's message says that the missed name caused the error. This decides only on an
 * addition to the text. */
static bool is_about(const char *text, const char *name)
{
    char method[VM_MISSED + 16], field[VM_MISSED + 16];
    snprintf(method, sizeof method, "(method '%s')", name);
    snprintf(field, sizeof field, "(field '%s')", name);
    return strstr(text, "attempt to ") && (strstr(text, method) || strstr(text, field));
}

void missed_push_text(lua_State *L, int index)
{
    const char *name = vm_of(L)->missed;
    error_text_push(L, index);
    if (!name[0] || !is_about(lua_tostring(L, -1), name))
        return;
    const char *meant = nearest(name);
    if (!meant)
        return;
    lua_pushfstring(L, ": nearest: %s", meant);
    lua_concat(L, 2);
}
