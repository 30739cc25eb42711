/*
 * Prefixes of paths. A prefix ends at a slash of the path or at its end: "/api" and "/api/" take
 * "/api/users", and neither takes "/apis"; "/api" takes "/api" itself as well. Escapes in a path
 * are compared as what they stand for, but "%2F", which is no slash; a prefix has none.
 */
#ifndef HTTP_PREFIX_H
#define HTTP_PREFIX_H

#include "core/str.h"

/* How many bytes of the path the prefix, which is not empty, stands for; 0 if it stands for
 * none. */
size_t prefix_match(struct str prefix, struct str path);
/* Whether every path that a pattern of router.h takes has the prefix. */
bool prefix_covers(struct str prefix, struct str pattern);

#endif
