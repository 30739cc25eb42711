#include "core/list.h"
#include "core/mem.h"
#include "core/pool.h"
#include "store/engine.h"
#include "store/table.h"

#include <errno.h>
#include <unistd.h>

/*
 * The engine on disk. Reads are done at once, from memory as a rule. Changes wait for the disk, in
 * a thread: those that come while one transaction is on its way to it go together in the next.
 */

struct file {
    struct engine base;
    struct table table;
    struct pool_work work;
    struct list waiting, running; /* by store_op.link */
    bool busy;
    bool checks; /* readers, in the thread */
    atomic_bool is_in_thread;
    struct store_op sweep;
    bool sweeps;
};

static struct file *file_of(struct engine *e)
{
    return container_of(e, struct file, base);
}

static struct store_op *op_of(struct list *node)
{
    return container_of(node, struct store_op, link);
}

/* In a thread. */

static int apply_all(struct file *f, struct change *c)
{
    int error = 0;
    for (struct list *node = f->running.next; !error && node != &f->running; node = node->next)
        error = change_apply(c, op_of(node));
    return error;
}

static int write_together(struct file *f)
{
    struct change c;
    int error = change_begin(&c, &f->table);
    if (error)
        return error;
    error = apply_all(f, &c);
    if (!error)
        return change_commit(&c);
    change_drop(&c);
    return error;
}

/* Where together they fail, each gets what it has earned. */
static void write_all(struct file *f)
{
    if (write_together(f) && !f->table.grown)
        for (struct list *node = f->running.next; node != &f->running; node = node->next)
            change_whole(&f->table, op_of(node));
}

static void run(struct pool_work *w)
{
    struct file *f = container_of(w, struct file, work);
    atomic_store(&f->is_in_thread, true);
    if (f->checks)
        table_check_readers(&f->table);
    f->checks = false;
    if (!list_empty(&f->running))
        write_all(f);
    atomic_store(&f->is_in_thread, false);
}

/* In the loop. */

static void fail_all(struct list *ops)
{
    struct list *node;
    while ((node = list_shift(ops))) {
        change_fail(op_of(node), ENOMEM);
        op_of(node)->done(op_of(node));
    }
}

static void submit(struct file *f)
{
    f->busy = pool_submit(&f->work) == RC_OK;
    if (!f->busy)
        fail_all(&f->running);
}

static void go_on(struct file *f)
{
    if (f->busy || list_empty(&f->waiting))
        return;
    list_splice(&f->running, &f->waiting);
    submit(f);
}

static void on_done(struct pool_work *w)
{
    struct file *f = container_of(w, struct file, work);
    struct list over, *node;
    list_init(&over);
    f->busy = false;
    if (f->table.grown) {
        table_grow(&f->table);
        submit(f);
        return;
    }
    list_splice(&over, &f->running);
    go_on(f);
    while ((node = list_shift(&over)))
        op_of(node)->done(op_of(node));
}

/* Another process has given the file a larger size: that happens once, and a transaction of ours is
 * waited for. */
static void grow(struct file *f)
{
    while (atomic_load(&f->is_in_thread))
        usleep(1000);
    table_grow(&f->table);
}

static bool carry_out(struct engine *e, struct store_op *op)
{
    struct file *f = file_of(e);
    if (op->action != STORE_GET && op->action != STORE_KEYS)
        return false;
    table_read(&f->table, op);
    if (f->table.grown) {
        grow(f);
        table_read(&f->table, op);
    }
    return true;
}

static void start(struct engine *e, struct store_op *op)
{
    struct file *f = file_of(e);
    list_append(&f->waiting, &op->link);
    go_on(f);
}

static void on_swept(struct store_op *op)
{
    struct file *f = op->data;
    f->sweeps = false;
}

/* Where it is busy the next tick does as well. */
static void check_readers(struct file *f)
{
    if (f->busy)
        return;
    f->checks = true;
    submit(f);
}

static bool tick(struct engine *e)
{
    struct file *f = file_of(e);
    check_readers(f);
    if (!f->sweeps && table_is_due(&f->table)) {
        f->sweeps = true;
        f->sweep = (struct store_op){.action = STORE_SWEEP, .done = on_swept, .data = f};
        list_init(&f->sweep.link);
        start(e, &f->sweep);
    }
    return table_is_due(&f->table);
}

static void close_file(struct engine *e)
{
    struct file *f = file_of(e);
    table_close(&f->table);
    mem_put(f, sizeof *f);
}

static const struct engine_ops ops = {
    .carry_out = carry_out, .start = start, .tick = tick, .close = close_file};

enum rc file_open(
    const char *path, uint32_t size, struct area_page *p, struct engine **out, char why[ENGINE_WHY])
{
    struct file *f = mem_get_zeroed(sizeof *f);
    if (!f)
        return RC_NOMEM;
    f->base.ops = &ops;
    f->work = (struct pool_work){.run = run, .done = on_done};
    list_init(&f->waiting);
    list_init(&f->running);
    enum rc rc = table_open_file(&f->table, path, size, p, why);
    if (rc)
        mem_put(f, sizeof *f);
    else
        *out = &f->base;
    return rc;
}
