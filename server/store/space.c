#include "store/space.h"

#include "store/write.h"

#include <errno.h>

enum {
    PAGE = 4096,
    NODE = 16,    /* bytes that LMDB adds to each, and some */
    LARGE = 2000, /* what is larger has pages of its own */
    PART = 4,     /* of a table, for limits */
    EVICTED = 4,  /* for each that is added past it */
};

/* Pages that grow by single records are half full at the worst, and more than that as a rule. */
int64_t space_of_record(size_t path, size_t record)
{
    if (path + record > LARGE)
        return (int64_t)((record + NODE + PAGE - 1) / PAGE * PAGE + 2 * (path + NODE));
    return (int64_t)(3 * (path + record + NODE) / 2);
}

int64_t space_of_index(size_t path)
{
    return (int64_t)(2 * (RECORD_INDEX_HEAD + path + NODE));
}

/* Pages in lists of free ones: the first word of each list is how many it has. */
static int count_free(MDB_txn *txn, size_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key, data;
    *pages = 0;
    int error = mdb_cursor_open(txn, 0, &cursor);
    if (error)
        return error;
    while (!(error = mdb_cursor_get(cursor, &key, &data, MDB_NEXT))) {
        size_t count;
        memcpy(&count, data.mv_data, sizeof count);
        *pages += count;
    }
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

static int count_room(struct table *t)
{
    MDB_envinfo info;
    MDB_txn *txn;
    size_t unused;
    int error = mdb_env_info(t->env, &info);
    if (!error)
        error = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &txn);
    if (error)
        return error;
    error = count_free(txn, &unused);
    mdb_txn_abort(txn);
    if (!error)
        t->shared->room = (int64_t)t->most - (int64_t)(info.me_last_pgno + 1 - unused) * PAGE;
    return error;
}

int space_take(struct change *c, int64_t bytes)
{
    struct area_table *shared = c->table->shared;
    int error = 0;
    if (bytes <= 0)
        return 0;
    if (shared->room < bytes)
        error = count_room(c->table);
    if (error)
        return error;
    if (shared->room < bytes)
        return MDB_MAP_FULL;
    shared->room -= bytes;
    return 0;
}

/* The first place in the index of one of the tables: 0, MDB_NOTFOUND, or an error. The path is a
 * copy. */
static int first_time(
    struct change *c, MDB_dbi dbi, uint64_t *expiry, struct str *path, char room[STORE_PATH])
{
    MDB_cursor *cursor;
    char from[] = {RECORD_INDEX};
    MDB_val key = {sizeof from, from}, data;
    int error = mdb_cursor_open(c->txn, dbi, &cursor);
    if (error)
        return error;
    error = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    if (!error && !record_index_read((struct str){key.mv_data, key.mv_size}, expiry, path))
        error = MDB_NOTFOUND;
    if (!error) {
        memcpy(room, path->p, path->n);
        path->p = room;
    }
    mdb_cursor_close(cursor);
    return error;
}

static int remove_path(struct change *c, struct str path)
{
    struct found f;
    int error = write_find(c, path, &f);
    return error ? error : write_remove(c, path, &f);
}

/* Removes what ends by the time, so many at the most; *next is when what is left ends first. */
static int remove_until(
    struct change *c, MDB_dbi dbi, uint64_t until, unsigned most, uint64_t *next)
{
    char room[STORE_PATH];
    struct str path;
    for (unsigned i = 0; i <= most; i++) {
        int error = first_time(c, dbi, next, &path, room);
        if (error == MDB_NOTFOUND)
            *next = UINT64_MAX;
        if (error)
            return error == MDB_NOTFOUND ? 0 : error;
        if (*next > until || i == most)
            return 0;
        error = remove_path(c, path);
        if (error)
            return error;
    }
    return 0;
}

int space_sweep(struct change *c, unsigned most)
{
    uint64_t next, next_limit;
    int error = remove_until(c, c->table->main, write_now(c), most, &next);
    if (!error)
        error = remove_until(c, c->table->limits, write_now(c), most, &next_limit);
    if (!error)
        atomic_store_explicit(&c->table->shared->next_expiry, next < next_limit ? next : next_limit,
            memory_order_relaxed);
    return error;
}

int space_bound_limits(struct change *c)
{
    MDB_stat st;
    uint64_t next;
    int error = mdb_stat(c->txn, c->table->limits, &st);
    size_t pages = st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
    if (error || pages * PAGE <= c->table->most / PART)
        return error;
    return remove_until(c, c->table->limits, UINT64_MAX, EVICTED, &next);
}
