/* A folder of scripts: which files are routes, and of which paths. It reads names alone. */
#ifndef LUA_SCRIPTS_ROUTE_FILES_H
#define LUA_SCRIPTS_ROUTE_FILES_H

#include "core/rc.h"

#include <stddef.h>

/* Writes the folder that modules lie in: path itself, or the folder of the file at path. */
void route_files_folder(const char *path, char *out, size_t size);

/*
 * Visits each .lua file below root, in the order of the names, with its file path (as root begins
 * it) and its route's pattern: "index.lua" is "/", "api/users.lua" and "api/users/index.lua" are
 * "/api/users". Names that begin with "_" or "." are left out. It ends at the first visit that
 * gives an error, and returns that. RC_INVALID for what cannot be read; why then says so.
 */
enum rc route_files_walk(const char *root,
    enum rc (*visit)(void *data, const char *file, const char *pattern), void *data, char *why,
    size_t why_size) MUST_CHECK;

#endif
