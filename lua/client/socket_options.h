/* The options of a socket, as a script gives them: docs/api.md. */
#ifndef LUA_CLIENT_SOCKET_OPTIONS_H
#define LUA_CLIENT_SOCKET_OPTIONS_H

#include "socket/socket.h"

#include <lua.h>

enum { SOCKET_ALPN = 256 }; /* room for the names of ALPN */

/* What they are given for. */
enum socket_options_for { OPTIONS_TO_CONNECT = 1, OPTIONS_OF_TLS = 2, OPTIONS_TO_KEEP = 4 };

struct socket_options {
    struct socket_tls tls;
    char alpn[SOCKET_ALPN];
    bool speaks_of_tls; /* one of its options is given */
    double connect_timeout, timeout, pool_idle;
    lua_Integer pool_size;
    struct str pool; /* p is NULL for none */
};

void socket_options_init(struct socket_options *o);
/* Reads the table at the index, or nil; other options than those for the purpose are unknown. The
 * strings live as long as the table is not changed. Raises for invalid options. [-0, +0, may
 * longjmp] */
void socket_options_read(
    lua_State *L, int index, enum socket_options_for purpose, struct socket_options *o);
/* Pushes a table of those options of TLS that the table at the index has. [-0, +1, may longjmp] */
void socket_options_push_tls(lua_State *L, int index);

#endif
