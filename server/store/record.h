/* How values and times lie in LMDB: the bytes of records and of the index by expiry. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store/op.h"

enum {
    RECORD_HEAD = 17,
    RECORD_INDEX = 2, /* what keys of the index have in front */
    RECORD_INDEX_HEAD = 9,
};

struct record {
    uint64_t version;
    uint64_t expiry; /* nanoseconds on the table's clock; 0: it lasts */
    struct store_value value;
};

/* Bytes that the record takes. */
size_t record_size(const struct store_value *v);
void record_write(const struct record *r, unsigned char *out);
/* False for bytes that are no record. The value's text lies in them. */
bool record_read(struct str bytes, struct record *out);

/* The key in the index of a path that ends then; returns its bytes. The order of the bytes is that
 * of the times. */
size_t record_index(uint64_t expiry, struct str path, char out[RECORD_INDEX_HEAD + STORE_PATH]);
/* False for what is no key of the index. The path lies in it. */
bool record_index_read(struct str key, uint64_t *expiry, struct str *path);

#endif
