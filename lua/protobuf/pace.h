/*
 * How the codec's loops stay within the limits on time and memory. Steps are counted, and after
 * every few thousand of them Lua runs for a moment: the code that bounds how long Lua runs sets a
 * hook that counts instructions, and the hook can raise then. Values that are made without any byte
 * of the message (defaults, empty tables) are counted too, and have a bound of their own.
 */
#ifndef LUA_PROTOBUF_PACE_H
#define LUA_PROTOBUF_PACE_H

#include "lua/protobuf/place.h"

#include <cstddef>

namespace codec
{

enum {
    PACE_STEPS = 2048,  /* from one look to the next */
    PACE_FREE = 2000000 /* values made for nothing that any message may have, besides one a byte */
};

struct pace {
    lua_State *L;
    int steps;   /* left until the next look */
    size_t free; /* values that may still be made for nothing */
};

/* Makes the function that looks need. [-0, +0], may longjmp, as may all functions here */
void pace_open(lua_State *L);

/* For n bytes that are read or written. */
inline pace pace_of(lua_State *L, size_t n)
{
    return {L, PACE_STEPS, PACE_FREE + n};
}

/* Lets Lua run for a moment. */
void pace_look(pace &p);

inline void pace_step(pace &p)
{
    if (--p.steps < 0)
        pace_look(p);
}

/* Counts n steps at once, each for a bounded part of work that is already done. */
void pace_walk(pace &p, size_t n);

/* Raises that the message makes too many values at this place. */
[[noreturn]] void pace_fail(pace &p, const place &at);

/* Counts n steps, for values that no byte stands for. */
inline void pace_make(pace &p, const place &at, size_t n)
{
    if (n > p.free)
        pace_fail(p, at);
    p.free -= n;
    if (n > (size_t)p.steps)
        pace_look(p);
    else
        p.steps -= (int)n;
}

} // namespace codec

#endif
