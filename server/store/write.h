/* The records of a change: found, put and removed, each with its place in the index by expiry. */
#ifndef STORE_WRITE_H
#define STORE_WRITE_H

#include "store/table.h"

struct found {
    bool exists;          /* there is a record, */
    bool lives;           /* which has not ended */
    size_t size;          /* of the record; 0 where there is none */
    struct record record; /* its text lies in the table, until the next change */
};

/* LMDB's codes, or 0. */
int write_find(struct change *c, struct str path, struct found *out) MUST_CHECK;
/* In place of what was found. */
int write_put(struct change *c, struct str path, const struct found *old,
    const struct store_value *value, uint64_t expiry) MUST_CHECK;
int write_remove(struct change *c, struct str path, const struct found *old) MUST_CHECK;
/* What was found ends at another time; that is no new version. */
int write_time(
    struct change *c, struct str path, const struct found *old, uint64_t expiry) MUST_CHECK;

/* The change's time, and that in so many seconds. */
uint64_t write_now(struct change *c);
uint64_t write_expiry(struct change *c, double seconds);
/* Where records of a path lie. */
MDB_dbi write_place(const struct change *c, struct str path);

#endif
