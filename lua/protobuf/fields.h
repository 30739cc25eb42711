/* The fields of a table that is to be written: looked up, checked against the message, and pushed
 * on the Lua stack, so that they can be written in any order. */
#ifndef LUA_PROTOBUF_FIELDS_H
#define LUA_PROTOBUF_FIELDS_H

#include "lua/protobuf/pace.h"

namespace codec
{

enum {
    FIELDS_FEW = 128,       /* of a message that needs no extra memory */
    FIELDS_FEW_ONEOFS = 16, /* its oneofs, likewise */
    FIELDS_STACK = 8        /* Lua stack slots that a level takes in addition to its fields */
};

struct fields {
    uint64_t *set;    /* bits of the fields that are set, by index */
    int *slots;       /* stack indices of their values, by index */
    uint32_t *chosen; /* by oneof: the index of the member that is set plus one */
};

/* Storage for a message with few fields. */
struct fields_few {
    uint64_t set[FIELDS_FEW / 64];
    int slots[FIELDS_FEW];
    uint32_t chosen[FIELDS_FEW_ONEOFS];
};

/* Pushes the values of all fields of the place's table. Raises if it is not a table, has a key that
 * is no field, has two members of a oneof, or lacks a required field. [-0, +n], may longjmp */
fields fields_push(pace &p, const place &at, const message &m, fields_few &few);

inline bool fields_has(const fields &f, uint32_t index)
{
    return f.set[index / 64] >> index % 64 & 1;
}

/* The number of elements of a list. Raises unless its keys are 1..n: elements after a hole would be
 * lost. [-0, +0], may longjmp */
lua_Integer fields_count_elements(pace &p, const place &at);

} // namespace codec

#endif
