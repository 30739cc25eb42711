/* What goes wrong on a link, as values of errors: kind "sql" for what the server says, with its
 * SQLSTATE as code. */
#ifndef LUA_MODULES_POSTGRES_FAILURE_H
#define LUA_MODULES_POSTGRES_FAILURE_H

#include <lua.h>
#include <postgresql/libpq-fe.h>
#include <stdbool.h>

/* Pushes the error that the result is; one without SQLSTATE is libpq's own, of a lost connection.
 * statement is the text in which a position lies, or NULL. [-0, +1, may longjmp] */
void failure_push(lua_State *L, const PGconn *pg, const PGresult *result, const char *statement);
/* Whether it says that the server closes the connection, too. */
bool failure_is_fatal(const PGresult *result);
/* Pushes that the connection is lost. */
void failure_push_lost(lua_State *L, const PGconn *pg);
/* Pushes that it could not be opened, with the SQLSTATE if the server has said one. */
void failure_push_unopened(lua_State *L, const PGconn *pg);
int failure_raise_timeout(lua_State *L, const char *text);

#endif
