/* The file of a script, as requests and the log know it. It lives as long as its generation. */
#ifndef LUA_RUNTIME_SCRIPT_FILE_H
#define LUA_RUNTIME_SCRIPT_FILE_H

#include <stdbool.h>

struct around;

struct script_file {
    char *path;
    const struct around *around;             /* what goes around its folder's scripts; borrowed */
    bool wrapped;                            /* something goes around its handlers */
    bool told_lost, told_empty, told_global; /* mistakes already reported for it */
};

#endif
