/*
 * Stream ids that a client skipped. Opening stream 7 closes the idle streams below it (RFC
 * 9113 5.1.1): HEADERS on one of those is an error of the connection, while HEADERS on a stream
 * that was open once may have been in flight. The last GAPS_MAX gaps are known.
 */
#ifndef H2_GAPS_H
#define H2_GAPS_H

#include <stdbool.h>
#include <stdint.h>

enum { GAPS_MAX = 16 };

struct gaps {
    int32_t highest; /* stream opened so far; 0 for none */
    uint32_t count;  /* gaps ever */
    struct {
        int32_t first, last;
    } ranges[GAPS_MAX]; /* the n-th gap is at n modulo GAPS_MAX */
};

/* Notes HEADERS on a client's stream; false if the stream was skipped before. */
bool gaps_open(struct gaps *g, int32_t id);

#endif
