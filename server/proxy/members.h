/*
 * Whether what a client sent in a field that this server adds a member to is a list that ends where
 * it seems to. One that leaves a quoted string or a comment open would take the member behind it
 * into that: a server that reads the whole would believe the client.
 *
 * Each line of the field is to be such a list: nothing may begin in one line and end in another.
 */
#ifndef PROXY_MEMBERS_H
#define PROXY_MEMBERS_H

#include "core/str.h"

/* Forwarded-elements (RFC 7239 section 4). */
bool members_are_forwarded(struct str line);
/* Protocol, host or pseudonym, and perhaps a comment (RFC 9110 7.6.3). */
bool members_are_via(struct str line);
/* Addresses with or without a port, and names in their place, as X-Forwarded-For has them. */
bool members_are_addresses(struct str line);

#endif
