/*
 * The bridge: it answers with Lua. It turns each exchange into a task of the latest generation, and
 * the task's outcome into the end of the exchange. It owns the generations.
 */
#ifndef LUA_SCRIPTS_BRIDGE_H
#define LUA_SCRIPTS_BRIDGE_H

#include "core/rc.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/scripts.h"

#include <stdbool.h>
#include <stdio.h>

struct bridge;
struct ev_loop;
struct handler;
struct part;

/* Loads the scripts of a file or a folder, whose path is borrowed: they are read from there again
 * at each reload. RC_INVALID, RC_NOMEM; why then is one line. */
enum rc bridge_new(struct ev_loop *ev, const char *path, const struct vm_options *options,
    struct bridge **out, char why[SCRIPT_WHY]) MUST_CHECK;
/* A bridge without scripts, since they do not load for the given reason: it answers 503 until a
 * reload succeeds. RC_NOMEM. */
enum rc bridge_bare(struct ev_loop *ev, const char *path, const struct vm_options *options,
    const char *why, struct bridge **out) MUST_CHECK;
/* Loads the scripts and discards them: this proves that they load. Visits the path of each file
 * that loading came upon, even if it fails. Otherwise as bridge_new. */
enum rc bridge_prove(const char *path, const struct vm_options *options,
    void (*visit)(void *data, const char *file), void *data, char why[SCRIPT_WHY]) MUST_CHECK;
/* Every exchange must have ended. Tasks that still unwind, and those that scripts started, are
 * aborted and run to their end, for which they need the ticks. */
void bridge_stop(struct bridge *b);
/* Calls bridge_stop first if that was not done. */
void bridge_free(struct bridge *b);
/* Answers the requests for which the scripts have a route, and declines the others. */
struct handler *bridge_handler(struct bridge *b);
/* Answers everything with 404: the last handler to be asked. */
struct handler *bridge_missing(struct bridge *b);
struct part *bridge_part(struct bridge *b);
void bridge_print_routes(const struct bridge *b, FILE *out);
/* Prints the OpenAPI document of the services that the scripts have. False; why then is one line.
 */
bool bridge_print_openapi(const struct bridge *b, FILE *out, char why[SCRIPT_WHY]);

#endif
