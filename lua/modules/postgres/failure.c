#include "lua/modules/postgres/failure.h"

#include "lua/runtime/error_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SQLSTATE = 5 };

/* Without the line's end. */
static void push_line(lua_State *L, const char *text)
{
    size_t n = strcspn(text, "\n");
    lua_pushlstring(L, text, n);
}

void failure_push_lost(lua_State *L, const PGconn *pg)
{
    push_line(L, PQerrorMessage(pg));
    error_value_push(L, KIND_LOST, "the connection to PostgreSQL is lost: %s", lua_tostring(L, -1));
    lua_remove(L, -2);
    error_value_set_script(L);
}

bool failure_is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void set_field(lua_State *L, const char *name, const PGresult *result, int field)
{
    const char *value = PQresultErrorField(result, field);
    if (value)
        error_value_set(L, name, value);
}

/* The line of a position, which counts characters from 1. */
static int line_at(const char *text, int position)
{
    int line = 1;
    for (int at = 1; *text && at < position; text++) {
        line += *text == '\n';
        at += (text[1] & 0xc0) != 0x80; /* the next begins a character */
    }
    return line;
}

/* Adds the line to the message. */
static void set_position(lua_State *L, int position, const char *text)
{
    lua_pushinteger(L, position);
    lua_setfield(L, -2, "position");
    if (!text)
        return;
    lua_getfield(L, -1, "message");
    lua_pushfstring(L, "%s (line %d)", lua_tostring(L, -1), line_at(text, position));
    lua_setfield(L, -3, "message");
    lua_pop(L, 1);
}

void failure_push(lua_State *L, const PGconn *pg, const PGresult *result, const char *statement)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    if (!state) {
        failure_push_lost(L, pg);
        return;
    }
    error_value_push(L, KIND_SQL, "%s", text ? text : "an error without a message");
    error_value_set_script(L);
    error_value_set(L, "code", state);
    set_field(L, "constraint", result, PG_DIAG_CONSTRAINT_NAME);
    set_field(L, "detail", result, PG_DIAG_MESSAGE_DETAIL);
    if (position)
        set_position(L, atoi(position), statement);
}

/* Opening: libpq 15 has no more than a text of several lines, one for each address. With
 * PQERRORS_VERBOSE a server's has "SEVERITY:  SQLSTATE: ". */

static const char *find_state(const char *line, size_t n)
{
    const char *found = memmem(line, n, ":  ", 3);
    for (int i = 0; found && i < SQLSTATE; i++)
        if (!isupper((unsigned char)found[3 + i]) && !isdigit((unsigned char)found[3 + i]))
            return NULL;
    return found && strncmp(found + 3 + SQLSTATE, ": ", 2) == 0 ? found + 3 : NULL;
}

/* The line of the last address that was tried. */
static const char *find_last(const char *text, const char **state)
{
    const char *last = text;
    *state = NULL;
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        const char *found = find_state(line, n);
        if (found || memmem(line, n, "failed: ", 8)) {
            last = line;
            *state = found;
        }
        line += n + (line[n] == '\n');
    }
    return last;
}

void failure_push_unopened(lua_State *L, const PGconn *pg)
{
    const char *state;
    const char *line = find_last(PQerrorMessage(pg), &state);
    if (!state) {
        push_line(L, line);
        error_value_push(
            L, KIND_UNREACHABLE, "no connection to PostgreSQL: %s", lua_tostring(L, -1));
        lua_remove(L, -2);
        error_value_set_script(L);
        return;
    }
    push_line(L, state + SQLSTATE + 2);
    error_value_push(L, KIND_SQL, "%s", lua_tostring(L, -1));
    lua_remove(L, -2);
    error_value_set_script(L);
    lua_pushlstring(L, state, SQLSTATE);
    lua_setfield(L, -2, "code");
}

int failure_raise_timeout(lua_State *L, const char *text)
{
    error_value_push(L, KIND_TIMEOUT, "%s", text);
    error_value_set_script(L);
    return lua_error(L);
}
