/*
 * Filling a map with integer keys. Lua's tables hash an integer by its remainder modulo the table's
 * size less one, so a peer that chooses the keys could put them all into one slot, and each look-up
 * would try every one. So the table grows here, not in Lua: its size is known, the keys in each
 * slot are counted, and too many in one are refused if a larger table does not separate them.
 */
#ifndef LUA_PROTOBUF_INT_MAP_H
#define LUA_PROTOBUF_INT_MAP_H

#include "lua/protobuf/value.h"

namespace codec
{

enum {
    INT_MAP_SMALL = 8, /* keys of a map that may share a slot uncounted */
    INT_MAP_CHAIN = 64 /* keys that may share a slot of a larger one */
};

struct int_map {
    int table;    /* where the Lua table lies on the stack; a larger one may take its place */
    size_t count; /* of its keys */
    struct int_slots *slots; /* NULL while it is small */
};

/* Whether the keys of the map are integers. */
bool int_map_is_for(const field &map);

/* Begins, or goes on, with the map on the top; a new one has room for INT_MAP_SMALL. Leaves one
 * value above it. [-0, +1], may longjmp */
int_map int_map_begin(decoder &d, bool fresh);

/* Whether it has the key at the index. [-0, +0] */
bool int_map_has(decoder &d, const int_map &m, int key);

/* Sets the value on the top for the key below it. [-2, +0], may longjmp */
void int_map_set(decoder &d, const place &at, int_map &m);

} // namespace codec

#endif
