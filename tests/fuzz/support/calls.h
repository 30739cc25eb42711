/*
 * A session in its client role and its calls for libFuzzer: what the server sends is the input. The
 * first byte says what the calls are like; one that is done makes room for another, up to a few.
 * Nothing may be alive in the end.
 */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "core/rc.h"
#include "http/session.h"

#include <stddef.h>
#include <stdint.h>

/* Opens a session with open, feeds it the data in pieces, a length byte before each, and ends it.
 * What the session does may cost so many steps (cost.h) for each byte. */
void fuzz_calls(enum rc (*open)(struct session_host *host, struct session **out), uint64_t each,
    const uint8_t *data, size_t size);

#endif
