#include "store/record.h"

#include <endian.h>

size_t record_size(const struct store_value *v)
{
    return RECORD_HEAD + (v->kind == STORE_INTEGER ? sizeof v->integer : v->text.n);
}

void record_write(const struct record *r, unsigned char *out)
{
    out[0] = (unsigned char)r->value.kind;
    memcpy(out + 1, &r->version, 8);
    memcpy(out + 9, &r->expiry, 8);
    if (r->value.kind == STORE_INTEGER)
        memcpy(out + RECORD_HEAD, &r->value.integer, sizeof r->value.integer);
    else if (r->value.text.n)
        memcpy(out + RECORD_HEAD, r->value.text.p, r->value.text.n);
}

bool record_read(struct str bytes, struct record *out)
{
    if (bytes.n < RECORD_HEAD)
        return false;
    memcpy(&out->version, bytes.p + 1, 8);
    memcpy(&out->expiry, bytes.p + 9, 8);
    struct str rest = {bytes.p + RECORD_HEAD, bytes.n - RECORD_HEAD};
    out->value = (struct store_value){.kind = (enum store_kind)bytes.p[0]};
    if (out->value.kind == STORE_STRING)
        out->value.text = rest;
    else if (out->value.kind == STORE_INTEGER && rest.n == sizeof out->value.integer)
        memcpy(&out->value.integer, rest.p, rest.n);
    else
        return false;
    return true;
}

size_t record_index(uint64_t expiry, struct str path, char out[RECORD_INDEX_HEAD + STORE_PATH])
{
    uint64_t ordered = htobe64(expiry);
    out[0] = RECORD_INDEX;
    memcpy(out + 1, &ordered, 8);
    memcpy(out + RECORD_INDEX_HEAD, path.p, path.n);
    return RECORD_INDEX_HEAD + path.n;
}

bool record_index_read(struct str key, uint64_t *expiry, struct str *path)
{
    uint64_t ordered;
    if (key.n <= RECORD_INDEX_HEAD || key.p[0] != RECORD_INDEX)
        return false;
    memcpy(&ordered, key.p + 1, 8);
    *expiry = be64toh(ordered);
    *path = (struct str){key.p + RECORD_INDEX_HEAD, key.n - RECORD_INDEX_HEAD};
    return true;
}
