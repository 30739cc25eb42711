#include "core/check.h"
#include "store/space.h"
#include "store/table.h"
#include "store/write.h"

#include <errno.h>
#include <stdlib.h>

/* Conditions and values. */

static bool may_set(const struct store_op *op, const struct found *old)
{
    switch (op->condition) {
    case STORE_ALWAYS:
        return true;
    case STORE_IF_ABSENT:
        return !old->lives;
    case STORE_IF_EQUAL:
        return old->lives && old->record.value.kind == op->equal.kind &&
               (op->equal.kind == STORE_INTEGER ? old->record.value.integer == op->equal.integer
                                                : str_eq(old->record.value.text, op->equal.text));
    case STORE_IF_VERSION:
        return (old->lives ? old->record.version : 0) == op->version;
    }
    return false;
}

static int set(struct change *c, struct store_op *op)
{
    struct found old;
    int error = write_find(c, op->key, &old);
    if (error)
        return error;
    op->result = may_set(op, &old) ? STORE_YES : STORE_NO;
    if (op->result == STORE_NO)
        return 0;
    if (op->value.kind == STORE_ABSENT) {
        if (!old.lives && op->condition != STORE_IF_VERSION)
            op->result = STORE_NO;
        return write_remove(c, op->key, &old);
    }
    uint64_t kept = op->keeps_ttl && old.lives ? old.record.expiry : 0;
    return write_put(c, op->key, &old, &op->value, op->ttl > 0 ? write_expiry(c, op->ttl) : kept);
}

static int incr(struct change *c, struct store_op *op)
{
    struct found old;
    int error = write_find(c, op->key, &old);
    if (error)
        return error;
    struct store_value value = {.kind = STORE_INTEGER};
    if (old.lives && old.record.value.kind != STORE_INTEGER) {
        op->result = STORE_NO_INTEGER;
        return 0;
    }
    int64_t before = old.lives ? old.record.value.integer : 0;
    if (__builtin_add_overflow(before, op->by, &value.integer)) {
        op->result = STORE_OVERFLOW;
        return 0;
    }
    op->found = value;
    op->result = STORE_YES;
    uint64_t expiry = old.lives ? old.record.expiry : op->ttl > 0 ? write_expiry(c, op->ttl) : 0;
    return write_put(c, op->key, &old, &value, expiry);
}

static int expire(struct change *c, struct store_op *op)
{
    struct found old;
    int error = write_find(c, op->key, &old);
    op->result = !error && old.lives ? STORE_YES : STORE_NO;
    if (error || !old.lives)
        return error;
    return write_time(c, op->key, &old, op->ttl > 0 ? write_expiry(c, op->ttl) : 0);
}

/* Holders. */

static bool read_owner(const struct found *f, struct store_owner *out)
{
    if (!f->lives || f->record.value.text.n < sizeof *out)
        return false;
    memcpy(out, f->record.value.text.p, sizeof *out);
    return true;
}

static bool is_held(struct change *c, const struct store_owner *by)
{
    return by->id && area_lives(c->table->page, by->slot, by->nonce);
}

static struct store_value value_of(const void *bytes, size_t n)
{
    return (struct store_value){.kind = STORE_STRING, .text = {bytes, n}};
}

static int lock(struct change *c, struct store_op *op)
{
    struct found old;
    struct store_owner by;
    int error = write_find(c, op->key, &old);
    if (error)
        return error;
    op->result = read_owner(&old, &by) && is_held(c, &by) ? STORE_NO : STORE_YES;
    if (op->result == STORE_NO) {
        op->seconds = (double)(old.record.expiry - write_now(c)) / 1e9;
        return 0;
    }
    struct store_value value = value_of(&op->owner, sizeof op->owner);
    return write_put(c, op->key, &old, &value, write_expiry(c, op->ttl));
}

static int unlock(struct change *c, struct store_op *op)
{
    struct found old;
    struct store_owner by;
    int error = write_find(c, op->key, &old);
    if (error)
        return error;
    op->result = read_owner(&old, &by) && by.id == op->owner.id ? STORE_YES : STORE_NO;
    return op->result == STORE_YES ? write_remove(c, op->key, &old) : 0;
}

/* Turns: one in so many seconds, by one holder of all. */

struct turn {
    struct store_owner by;
    uint64_t due;
};

/* Idle ones are kept for a while past the next turn, and then forgotten. */
static const double turn_kept = 3600;
/* A holder that dies says nothing. */
static const double turn_poll = 1;

static int put_turn(struct change *c, struct store_op *op, struct found *old, const struct turn *t)
{
    struct store_value value = value_of(t, sizeof *t);
    uint64_t expiry = t->by.id ? 0 : write_expiry(c, 2 * op->ttl + turn_kept);
    return write_put(c, op->key, old, &value, expiry);
}

static bool read_turn(const struct found *f, struct turn *out)
{
    *out = (struct turn){0};
    if (!f->lives || f->record.value.text.n != sizeof *out)
        return false;
    memcpy(out, f->record.value.text.p, sizeof *out);
    return true;
}

static double seconds_until(uint64_t then, uint64_t now)
{
    return then > now ? (double)(then - now) / 1e9 : 0;
}

static int take_turn(struct change *c, struct store_op *op)
{
    struct found old;
    struct turn t;
    int error = write_find(c, op->key, &old);
    if (error)
        return error;
    op->result = STORE_NO;
    bool known = read_turn(&old, &t);
    uint64_t now = write_now(c), next = write_expiry(c, op->ttl);
    bool held = known && is_held(c, &t.by);
    if (held || (known && t.due > now)) {
        double wait = seconds_until(t.due < next ? t.due : next, now);
        op->seconds = held && wait < turn_poll ? turn_poll : wait;
        return 0;
    }
    op->seconds = op->ttl;
    if (known) {
        op->result = STORE_YES;
        t.by = op->owner;
    }
    t.due = next;
    return put_turn(c, op, &old, &t);
}

static int end_turn(struct change *c, struct store_op *op)
{
    struct found old;
    struct turn t;
    int error = write_find(c, op->key, &old);
    op->result = STORE_NO;
    if (error || !read_turn(&old, &t) || t.by.id != op->owner.id)
        return error;
    op->result = STORE_YES;
    op->seconds = seconds_until(t.due, write_now(c));
    t.by = (struct store_owner){0};
    return put_turn(c, op, &old, &t);
}

/* Limits: how much is missing from the bucket, and when that was so. */

struct level {
    double missing;
    uint64_t at;
};

static double read_missing(struct change *c, const struct store_op *op, const struct found *f)
{
    struct level l;
    if (!f->lives || f->record.value.text.n != sizeof l)
        return 0;
    memcpy(&l, f->record.value.text.p, sizeof l);
    double now = l.missing - (double)(write_now(c) - l.at) / 1e9 * op->rate;
    return now < 0 ? 0 : now > op->burst ? op->burst : now;
}

static int take(struct change *c, struct store_op *op)
{
    /* What rounding may take or add over many steps. */
    static const double crumb = 1e-9;
    struct found old;
    int error = write_find(c, op->key, &old);
    if (error)
        return error;
    struct level l = {read_missing(c, op, &old) + op->cost, write_now(c)};
    op->result = l.missing <= op->burst * (1 + crumb) ? STORE_YES : STORE_NO;
    op->seconds = op->result == STORE_YES ? 0 : (l.missing - op->burst) / op->rate;
    if (op->result == STORE_NO)
        return 0;
    struct store_value value = value_of(&l, sizeof l);
    error = write_put(c, op->key, &old, &value, write_expiry(c, l.missing / op->rate));
    return error ? error : space_bound_limits(c);
}

int change_apply(struct change *c, struct store_op *op)
{
    switch (op->action) {
    case STORE_SET:
        return set(c, op);
    case STORE_INCR:
        return incr(c, op);
    case STORE_EXPIRE:
        return expire(c, op);
    case STORE_LOCK:
        return lock(c, op);
    case STORE_UNLOCK:
        return unlock(c, op);
    case STORE_TURN:
        return take_turn(c, op);
    case STORE_TURN_OVER:
        return end_turn(c, op);
    case STORE_TAKE:
        return take(c, op);
    case STORE_SWEEP:
        op->result = STORE_YES;
        return space_sweep(c, SPACE_SWEPT);
    default:
        return EINVAL;
    }
}

/* Transactions. */

int change_begin(struct change *c, struct table *t)
{
    *c = (struct change){.table = t};
    int error = mdb_txn_begin(t->env, NULL, 0, &c->txn);
    if (error == MDB_MAP_RESIZED)
        t->grown = true;
    return error;
}

static void let_go(struct change *c)
{
    free(c->scratch);
    c->txn = NULL;
    c->scratch = NULL;
}

int change_commit(struct change *c)
{
    int error = 0;
    if (c->changed)
        error = mdb_txn_commit(c->txn);
    else
        mdb_txn_abort(c->txn);
    let_go(c);
    return error;
}

/* What it noted of times to come may be of what it has not done. */
void change_drop(struct change *c)
{
    atomic_store(&c->table->shared->next_expiry, 0);
    mdb_txn_abort(c->txn);
    let_go(c);
}

void change_fail(struct store_op *op, int error)
{
    op->result = error == MDB_MAP_FULL ? STORE_FULL : STORE_FAILED;
    op->problem = mdb_strerror(error);
    op->code = error > 0 ? error : EIO;
}

static int try_whole(struct table *t, struct store_op *op)
{
    struct change c;
    int error = change_begin(&c, t);
    if (error)
        return error;
    error = change_apply(&c, op);
    if (!error && table_is_due(t))
        error = space_sweep(&c, SPACE_SWEPT_ALONG);
    if (!error)
        return change_commit(&c);
    change_drop(&c);
    return error;
}

void change_sweep_all(struct table *t)
{
    struct store_op sweep = {.action = STORE_SWEEP};
    while (table_is_due(t) && try_whole(t, &sweep) == 0)
        ;
}

void change_whole(struct table *t, struct store_op *op)
{
    int error = try_whole(t, op);
    if (error == MDB_MAP_FULL) {
        table_check_readers(t);
        change_sweep_all(t);
        t->shared->room = 0; /* to be counted anew */
        error = try_whole(t, op);
    }
    if (error)
        change_fail(op, error);
}
