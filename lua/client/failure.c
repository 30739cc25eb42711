#include "lua/client/failure.h"

#include "http/code.h"
#include "lua/client/call.h"
#include "lua/runtime/error_value.h"

#include <stdio.h>

enum http_failure http_failure_of(enum call_end end)
{
    static const enum http_failure ends[] = {
        [CALL_WHOLE] = FAILURE_NONE,
        [CALL_UNREACHABLE] = FAILURE_UNREACHABLE,
        [CALL_REFUSED] = FAILURE_REFUSED,
        [CALL_RESET] = FAILURE_RESET,
        [CALL_LOST] = FAILURE_LOST,
        [CALL_PROTOCOL] = FAILURE_PROTOCOL,
        [CALL_TOO_LARGE] = FAILURE_TOO_LARGE,
        [CALL_TIMED_OUT] = FAILURE_TIMEOUT,
        [CALL_CONNECT_TIMED_OUT] = FAILURE_CONNECT_TIMEOUT,
        [CALL_CROWDED] = FAILURE_CONNECT_TIMEOUT,
    };
    return ends[end];
}

/* Failures as scripts see them. If there was no connection in time, res.failure says that there was
 * none, and the error's kind that time ran out. */
static const struct {
    const char *name;
    enum error_kind kind;
    const char *text;
} failures[] = {
    [FAILURE_UNREACHABLE] = {"unreachable", KIND_UNREACHABLE, "no connection"},
    [FAILURE_CONNECT_TIMEOUT] = {"unreachable", KIND_TIMEOUT, "no connection"},
    [FAILURE_REFUSED] = {"refused", KIND_REFUSED, "refused"},
    [FAILURE_OVERLOAD] = {"refused", KIND_LIMIT, "refused"},
    [FAILURE_RESET] = {"reset", KIND_RESET, "reset"},
    [FAILURE_LOST] = {"lost", KIND_LOST, "connection lost"},
    [FAILURE_PROTOCOL] = {"protocol", KIND_PROTOCOL, "connection lost"},
    [FAILURE_TOO_LARGE] = {"limit", KIND_LIMIT, "connection lost"},
    [FAILURE_TIMEOUT] = {"timeout", KIND_TIMEOUT, "timed out"},
    [FAILURE_LATE] = {"timeout", KIND_TIMEOUT, "timed out"},
    [FAILURE_UPLOAD] = {"upload", KIND_UPLOAD, ""}, /* the upload's own error is kept */
};

const char *http_failure_name(enum http_failure failure)
{
    return failures[failure].name;
}

/* Pushes the part of the error's text that follows the kind of failure. */
static void push_detail(lua_State *L, const struct http_call *h)
{
    char text[32], name[CODE_NAME_SIZE];
    snprintf(text, sizeof text, "%g", h->seconds);
    if (h->failure == FAILURE_LATE)
        lua_pushfstring(L, " after %s s", text);
    else if (h->failure == FAILURE_RESET)
        lua_pushfstring(L, ": %s", code_name(h->call.reset_code, name));
    else
        lua_pushfstring(L, ": %s", h->why);
}

/* Sets the fields that the kind of the error on top has in addition. */
static void add_fields(lua_State *L, const struct http_call *h)
{
    char name[CODE_NAME_SIZE];
    if (h->failure == FAILURE_RESET)
        error_value_set(L, "code", code_name(h->call.reset_code, name));
    else if (h->failure == FAILURE_OVERLOAD)
        error_value_set(L, "limit", "upstream-max-waiting");
    else if (h->failure == FAILURE_TOO_LARGE)
        error_value_set(L, "limit", h->call.limit);
}

void http_failure_push(lua_State *L, const struct http_call *h, const char *name)
{
    push_detail(L, h);
    error_value_push_here(L, failures[h->failure].kind, "%s: %s%s", name, failures[h->failure].text,
        lua_tostring(L, -1));
    add_fields(L, h);
}
