/*
 * What a request carries with it of the way that it came: Forwarded (RFC 7239), X-Forwarded-For,
 * -Proto and -Host, and Via (RFC 9110 7.6.3).
 *
 * Lists grow at their end: what was there stays in front, where it is a list in each of its lines
 * (members.h), and is dropped whole where not; only the last member is this server's word.
 * X-Forwarded-Proto and -Host are this server's word alone.
 */
#ifndef PROXY_TRACE_H
#define PROXY_TRACE_H

#include "core/rc.h"
#include "http/field.h"

#include <stdbool.h>

struct exchange;

/* Whether trace_add writes the field of this name, in lower case. */
bool trace_owns(struct str name);
/* Adds the fields to the list, in the arena of x, whose request has those that came. RC_NOMEM. */
enum rc trace_add(struct exchange *x, struct fields *list) MUST_CHECK;

#endif
