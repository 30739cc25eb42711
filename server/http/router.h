/*
 * The route table: from a request's path to whatever the caller put there. It knows neither files
 * nor methods.
 *
 * A pattern is "/" or one segment after another, each after a slash:
 *
 *     /api/users          literals
 *     /users/[id]         a parameter: one whole segment
 *     /files/[...path]    a rest: one or more segments up to the end
 *     /files/[...path?]   the same, or none
 *     /users/[id]:lock    a parameter, or a rest, with a verb behind it; behind the segment before
 *                         where the rest is none
 *
 * At each segment a literal takes precedence over a parameter, and that over a rest; if the better
 * branch fails further on, the others are tried. The verb of a path is the part after the last
 * colon of its last segment, unless that colon is escaped, if a pattern has that verb there;
 * otherwise it belongs to the value. The pattern's literals are compared as bytes with the path's
 * decoded segments.
 *
 * It owns its nodes and copies of the patterns; targets are borrowed.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "core/arena.h"
#include "core/rc.h"
#include "core/str.h"

struct router;

enum { ROUTER_PARAMS_MAX = 16 }; /* parameters of one pattern, its rest included */

enum router_result {
    ROUTER_FOUND,
    ROUTER_NOT_FOUND,
    ROUTER_BAD_PATH, /* no path at all, or one that might be read in two ways */
    ROUTER_NOMEM,
};

/* Why a pattern was refused. */
struct router_fault {
    const char *problem; /* reads well behind the quoted pattern: «has an empty segment»; static */
    void *taken_by;      /* the target that has this route already, or NULL */
};

struct param {
    struct str name;  /* borrowed from the router */
    struct str value; /* decoded; borrowed from the path or from the arena */
};

struct match {
    void *target;
    size_t count;
    struct param params[ROUTER_PARAMS_MAX]; /* in the order of the path */
    struct str verb; /* what might be the path's; set where the router has verbs */
};

/* NULL when memory runs out. */
struct router *router_new(void);
void router_free(struct router *r);

/* Adds a route; target is not NULL. RC_INVALID, and *fault says why, for a malformed pattern and
 * for one that takes the same paths as another ("/users/[id]" and "/users/[name]"); RC_NOMEM. On
 * any error the routes are as they were. */
enum rc router_add(
    struct router *r, struct str pattern, void *target, struct router_fault *fault) MUST_CHECK;

/*
 * Finds the route of a percent-encoded path without query. out is set if one is found.
 *
 * The path's segments are decoded one by one; "%2F" stays as it is, so that no value gains a
 * separator. A malformed escape, a NUL, or a segment that is "." or ".." once decoded makes a bad
 * path, whatever the routes. An empty segment (a trailing or doubled slash) matches nothing. "*" is
 * not found.
 *
 * Memory comes from the arena, and only for a path with escapes.
 */
enum router_result router_match(
    const struct router *r, struct str path, struct arena *arena, struct match *out) MUST_CHECK;

/* Visits all routes: a route before those below it, literals by their bytes, then the parameter,
 * then the rest. */
void router_walk(const struct router *r,
    void (*visit)(void *data, struct str pattern, void *target), void *data);

#endif
