#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/engine.h"
#include "store/table.h"

/* The engine in memory: each operation is done where it is asked for. */

struct memory {
    struct engine base;
    struct table table;
    struct area_page *page;
    unsigned patience;
};

enum { BATCHES = 16 }; /* of what has ended, in one tick */

static struct memory *memory_of(struct engine *e)
{
    return container_of(e, struct memory, base);
}

/* What a change notes beside LMDB may be of one that is lost. */
static void recover(struct memory *m, uint32_t killed)
{
    atomic_store(&m->page->memory.next_expiry, 0);
    m->page->memory.room = 0;
    if (atomic_load(&m->page->writing.killed) != killed)
        log_event(LOG_ERROR, "worker killed", log_str("reason", "it was stopped in a write"));
}

static void begin(struct memory *m)
{
    uint32_t killed = atomic_load_explicit(&m->page->writing.killed, memory_order_relaxed);
    if (robust_lock(&m->page->writing, m->patience))
        recover(m, killed);
}

static bool carry_out(struct engine *e, struct store_op *op)
{
    struct memory *m = memory_of(e);
    if (op->action == STORE_GET || op->action == STORE_KEYS) {
        table_read(&m->table, op);
        return true;
    }
    begin(m);
    change_whole(&m->table, op);
    robust_unlock(&m->page->writing);
    return true;
}

static bool tick(struct engine *e)
{
    struct memory *m = memory_of(e);
    begin(m); /* see table_check_readers */
    table_check_readers(&m->table);
    robust_unlock(&m->page->writing);
    for (int i = 0; i < BATCHES && table_is_due(&m->table); i++) {
        struct store_op sweep = {.action = STORE_SWEEP};
        carry_out(e, &sweep);
    }
    return table_is_due(&m->table);
}

static void close_memory(struct engine *e)
{
    struct memory *m = memory_of(e);
    table_close(&m->table);
    mem_put(m, sizeof *m);
}

static const struct engine_ops ops = {.carry_out = carry_out, .tick = tick, .close = close_memory};

enum rc memory_open(const struct area *a, struct area_page *p, unsigned patience,
    struct engine **out, char why[ENGINE_WHY])
{
    struct memory *m = mem_get_zeroed(sizeof *m);
    if (!m)
        return RC_NOMEM;
    m->base.ops = &ops;
    m->page = p;
    m->patience = patience;
    begin(m);
    enum rc rc = table_open_memory(&m->table, a, p, why);
    robust_unlock(&p->writing);
    if (rc)
        mem_put(m, sizeof *m);
    else
        *out = &m->base;
    return rc;
}
