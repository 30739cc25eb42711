/*
 * A table: an LMDB environment with the store's records, the index by which they end, and the count
 * of what is filled. One for the data in memory, another for that in a file. Here alone LMDB is
 * known.
 *
 * Reads are the loop's, without a lock, and hold no transaction when they return. Changes go
 * through a struct change, of which a table has one at a time in all processes.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "core/rc.h"
#include "store/area.h"
#include "store/op.h"
#include "store/record.h"

#include <lmdb.h>
#include <stdbool.h>
#include <time.h>

struct table {
    MDB_env *env;
    MDB_txn *reader; /* reset between reads */
    MDB_dbi main, limits;
    clockid_t clock;
    struct area_page *page; /* borrowed */
    struct area_table *shared;
    size_t most;  /* bytes that may be filled */
    char *buffer; /* for what reads give; by malloc */
    size_t room;
    atomic_bool grown; /* by another process: table_grow is to be called */
};

enum { TABLE_WHY = 512 };

/* Makes an environment of the area's data, which are empty, and leaves nothing of it open. LMDB's
 * codes, or 0. */
int table_format(const struct area *a) MUST_CHECK;
/* The data in memory, under the lock for writing: LMDB has locks of its own for that, which wait
 * for ever for one that is stopped. RC_SYSTEM; why then is one line. */
enum rc table_open_memory(
    struct table *t, const struct area *a, struct area_page *p, char why[TABLE_WHY]) MUST_CHECK;
/* A file, made where there is none, with room for so many MiB. RC_SYSTEM; why is one line with the
 * cure. */
enum rc table_open_file(struct table *t, const char *path, uint32_t size, struct area_page *p,
    char why[TABLE_WHY]) MUST_CHECK;
void table_close(struct table *t);
/* Nanoseconds on its clock. */
uint64_t table_now(const struct table *t);

/* Gets, and lists keys: the result is set. */
void table_read(struct table *t, struct store_op *op);
/* Lets go of what readers hold that have died. LMDB has a lock of its own for that, which waits for
 * ever for one that is stopped: it is for a thread, or under the lock for writing. */
void table_check_readers(struct table *t);
/* Takes over a larger size. Nothing of it may be in use. */
void table_grow(struct table *t);
/* Something may have ended. */
bool table_is_due(const struct table *t);

struct change {
    struct table *table;
    MDB_txn *txn;
    uint64_t now; /* 0 until it is asked for */
    bool changed; /* there is something to commit */
    char *scratch;
};

/* LMDB's codes, or 0. One that failed is to be dropped. */
int change_begin(struct change *c, struct table *t) MUST_CHECK;
/* Carries out what alters, and sets the result. A full store is MDB_MAP_FULL. */
int change_apply(struct change *c, struct store_op *op) MUST_CHECK;
int change_commit(struct change *c) MUST_CHECK;
void change_drop(struct change *c);
/* All of one: begins, applies, commits, and tries again without what has ended where it is full.
 * The result is set. */
void change_whole(struct table *t, struct store_op *op);
/* Removes what has ended, as far as there is room for it. */
void change_sweep_all(struct table *t);
/* The result of an operation that failed with a code. */
void change_fail(struct store_op *op, int error);

#endif
