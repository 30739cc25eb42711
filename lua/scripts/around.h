/*
 * What goes around the scripts of a folder, and of those below it: the functions of its
 * _middleware.lua, and the one of its _error.lua. It is made once, with the scripts.
 *
 *     _middleware.lua      function(ctx, next), or a list of such
 *     _error.lua           function(ctx, status, problem)
 *
 * A script has what is around its folder; what no script answers has what is around the folder
 * that its path leads to, as routes do: a literal before a parameter, and that before a rest.
 */
#ifndef LUA_SCRIPTS_AROUND_H
#define LUA_SCRIPTS_AROUND_H

#include "core/arena.h"
#include "core/rc.h"
#include "http/router.h"
#include "lua/runtime/script_file.h"
#include "lua/scripts/scripts.h"

#include <lua.h>
#include <stddef.h>
#include <stdio.h>

struct vm;

enum { AROUND_MAX = 64 }; /* functions around one script */

/* What goes around one folder. */
struct around {
    struct script_file file; /* for the log, where no script answers: what is nearest */
    size_t count;
    int functions[AROUND_MAX]; /* the registry's references to them, outermost first, with those of
                                  the folders above */
    int page; /* the reference to the function for pages of errors, perhaps of a folder above;
                 LUA_NOREF for none */
    /* For around.c. */
    struct around *above, *next;
    char *pattern;            /* the folder's */
    char *middleware, *error; /* its own files; NULL for none */
    size_t own;               /* the last so many of its functions are of its own file */
    bool has_rest;            /* in arounds.by_path its route has a rest of ours */
};

/* All folders of a vm's scripts. Embedded by its owner. */
struct arounds {
    struct vm *vm;
    struct around *first, **end;
    struct around *inside;  /* the folder whose scripts are being loaded */
    struct router *by_path; /* NULL if nothing goes around any */
};

void arounds_init(struct arounds *all, struct vm *vm);
void arounds_fini(struct arounds *all);

/* Loads what is in a folder, whose pattern is that of an index.lua there. RC_INVALID: why says what
 * is wrong, and where; RC_NOMEM. The folder is entered in any case. */
enum rc arounds_enter(
    struct arounds *all, const char *folder, const char *pattern, char why[SCRIPT_WHY]) MUST_CHECK;
void arounds_leave(struct arounds *all);
/* To be called once all folders have been visited. Otherwise as arounds_enter. */
enum rc arounds_settle(struct arounds *all, char why[SCRIPT_WHY]) MUST_CHECK;

/* Whether it has anything. */
bool around_is_any(const struct around *a);
/* What is around the folder that a path leads to, whether or not the path is well formed: as far as
 * it can be read. NULL for nothing. Sets the parameters of match, with memory from the arena. */
const struct around *arounds_find(
    const struct arounds *all, struct str path, struct arena *arena, struct match *match);
/* Prints a line for each file. */
void arounds_print(const struct arounds *all, FILE *out);

#endif
