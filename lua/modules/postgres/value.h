/*
 * Values of PostgreSQL as Lua has them: integers and floats as such, booleans, bytea as a string of
 * its bytes, json decoded, arrays as arrays; everything else, numeric and times too, as its text.
 */
#ifndef LUA_MODULES_POSTGRES_VALUE_H
#define LUA_MODULES_POSTGRES_VALUE_H

#include "core/str.h"

#include <lauxlib.h>
#include <postgresql/libpq-fe.h>

/* The numbers of types that are told apart, from the server's pg_type.dat. */
enum type {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_CHAR = 18,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_OID = 26,
    TYPE_JSON = 114,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_UNKNOWN = 705,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_JSONB = 3802,
    TYPE_OF_USERS = 16384, /* this and those above it are made by users */
};

/* What the module was given: json.decode, json.null, and a function that writes tables,
 * write(table, type, element, number) → text; and one that raises an error at the script's line,
 * blame(format, ...). */
enum value_function { VALUE_DECODE, VALUE_NULL, VALUE_WRITE, VALUE_BLAME };
/* Keeps them: the table at the index has decode, null, write and blame. [-0, +0, may longjmp] */
void value_use(lua_State *L, int index);
void value_push_function(lua_State *L, enum value_function which);
/* Raises an error at the script's line. [-0, +0, may longjmp] */
int value_blame(lua_State *L, const char *text);

/* The type of an array's elements; 0 for what is no array. The table at the index knows those of
 * users, by number; it may be nil. */
Oid value_element(lua_State *L, int elements, Oid type);
/* Pushes a value from its text, whose last byte is followed by a zero byte. elements as for
 * value_element. [-0, +1, may longjmp] */
void value_push(lua_State *L, int elements, Oid type, struct str text);

#endif
