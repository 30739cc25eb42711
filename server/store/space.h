/* The space in a table: how much may still be added, and what goes when its time has come. */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "store/table.h"

enum {
    SPACE_SWEPT = 256,     /* records in a transaction of their own */
    SPACE_SWEPT_ALONG = 8, /* in one that is under way anyway */
};

/* About the bytes that a record, or its place in the index, takes. */
int64_t space_of_record(size_t path, size_t record);
int64_t space_of_index(size_t path);
/* So many bytes are about to be added; MDB_MAP_FULL where there is no room for them. What takes
 * none or gives some back always may. */
int space_take(struct change *c, int64_t bytes) MUST_CHECK;
/* Removes so many records that have ended, at the most. */
int space_sweep(struct change *c, unsigned most) MUST_CHECK;
/* Limits take a quarter of the table at the most: what is nearest to its end goes. */
int space_bound_limits(struct change *c) MUST_CHECK;

#endif
