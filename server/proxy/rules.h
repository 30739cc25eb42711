/*
 * Which fields go on to the next hop, and what this one adds (RFC 9110 section 7.6, RFC 7239).
 *
 * Nothing that arrived is trusted to be fit for HTTP/1.x, whatever it came by: names and values are
 * checked again, as the method, the target and the authority are by call_aim, since what HTTP/2
 * delimits by length HTTP/1.x delimits by bytes.
 */
#ifndef PROXY_RULES_H
#define PROXY_RULES_H

#include "core/rc.h"
#include "core/str.h"
#include "http/field.h"

#include <stdbool.h>

struct exchange;
struct request;

/* Whether the request is for this server to answer, as it may be passed on no more (RFC
 * 9110 7.6.2): OPTIONS or TRACE with max-forwards of 0. */
bool rules_is_last_hop(const struct request *r);
/*
 * The fields with which the request of x goes on, in its arena: without those of the connection, in
 * lower case, cookies joined, with Forwarded, X-Forwarded-* and Via. set holds fields that replace
 * those of their names; one whose value's p is NULL is left out. RC_INVALID for a field that may
 * not be sent, RC_NOMEM.
 */
enum rc rules_request(struct exchange *x, const struct fields *set, struct fields *out) MUST_CHECK;

/* The head of the response of x, from another server's status and fields. Fields that the response
 * has already stay, and replace those of their names. RC_INVALID for a status or field that may not
 * be sent, RC_NOMEM. */
enum rc rules_response(struct exchange *x, int status, const struct fields *fields) MUST_CHECK;

/* The fields of an interim response that may go on, in the arena of x. RC_NOMEM. */
enum rc rules_interim(
    struct exchange *x, const struct fields *fields, struct fields *out) MUST_CHECK;

/* Adds the trailers to the response of x, where it has them; without those that may not be any.
 * RC_NOMEM. */
enum rc rules_trailers(struct exchange *x, const struct fields *trailers) MUST_CHECK;

#endif
