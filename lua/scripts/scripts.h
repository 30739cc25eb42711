/*
 * The scripts of a vm and the routes to them: made once from a file or a folder when the vm loads,
 * so that a request never becomes a file path.
 */
#ifndef LUA_SCRIPTS_SCRIPTS_H
#define LUA_SCRIPTS_SCRIPTS_H

#include "core/rc.h"
#include "http/router.h"

#include <stdio.h>

struct request;
struct scripts;
struct vm;

enum { SCRIPT_WHY = 2048 };

/* Loads a file, which then answers every path, or all scripts below a folder. RC_INVALID: why names
 * the file, the line and the problem. RC_NOMEM. */
enum rc scripts_load(
    struct vm *vm, const char *path, struct scripts **out, char why[SCRIPT_WHY]) MUST_CHECK;
void scripts_free(struct scripts *s);

/* The function that answers a request. */
struct script_answer {
    int status;        /* 0: call the handler; otherwise respond with this status */
    int handler;       /* the registry's reference to the function */
    const char *allow; /* the methods of the path, for 204 and 405 */
};

/* Routes a request. If the status is 0, match is set, with memory from the arena: its target is the
 * struct script_file of the script. */
struct script_answer scripts_route(
    const struct scripts *s, const struct request *r, struct arena *arena, struct match *match);

/* Prints the route table: a line for each route with its methods and its file. */
void scripts_print(const struct scripts *s, FILE *out);

#endif
