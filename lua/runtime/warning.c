#include "lua/runtime/warning.h"

#include "core/log.h"

#include <stdbool.h>
#include <string.h>

enum { WARNING_MAX = 2048 }; /* longer ones are cut */

/* A warning, which arrives in pieces. */
struct warning {
    size_t len;
    bool off;
    bool more; /* a piece has arrived, but not the last */
    char text[WARNING_MAX];
};

/* The registry's key of the struct, which lives until the last warning. */
static const char warning_key;

static bool take_control(struct warning *w, const char *piece)
{
    if (strcmp(piece, "@off") == 0)
        w->off = true;
    else if (strcmp(piece, "@on") == 0)
        w->off = false;
    return piece[0] == '@';
}

static void on_warning(void *data, const char *piece, int more)
{
    struct warning *w = data;
    if (!w->more && !more && take_control(w, piece))
        return;
    size_t n = strlen(piece), room = sizeof w->text - w->len;
    n = n < room ? n : room;
    memcpy(w->text + w->len, piece, n);
    w->len += n;
    w->more = more;
    if (more)
        return;
    if (!w->off)
        log_event(LOG_WARN, "lua warning", log_bytes("text", w->text, w->len));
    w->len = 0;
}

void warning_open(lua_State *L)
{
    struct warning *w = lua_newuserdatauv(L, sizeof *w, 0);
    w->len = 0;
    w->off = w->more = false;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &warning_key);
    lua_setwarnf(L, on_warning, w);
}
