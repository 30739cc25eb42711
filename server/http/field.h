/*
 * Fields: the names and values of headers and trailers (RFC 9110 section 5), the rules that they
 * keep, and ordered lists of them. nghttp2 checks nothing that we send: these rules do.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "core/arena.h"
#include "core/rc.h"
#include "core/str.h"

#include <stdint.h>

struct field {
    struct str name; /* lower case */
    struct str value;
};

/* An ordered list; its array grows in an arena and goes with it. */
struct fields {
    struct field *list;
    size_t count, room;
};

/* The rules. Each gives NULL if the name or value may be used, and otherwise a phrase that says
 * what is wrong and reads well behind the quoted name: «is not a valid field name». */

/* A token of RFC 9110 5.6.2; upper case is allowed here and lowered when stored. */
const char *field_name_problem(struct str name);
/* No control character but a tab (RFC 9110 5.5): CR, LF and NUL would split a message. */
const char *field_value_problem(struct str value);
/* As field_name_problem, and not specific to the connection (RFC 9113 8.2.2). */
const char *field_header_problem(struct str name);
/* As field_header_problem, and allowed in a trailer section (RFC 9110 6.5.1). */
const char *field_trailer_problem(struct str name);

/* A lower-case copy of a name in the arena. RC_NOMEM. */
enum rc field_lower(struct arena *a, struct str name, struct str *out) MUST_CHECK;
/* Without the white space at both ends, which is no part of a value (RFC 9110 5.5). */
struct str field_trim(struct str value);
/* Names compared as HTTP does: without regard to case. Most differ in length, which is seen here.
 */
bool field_same_letters(const char *a, const char *b, size_t n);
static inline bool field_same_name(struct str a, struct str b)
{
    return a.n == b.n && field_same_letters(a.p, b.p, a.n);
}

/* Takes the next member off the front of a list divided by commas (RFC 9110 5.6.1), trimmed,
 * perhaps empty; false at the end. An empty list has one empty member. */
bool field_list_next(struct str *list, struct str *member);
/* Whether a list has a member, in any case. */
bool field_list_has(struct str list, struct str wanted);

/* A number of bytes, in 1 to 18 digits; false for anything else. */
bool field_parse_length(struct str value, uint64_t *out);
/* What content-length says, which a session has checked; false if there is none. One that is too
 * long to be counted is UINT64_MAX. */
bool fields_length(const struct fields *f, uint64_t *out);

/* Appends a field whose bytes live as long as the arena. RC_NOMEM. */
enum rc fields_add(struct fields *f, struct arena *a, struct str name, struct str value) MUST_CHECK;
/* Appends a copy in the arena, the name in lower case, the value trimmed. RC_NOMEM. */
enum rc fields_copy(
    struct fields *f, struct arena *a, struct str name, struct str value) MUST_CHECK;
/* The first field of that name (in any case), or NULL. */
struct field *fields_find(const struct fields *f, struct str name);
/* Removes all fields of that name; returns how many there were. */
size_t fields_remove(struct fields *f, struct str name);
/* Removes all fields whose names a list divided by commas has. */
void fields_remove_listed(struct fields *f, struct str list);

#endif
