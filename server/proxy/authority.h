/* The part of a URL that says which server is meant: HOST[:PORT]. */
#ifndef PROXY_AUTHORITY_H
#define PROXY_AUTHORITY_H

#include "core/str.h"

#include <stdbool.h>

/* Whether the text is free of bytes that could end a line, or a part of the URL, early. */
bool authority_is_plain(struct str text);
/* Divides "HOST[:PORT]", where HOST may be an IPv6 address in brackets. port->p is NULL if there is
 * none. False if it has no host. */
bool authority_split(struct str authority, struct str *host, struct str *port);
/* Whether the text is a port, in digits. */
bool authority_is_port(struct str text);

#endif
