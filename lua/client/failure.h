/* What a call of another server has failed of, and the error that scripts get for it. */
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
    FAILURE_OVERLOAD,        /* too many wait for a connection */
    FAILURE_RESET,
    FAILURE_LOST,
    FAILURE_PROTOCOL,  /* what came was no HTTP */
    FAILURE_TOO_LARGE, /* the response has passed a limit of the server's */
    FAILURE_TIMEOUT,   /* a limit of call_options has passed */
    FAILURE_LATE,      /* the script's own timeout has */
    FAILURE_UPLOAD,    /* of the function that gives its body */
};

/* What an end makes of a call that is not whole by then. */
enum http_failure http_failure_of(enum call_end end);
/* What res.failure tells; NULL for none. */
const char *http_failure_name(enum http_failure failure);
/* Pushes the error of a call that has failed, but not of its upload, and whose name is that.
 * [-0, +1, may longjmp] */
void http_failure_push(lua_State *L, const struct http_call *h, const char *name);

#endif
