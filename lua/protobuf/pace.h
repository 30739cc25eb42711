/*
 * How the codec's loops keep pace with what bounds them. Every step is counted, and after some
 * thousands of them Lua runs for a moment: the code that bounds how long Lua runs sets a hook that
 * counts instructions, and it raises there. What is made without a byte of the message for it
 * (defaults, empty tables) is counted as well, and has a bound of its own.
 */
#ifndef LUA_PROTOBUF_PACE_H
#define LUA_PROTOBUF_PACE_H

#include "lua/protobuf/place.h"

#include <cstddef>

namespace codec
{

enum {
    PACE_STEPS = 2048,  /* from one look to the next */
    PACE_FREE = 2000000 /* things that any message may make for nothing, besides one for a byte */
};

struct pace {
    lua_State *L;
    int steps;   /* left until the next look */
    size_t free; /* things that may still be made for nothing */
};

/* Makes what looking needs. [-0, +0], may longjmp, as may all here */
void pace_open(lua_State *L);

/* For n bytes that are read, or written. */
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

/* n steps at once, each in proportion to what is worked on already. */
void pace_walk(pace &p, size_t n);

/* Raises that what makes too much is at that place. */
[[noreturn]] void pace_fail(pace &p, const place &at);

/* As n steps, for things that no byte stands for. */
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
