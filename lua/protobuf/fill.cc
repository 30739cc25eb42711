#include "lua/protobuf/fill.h"

namespace codec
{

enum { EMPTY_TABLE = 3 /* about as many fields as take the memory of an empty list or map */ };

static void fill_fields(
    decoder &d, const place &at, const message &m, const presence &has, int table)
{
    size_t made = 1;
    for (size_t word = 0; word < m.filled.size(); word++) {
        for (uint64_t left = m.filled[word] & ~has.seen[word]; left; left &= left - 1) {
            const field &f = m.fields[64 * word + (unsigned)__builtin_ctzll(left)];
            value_push_constant(d, f.key);
            if (f.shape == SINGLE)
                value_push_constant(d, f.absent);
            else
                lua_newtable(d.L);
            made += f.shape == SINGLE ? 1 : EMPTY_TABLE;
            lua_rawset(d.L, table);
        }
    }
    pace_make(d.pace, at, made);
}

void fill_finish(decoder &d, const place &at, const message &m, const presence &has, int table)
{
    fill_fields(d, at, m, has, table);
    if (!m.metatable)
        return;
    value_push_constant(d, m.metatable);
    lua_setmetatable(d.L, table);
}

} // namespace codec
