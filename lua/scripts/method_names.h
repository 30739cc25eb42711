/* Methods by their names. They are case-sensitive (RFC 9110 9.1), and anybody may make up one; but
 * a script that lists "get" or "DELET" is most likely mistaken, and never called. */
#ifndef LUA_SCRIPTS_METHOD_NAMES_H
#define LUA_SCRIPTS_METHOD_NAMES_H

struct method_doubt {
    const char *reason;  /* NULL where there is no doubt */
    const char *nearest; /* what was meant; "" where it is no method */
};

struct method_doubt method_names_doubt(const char *name);

#endif
