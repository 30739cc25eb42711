#include "lua/modules/sqlite/connection.h"

#include <stdlib.h>

/* Of the threads, for all connections; the others are for what else there is to do. */
enum { RUNNING_MAX = POOL_THREADS - 1 };

static struct {
    int running;
    struct list waiting; /* errands, by turn */
} crew = {.waiting = {&crew.waiting, &crew.waiting}};

struct connection {
    struct database *database;
    struct list queue; /* errands; the first is under way, or waits for a thread */
    bool in_memory;
    int abandoned; /* errands in the queue */
    bool is_closing;
    struct errand close;
    struct order close_order;
};

static void start(struct errand *e);

static void start_waiting(void)
{
    struct list *node;
    while (crew.running < RUNNING_MAX && (node = list_shift(&crew.waiting)))
        start(container_of(node, struct errand, turn));
}

static struct errand *first(const struct connection *c)
{
    return list_empty(&c->queue) ? NULL : container_of(c->queue.next, struct errand, link);
}

static void free_connection(struct connection *c)
{
    database_free(c->database);
    free(c);
}

/* An errand is over: its connection's next one queues, behind those of others. */
static void leave(struct errand *e)
{
    struct connection *c = e->connection;
    list_remove(&e->link);
    struct errand *next = first(c);
    if (next)
        list_append(&crew.waiting, &next->turn);
}

static void run(struct pool_work *w)
{
    struct errand *e = container_of(w, struct errand, work);
    database_carry_out(e->connection->database, e->order);
}

static void on_done(struct pool_work *w)
{
    struct errand *e = container_of(w, struct errand, work);
    struct connection *c = e->connection;
    crew.running--;
    c->abandoned -= e->is_abandoned;
    leave(e);
    if (e == &c->close)
        free_connection(c);
    else if (e->done)
        e->done(e);
    else
        errand_free(e);
    start_waiting();
}

static void start(struct errand *e)
{
    e->work.run = run;
    e->work.done = on_done;
    crew.running++;
    if (pool_submit(&e->work) == RC_OK)
        return;
    run(&e->work);
    on_done(&e->work);
}

struct errand *errand_new(struct order *o)
{
    struct errand *e = o ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        order_free(o);
        return NULL;
    }
    list_init(&e->link);
    list_init(&e->turn);
    e->order = o;
    return e;
}

void errand_free(struct errand *e)
{
    order_free(e->order);
    free(e);
}

static void note_done(struct errand *e)
{
    *(bool *)e->owner = true;
}

static void enqueue(struct connection *c, struct errand *e)
{
    bool is_first = list_empty(&c->queue);
    e->connection = c;
    list_append(&c->queue, &e->link);
    if (is_first)
        list_append(&crew.waiting, &e->turn);
    start_waiting();
}

bool connection_submit(struct connection *c, struct errand *e)
{
    bool is_done = false;
    void (*done)(struct errand *) = e->done;
    void *owner = e->owner;
    e->done = note_done;
    e->owner = &is_done;
    enqueue(c, e);
    e->done = done;
    e->owner = owner;
    return is_done;
}

void errand_abandon(struct errand *e)
{
    struct connection *c = e->connection;
    bool is_running = first(c) == e && !list_linked(&e->turn);
    e->done = NULL;
    e->is_abandoned = true;
    c->abandoned++;
    database_interrupt(c->database, e->order, is_running && e->order->kind != ORDER_OPEN);
}

struct connection *connection_new(bool in_memory)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c || !(c->database = database_new())) {
        free(c);
        return NULL;
    }
    list_init(&c->queue);
    c->in_memory = in_memory;
    c->close_order.kind = ORDER_CLOSE;
    c->close.order = &c->close_order;
    list_init(&c->close.link);
    list_init(&c->close.turn);
    return c;
}

void connection_close(struct connection *c)
{
    if (c->is_closing)
        return;
    c->is_closing = true;
    enqueue(c, &c->close);
}

bool connection_tidy(struct connection *c)
{
    const struct database *d = connection_database(c);
    if (c->is_closing || (c->abandoned && !c->in_memory))
        return false;
    if (d && !database_in_transaction(d) && !database_is_reading(d))
        return true;
    struct errand *e = errand_new(order_new(ORDER_TIDY, "", 0, 0, 0));
    if (!e)
        return false;
    enqueue(c, e);
    return true;
}

const struct database *connection_database(const struct connection *c)
{
    return list_empty(&c->queue) && !c->is_closing ? c->database : NULL;
}
