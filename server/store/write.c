#include "store/write.h"

#include "store/space.h"

#include <errno.h>
#include <stdlib.h>

static MDB_val val_of(struct str s)
{
    return (MDB_val){s.n, (void *)s.p};
}

MDB_dbi write_place(const struct change *c, struct str path)
{
    return path.p[0] == SPACE_LIMIT ? c->table->limits : c->table->main;
}

uint64_t write_now(struct change *c)
{
    if (!c->now)
        c->now = table_now(c->table);
    return c->now;
}

/* A time beyond all times is none. */
uint64_t write_expiry(struct change *c, double seconds)
{
    uint64_t now = write_now(c);
    double n = seconds * 1e9;
    if (n >= (double)(UINT64_MAX / 2 - now))
        return UINT64_MAX / 2;
    return now + (n < 1 ? 1 : (uint64_t)n);
}

int write_find(struct change *c, struct str path, struct found *out)
{
    MDB_val key = val_of(path), data;
    *out = (struct found){0};
    int error = mdb_get(c->txn, write_place(c, path), &key, &data);
    if (error == MDB_NOTFOUND)
        return 0;
    if (error)
        return error;
    if (!record_read((struct str){data.mv_data, data.mv_size}, &out->record))
        return MDB_CORRUPTED;
    out->exists = true;
    out->size = data.mv_size;
    out->lives = !out->record.expiry || out->record.expiry > write_now(c);
    return 0;
}

static int remove_time(struct change *c, struct str path, uint64_t expiry)
{
    char index[RECORD_INDEX_HEAD + STORE_PATH];
    MDB_val key = {record_index(expiry, path, index), index};
    int error = mdb_del(c->txn, write_place(c, path), &key, NULL);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* What ends first is known to all processes, before the change is: too early does no harm. */
static void note_expiry(struct change *c, uint64_t expiry)
{
    _Atomic uint64_t *next = &c->table->shared->next_expiry;
    if (expiry < atomic_load_explicit(next, memory_order_relaxed))
        atomic_store_explicit(next, expiry, memory_order_relaxed);
}

static int add_time(struct change *c, struct str path, uint64_t expiry)
{
    char index[RECORD_INDEX_HEAD + STORE_PATH];
    MDB_val key = {record_index(expiry, path, index), index}, none = {0, index};
    note_expiry(c, expiry);
    return mdb_put(c->txn, write_place(c, path), &key, &none, 0);
}

static int move_time(struct change *c, struct str path, const struct found *old, uint64_t expiry)
{
    uint64_t before = old->exists ? old->record.expiry : 0;
    int error = 0;
    if (before == expiry)
        return 0;
    if (before)
        error = remove_time(c, path, before);
    return !error && expiry ? add_time(c, path, expiry) : error;
}

static int put_record(struct change *c, struct str path, const struct record *r)
{
    MDB_val key = val_of(path), data = {record_size(&r->value), NULL};
    int error = mdb_put(c->txn, write_place(c, path), &key, &data, MDB_RESERVE);
    if (!error)
        record_write(r, data.mv_data);
    return error;
}

static int64_t space_of(struct str path, size_t record, uint64_t expiry)
{
    return space_of_record(path.n, record) + (expiry ? space_of_index(path.n) : 0);
}

int write_put(struct change *c, struct str path, const struct found *old,
    const struct store_value *value, uint64_t expiry)
{
    const struct record r = {mdb_txn_id(c->txn), expiry, *value};
    int64_t before = old->exists ? space_of(path, old->size, old->record.expiry) : 0;
    c->changed = true;
    int error = space_take(c, space_of(path, record_size(value), expiry) - before);
    if (!error)
        error = move_time(c, path, old, expiry);
    return error ? error : put_record(c, path, &r);
}

int write_remove(struct change *c, struct str path, const struct found *old)
{
    MDB_val key = val_of(path);
    int error = 0;
    if (!old->exists)
        return 0;
    c->changed = true;
    if (old->record.expiry)
        error = remove_time(c, path, old->record.expiry);
    return error ? error : mdb_del(c->txn, write_place(c, path), &key, NULL);
}

/* May use the room that is kept for removals, since it leads to one. The text is copied: its place
 * may be what it is written over with. */
int write_time(struct change *c, struct str path, const struct found *old, uint64_t expiry)
{
    struct record r = old->record;
    struct str *text = &r.value.text;
    r.expiry = expiry;
    if (r.value.kind == STORE_STRING && text->n) {
        free(c->scratch);
        c->scratch = malloc(text->n);
        if (!c->scratch)
            return ENOMEM;
        memcpy(c->scratch, text->p, text->n);
        text->p = c->scratch;
    }
    c->changed = true;
    int error = move_time(c, path, old, expiry);
    return error ? error : put_record(c, path, &r);
}
