/*
 * Which fields the table of a message has while it is filled: a bit for each, and the member that
 * each oneof has. If several messages on the wire are merged into one table, what is known of the
 * table is kept from one to the next, so that it is searched only once.
 */
#ifndef LUA_PROTOBUF_PRESENCE_H
#define LUA_PROTOBUF_PRESENCE_H

#include "lua/protobuf/value.h"

namespace codec
{

enum { PRESENCE_FEW = 5 }; /* words on the C stack: four for 256 fields, one for two oneofs */

struct presence {
    uint64_t *seen;   /* bits of the fields, by index */
    uint32_t *chosen; /* by oneof: the index of the member that is set plus one, or 0 */
    bool known;       /* a field without its bit is not set; else it may be */
};

/* For the table on the top. Uses few if that is enough; else pushes userdata. [-0, +0|1], may
 * longjmp */
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

/* Pushes what is kept for the table at the index, or nil. [-0, +1] */
void presence_recall(decoder &d, int table);
/* Keeps the userdata on the top for the table at the index. [-0, +0], may longjmp */
void presence_note(decoder &d, int table);
/* Forgets the table at the index. [-0, +0] */
void presence_forget(decoder &d, int table);

} // namespace codec

#endif
