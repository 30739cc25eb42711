/* Why a call of another server has failed, and the error that scripts get for that. */
#ifndef LUA_CLIENT_FAILURE_H
#define LUA_CLIENT_FAILURE_H

#include "http/call.h"

#include <lua.h>

struct http_call;

enum http_failure {
    FAILURE_NONE,
    FAILURE_UNREACHABLE,
    FAILURE_CONNECT_TIMEOUT, /* no connection in time */
    FAILURE_REFUSED,         /* by the other server, which did not process it */
    FAILURE_OVERLOAD,        /* too many calls wait for a connection */
    FAILURE_RESET,
    FAILURE_LOST,
    FAILURE_PROTOCOL,  /* the peer did not send valid HTTP */
    FAILURE_TOO_LARGE, /* the response exceeded a limit of this server */
    FAILURE_TIMEOUT,   /* a timeout of call_options passed */
    FAILURE_LATE,      /* the script's own timeout passed */
    FAILURE_UPLOAD,    /* the function that gives the body failed */
};

/* The failure of a call that ended before it was complete. */
enum http_failure http_failure_of(enum call_end end);
/* The name in res.failure; NULL for none. */
const char *http_failure_name(enum http_failure failure);
/* Pushes the error of a failed call, unless its upload has failed; name is the call's. [-0, +1, may
 * longjmp] */
void http_failure_push(lua_State *L, const struct http_call *h, const char *name);

#endif
