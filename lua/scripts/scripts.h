/*
 * The scripts of a vm and the routes to them: made once from a file or a folder when the vm loads,
 * so that a request never becomes a file path.
 */
#ifndef LUA_SCRIPTS_SCRIPTS_H
#define LUA_SCRIPTS_SCRIPTS_H

#include "core/rc.h"
#include "http/router.h"

#include <stdio.h>

struct around;
struct request;
struct script_file;
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

/* Routes a request. If the status is 0, 204 or 405, match is set, with memory from the arena: its
 * target is the struct script_file of the script. */
struct script_answer scripts_route(
    const struct scripts *s, const struct request *r, struct arena *arena, struct match *match);

/* What a script has put around one of its handlers: references to functions, LUA_NOREF for none. */
struct script_wrap {
    int outer;  /* goes around it, outside of all else */
    int failed; /* is called with what a middleware has raised */
};

struct script_wrap scripts_wrap(const struct script_file *file, struct str method);
/* What is around what no script answers, by the request's path: see arounds_find. */
const struct around *scripts_around(
    const struct scripts *s, const struct request *r, struct arena *arena, struct match *match);

/* Prints the route table: a line for each route with its methods and its file, and for each file of
 * what goes around them. */
void scripts_print(const struct scripts *s, FILE *out);

#endif
