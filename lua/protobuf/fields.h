/* The fields of a table that is to be written: found, checked against the message, and laid on the
 * Lua stack, so that they can be written in any order. */
#ifndef LUA_PROTOBUF_FIELDS_H
#define LUA_PROTOBUF_FIELDS_H

#include "lua/protobuf/pace.h"

namespace codec
{

enum {
    FIELDS_FEW = 128,       /* that a message may have and need no more memory */
    FIELDS_FEW_ONEOFS = 16, /* the same of oneofs */
    FIELDS_STACK = 8        /* slots that a level takes of the Lua stack besides its fields */
};

struct fields {
    uint64_t *set;    /* bits of the fields that are there, by index */
    int *slots;       /* where their values lie on the stack, by index */
    uint32_t *chosen; /* by oneof: the index of the member that is there plus one */
};

/* Where they lie while they are few. */
struct fields_few {
    uint64_t set[FIELDS_FEW / 64];
    int slots[FIELDS_FEW];
    uint32_t chosen[FIELDS_FEW_ONEOFS];
};

/* Pushes the values of all fields of the table that the place tells. Raises where it is none, or
 * has what the message has not, two members of a oneof, or lacks what is required. [-0, +n], may
 * longjmp */
fields fields_push(pace &p, const place &at, const message &m, fields_few &few);

inline bool fields_has(const fields &f, uint32_t index)
{
    return f.set[index / 64] >> index % 64 & 1;
}

/* The number of elements of the list, which has the keys 1..n and no others: what lies beyond a
 * hole would be lost. [-0, +0], may longjmp */
lua_Integer fields_count_elements(pace &p, const place &at);

} // namespace codec

#endif
