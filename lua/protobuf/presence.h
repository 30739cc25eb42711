/*
 * Which fields the table of a message has while it is filled: a bit for each, and the member that
 * each oneof has. Where several messages on the wire become one table, what is known of it is kept
 * for the next of them, so that a table is searched once however many they are.
 */
#ifndef LUA_PROTOBUF_PRESENCE_H
#define LUA_PROTOBUF_PRESENCE_H

#include "lua/protobuf/value.h"

namespace codec
{

enum { PRESENCE_FEW = 5 }; /* words that lie on the C stack: four of 256 fields, and two oneofs */

struct presence {
    uint64_t *seen;   /* bits of the fields, by index */
    uint32_t *chosen; /* by oneof: the index of its member that is there plus one, or 0 */
    bool known;       /* seen tells all; or a field without its bit may be there */
};

/* Of the table on the top. Uses few where that is enough; pushes userdata otherwise. [-0, +0|1],
 * may longjmp */
presence presence_push(decoder &d, const place &at, const message &m, uint64_t *few, bool fresh);

inline bool presence_has(const presence &p, uint32_t index)
{
    return p.seen[index / 64] >> index % 64 & 1;
}

inline void presence_add(presence &p, uint32_t index)
{
    p.seen[index / 64] |= (uint64_t)1 << index % 64;
}

inline void presence_remove(presence &p, uint32_t index)
{
    p.seen[index / 64] &= ~((uint64_t)1 << index % 64);
}

/* Pushes what is kept of the table at the index, or nil. [-0, +1] */
void presence_recall(decoder &d, int table);
/* Keeps the userdata on the top for the table at the index. [-0, +0], may longjmp */
void presence_note(decoder &d, int table);
/* Forgets the table at the index. [-0, +0] */
void presence_forget(decoder &d, int table);

} // namespace codec

#endif
