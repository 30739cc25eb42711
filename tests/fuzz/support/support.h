/*
 * A session and its handler for libFuzzer. The handler, in C, echoes, with trailers, and does what
 * the path asks for: "/e…" answers before the request's end, "/r…" resets. Nothing may be alive in
 * the end.
 */
#ifndef FUZZ_SUPPORT_H
#define FUZZ_SUPPORT_H

#include "core/list.h"
#include "core/rc.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/part.h"
#include "http/session.h"

#include <stddef.h>
#include <stdint.h>

struct fuzz {
    struct handler handler;
    struct part part;
    struct session_host host;
    struct peer peer;
    struct list waiting; /* struct answer */
    struct session *session;
    uint64_t blocks; /* alive before */
    size_t size;     /* of what was fed */
};

/* Makes all but the session, which the caller opens on host. */
void fuzz_begin(struct fuzz *f);
/* Cuts the data into pieces by a length byte before each, and feeds them; after each piece the
 * handler runs and the session's output is taken. */
void fuzz_feed(struct fuzz *f, const uint8_t *data, size_t size);
/* Frees the session, and aborts where something is left, or where its work took more than so many
 * steps (cost.h) for each byte that it was fed. */
void fuzz_end(struct fuzz *f, uint64_t each);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
