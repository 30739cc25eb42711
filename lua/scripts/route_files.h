/* A folder of scripts: which files are routes, and for which paths. Reads names only. */
#ifndef LUA_SCRIPTS_ROUTE_FILES_H
#define LUA_SCRIPTS_ROUTE_FILES_H

#include "core/rc.h"

#include <stddef.h>

/* Writes the folder for modules: path itself or, if it is a file, the folder that contains it. */
void route_files_folder(const char *path, char *out, size_t size);

struct route_visitor {
    /* The files and folders of a folder follow, and then its leave, which comes even after an
     * error. The folder's pattern is that of an index.lua in it. */
    enum rc (*enter)(void *data, const char *folder, const char *pattern);
    void (*leave)(void *data);
    enum rc (*file)(void *data, const char *file, const char *pattern);
    /* A folder below the root that cannot be read, or that contains itself by way of a link. */
    void (*left_out)(void *data, const char *path, const char *reason);
};

/*
 * Visits each .lua file below root, in the order of the names, with its file path (as root begins
 * it) and its route's pattern: "index.lua" is "/", "api/users.lua" and "api/users/index.lua" are
 * "/api/users". Names that begin with "_" or "." are left out, and so are files that are no scripts
 * and cannot be read: the folder may change while it is read. It ends at the first visit that gives
 * an error, and returns that. RC_INVALID for what cannot be read; why then says so.
 */
enum rc route_files_walk(const char *root, const struct route_visitor *visitor, void *data,
    char *why, size_t why_size) MUST_CHECK;

#endif
