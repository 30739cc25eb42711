/* What may stand in the parts of a URI, where they are taken over as they are. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "core/str.h"

/* Whether a text may be a request's target, of any form. */
bool uri_is_target(struct str target);
/* Whether a text is a host with or without a port (RFC 9110 7.2): no user information, no list, no
 * port beyond 65535. */
bool uri_is_host(struct str text);
/* Whether two such texts are one at a scheme: names in any case, and a port left out is the
 * scheme's (RFC 9110 4.2.3). */
bool uri_same_host(struct str a, struct str b, struct str scheme);
/* Whether a path has a segment of dots ("." or ".."), or a NUL, once its segments are decoded one
 * by one; an escaped slash divides none. */
bool uri_has_dots(struct str path);
/*
 * The same for any server that may get the path next: some decode "%2F" before they look for
 * segments, take "\\" for a slash, or cut a segment at ";".
 *
 *     /a/..   /a/%2e%2E/b   /a/..%2fb   /a%2f.%2e%5cb   /a/..;x/b   /%00      true
 *     /a%2Fb  /...   /..a   /a;..   /a/b;c/d                                  false
 */
bool uri_may_have_dots(struct str path);

#endif
