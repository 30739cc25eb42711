/*
 * The store, as a worker has it: an engine for maps; the engine in memory for what lives no longer
 * than the processes (locks, limits, turns, health); and the hub of messages. It is opened with the
 * first operation, or, where it is a file, at the worker's start.
 *
 * Where it is on another server (remote), only health is kept here: all else, messages too, is left
 * to Lua, which speaks to that server.
 *
 * In the master, in a proof and under --check there is none that can be used.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "core/list.h"
#include "core/rc.h"
#include "store/hub.h"
#include "store/op.h"
#include "store/url.h"

#include <stdbool.h>

struct ev_loop;
struct area;
struct store;

struct store_options {
    const char *url;
    uint32_t size;            /* MiB */
    double heartbeat_timeout; /* of workers; 0 is none */
};

/* Borrows the area, the loop and the url. RC_INVALID, RC_NOMEM, RC_SYSTEM; why is one line. */
enum rc store_new(struct ev_loop *ev, const struct store_options *o, const struct area *a,
    struct store **out, char why[STORE_WHY]) MUST_CHECK;
/* No operation is under way, and nobody subscribes. */
void store_free(struct store *s);
/* Where its operations are done: opens it. RC_SYSTEM, RC_NOMEM; why is one line. */
enum rc store_use(struct store *s, char why[STORE_WHY]) MUST_CHECK;

/* Its URL, where it is on another server; else NULL. May be called where nothing else may. */
const char *store_remote(const struct store *s);

/* For one that store_use has opened. */

/* Carries it out, where that takes no wait: true, and the result is set. */
bool store_carry_out(struct store *s, struct store_op *op);
/* For what that has left: see struct engine_ops. Not for what is remote. */
void store_start(struct store *s, struct store_op *op);
/* An owner of locks, with an id of its own. */
struct store_owner store_new_owner(struct store *s);

/* Somebody tries again and again to update the key, and loses to others. For a moment those who are
 * about to begin with it give way. */
void store_ask_way(struct store *s, struct str key);
bool store_gives_way(struct store *s, struct str key);

/* Tells whoever waits for a lock in any process. */
void store_tell_waiters(struct store *s);
/* The numbers of a limit: what it holds, and what comes back in a second. */
struct store_limit {
    double rate, burst;
};

/* The numbers of that name, which live as long as the store, and are these from now on. NULL
 * without memory. May be called where nothing else may. */
struct store_limit *store_set_limit(
    struct store *s, struct str name, const struct store_limit *numbers);

/* Waits for locks: woken by store_tell_waiters, and all at once. */
struct store_waiter {
    struct list link;
    void (*wake)(struct store_waiter *w);
};
void store_await(struct store *s, struct store_waiter *w);
void store_stop_awaiting(struct store *s, struct store_waiter *w);

void store_publish(struct store *s, struct str channel, struct str message);
/* As hub_subscribe. */
enum rc store_subscribe(
    struct store *s, struct hub_subscription *sub, struct str channel) MUST_CHECK;

#endif
