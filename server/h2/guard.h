/*
 * The guard: how often a peer may send what. Each kind of event has a count for each second; one
 * that passes its limit ends the connection with ENHANCE_YOUR_CALM and one line in the log. Our
 * limits are lower than nghttp2's own, which remain as a second line.
 */
#ifndef H2_GUARD_H
#define H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum guard_kind {
    GUARD_RESETS,   /* streams that the peer resets (CVE-2023-44487) */
    GUARD_FAULTS,   /* streams that we reset for the peer's faults (CVE-2025-8671) */
    GUARD_CONTROL,  /* PING, SETTINGS, PRIORITY and the like (CVE-2019-9512, 9513, 9515) */
    GUARD_WINDOWS,  /* WINDOW_UPDATE beyond what our DATA accounts for */
    GUARD_EMPTY,    /* DATA and CONTINUATION that carry nothing (CVE-2019-9518) */
    GUARD_DRIBBLES, /* DATA that a tiny window made tiny (CVE-2019-9511) */
    GUARD_KINDS,
};

struct guard {
    struct {
        double since; /* when the count began, in seconds of clock_monotonic */
        uint32_t count;
    } seconds[GUARD_KINDS];
};

/* The option that sets the limit of a kind: its name in the log. */
const char *guard_name(enum guard_kind kind);
/* Counts an event; false once there are more than limit in a second. Zero is no limit. */
bool guard_count(struct guard *g, enum guard_kind kind, uint32_t limit);

#endif
