/*
 * A connection, as the loop uses it. Its errands are carried out in order, each by a thread of the
 * pool (core/pool.h), and never two at once. All connections together leave the pool a thread for
 * others.
 *
 *     errand_new ──connection_submit──▶ thread ──▶ done ──errand_free──▶
 *                                              └── errand_abandon: interrupted; frees itself
 */
#ifndef LUA_MODULES_SQLITE_CONNECTION_H
#define LUA_MODULES_SQLITE_CONNECTION_H

#include "core/pool.h"
#include "lua/modules/sqlite/database.h"

struct connection;

struct errand {
    struct pool_work work;
    struct list link; /* in its connection's queue */
    struct list turn; /* among those that wait for a thread */
    struct connection *connection;
    struct order *order;
    void (*done)(struct errand *e); /* in the loop; NULL where nobody waits */
    void *owner;                    /* for done */
    bool is_abandoned;
};

/* in_memory: its data lie in no file. NULL when memory ran out. */
struct connection *connection_new(bool in_memory);
/* Interrupts what is under way; then closes and frees it. Errands that are waited for have to be
 * abandoned before. */
void connection_close(struct connection *c);

/* Owns the order from then on, in any case. NULL when memory ran out. */
struct errand *errand_new(struct order *o);
void errand_free(struct errand *e);
/* Whether it was carried out at once, as where there are no threads: done is not called then. */
bool connection_submit(struct connection *c, struct errand *e);
/* Nobody waits for it any more. */
void errand_abandon(struct errand *e);

/* Ends what is open, in an errand of its own if need be. Whether the connection can be used again:
 * one with an interrupted errand still under way cannot. */
bool connection_tidy(struct connection *c);
/* What its connection knows, while nothing is under way; NULL else. */
const struct database *connection_database(const struct connection *c);

#endif
