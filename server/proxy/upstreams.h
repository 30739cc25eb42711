/*
 * Upstreams: other servers that do the same, asked in turn. One that fails several times in a row
 * is left out for some seconds; where all are, the one that has been out longest is asked.
 */
#ifndef PROXY_UPSTREAMS_H
#define PROXY_UPSTREAMS_H

#include "core/rc.h"
#include "proxy/origin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UPSTREAMS_MAX = 16 };

struct upstream {
    struct origin origin;
    struct str url;    /* as it was given; borrowed, like base */
    struct str base;   /* the path in it: goes in front; "" for none */
    uint32_t failures; /* in a row */
    double out_until;  /* of clock_monotonic */
};

struct upstreams {
    struct upstream list[UPSTREAMS_MAX];
    size_t count;
    size_t next; /* whose turn it is */
};

struct upstreams_rules {
    uint32_t max_failures; /* in a row, until one is left out; 0 is never */
    double recovery;       /* seconds that it is left out */
};
/* Adds the server of a URL, which is borrowed. RC_INVALID, why then says what is wrong with it;
 * RC_LIMIT, and why, for one too many. */
enum rc upstreams_add(struct upstreams *u, struct str url, char why[ORIGIN_WHY]) MUST_CHECK;
/* The upstream whose turn it is at the given time; there must be at least one. Skips `except`,
 * which may be NULL, if there is another; skipping does not move the turn. */
struct upstream *upstreams_pick(struct upstreams *u, const struct upstream *except, double now);
/* How the one asked has done. Whether it is left out from now on, and was not before. */
bool upstream_note(
    struct upstream *u, const struct upstreams_rules *rules, bool failed, double now);

#endif
