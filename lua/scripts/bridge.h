/*
 * The bridge: it answers with Lua. It turns each exchange into a task of the latest
 * generation, and what becomes of the task into the exchange's end. It owns the generations.
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
/* One without scripts, since they do not load for the reason given: it answers 503 until a reload
 * succeeds. RC_NOMEM. */
enum rc bridge_bare(struct ev_loop *ev, const char *path, const struct vm_options *options,
    const char *why, struct bridge **out) MUST_CHECK;
/* Loads the scripts and throws them away: a process that does so proves that they load. Visits the
 * path of each file that loading came upon, where it fails too. As bridge_new. */
enum rc bridge_prove(const char *path, const struct vm_options *options,
    void (*visit)(void *data, const char *file), void *data, char why[SCRIPT_WHY]) MUST_CHECK;
/* Every exchange must be over. Tasks that still unwind, and those that scripts started, are aborted
 * and run to their end; they still need the ticks. */
void bridge_stop(struct bridge *b);
/* Stops first, if that was not done. */
void bridge_free(struct bridge *b);
/* Answers what the scripts have a route for, and declines the rest. */
struct handler *bridge_handler(struct bridge *b);
/* Answers everything with 404: the last handler to be asked. */
struct handler *bridge_missing(struct bridge *b);
struct part *bridge_part(struct bridge *b);
void bridge_print_routes(const struct bridge *b, FILE *out);

#endif
