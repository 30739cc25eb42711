/* What a script says of a program that it starts. */
#ifndef LUA_PROCESS_OPTIONS_H
#define LUA_PROCESS_OPTIONS_H

#include "core/str.h"
#include "program/launch.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct process_defaults {
    uint64_t limit; /* bytes of each output */
    bool has_input; /* its input is what the option stdin says, and empty without it */
};

struct process_options {
    struct launch_order order;
    double timeout; /* seconds; 0 for none */
    uint64_t limit;
    bool has_input;
    struct str input; /* borrowed from the table of options */
};

/* Reads the arguments, a table, and the options, a table or nil, at the indices. What the order
 * points to lies in values that are pushed, and in the tables. [-0, +n, may longjmp] */
void process_options_read(lua_State *L, int argv, int options,
    const struct process_defaults *defaults, struct process_options *o);

#endif
