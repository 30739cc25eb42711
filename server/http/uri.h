/* What may stand in the parts of a URI, where they are taken over as they are. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "core/str.h"

/* Whether a text may be a request's target, of any form. */
bool uri_is_target(struct str target);
/* Whether a text is a host with or without a port (RFC 9110 7.2), or empty. */
bool uri_is_host(struct str text);

#endif
