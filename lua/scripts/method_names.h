/* Methods by their names. They are case-sensitive (RFC 9110 9.1), and a client may invent one; but
 * a script that lists "get" or "DELET" is most likely mistaken, and that function never called. */
#ifndef LUA_SCRIPTS_METHOD_NAMES_H
#define LUA_SCRIPTS_METHOD_NAMES_H

struct method_doubt {
    const char *reason;  /* NULL if the name is not doubtful */
    const char *nearest; /* what was meant; "" where it is no method */
};

struct method_doubt method_names_doubt(const char *name);

#endif
