/*
 * What patterns, prefixes and paths mean, worked out as plainly and as slowly as can be: from
 * router.h, prefix.h and uri.h, to hold what is behind them against. Nothing is allocated and
 * nothing is kept.
 */
#ifndef FUZZ_PATHS_H
#define FUZZ_PATHS_H

#include "core/str.h"

enum {
    PATHS_SEGMENTS = 64, /* of a pattern or path, at the most */
    PATHS_BYTES = 4096,  /* of a path */
};

/* The segments of a pattern or path, which begins with a slash; "/" has none. */
struct segments {
    size_t count;
    struct str list[PATHS_SEGMENTS];
    struct str verb; /* of a decoded path: behind the last colon of the last segment, or none */
    char text[PATHS_BYTES];
};

/* Splits at the slashes. False where there are too many segments. */
bool paths_split(struct str text, struct segments *out);
/* Splits and decodes each segment, but "%2F". False where that can't be, or a segment is one that
 * no path may have. */
bool paths_decode(struct str path, struct segments *out);

/* Whether a pattern is well-formed. */
bool paths_is_pattern(const struct segments *pattern);
/* Whether two patterns take the same paths. */
bool paths_same(const struct segments *a, const struct segments *b);
/* Whether a pattern takes a decoded path; the values of its parameters are then in values. */
bool paths_match(const struct segments *pattern, const struct segments *path, struct str *values);
/* Whether of two patterns that take one path it is the first that counts. */
bool paths_is_better(const struct segments *a, const struct segments *b);

/* How many bytes of the path the prefix stands for; 0 for none. */
size_t paths_prefix(struct str prefix, struct str path);
/* As uri_has_dots, and as uri_may_have_dots where any reading counts. */
bool paths_have_dots(struct str path, bool any_reading);

#endif
