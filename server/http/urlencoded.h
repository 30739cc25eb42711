/*
 * The form of a query and of an application/x-www-form-urlencoded body: "name=value" pairs divided
 * by "&", as in the WHATWG's URL standard, section 5.1. Nothing is malformed: what is no escape
 * stands for itself.
 */
#ifndef HTTP_URLENCODED_H
#define HTTP_URLENCODED_H

#include "core/str.h"

/* Takes the next pair off the front; false at the end. Both are still encoded, and borrow from what
 * left does. A pair without "=" has an empty value; empty pairs are skipped. */
bool urlencoded_next(struct str *left, struct str *name, struct str *value);

/* Whether decoding changes anything. */
bool urlencoded_has_escapes(struct str s);

/* Decodes into out, which has room for s.n bytes and may be where s is; returns how many there are.
 * "+" is a space; a malformed escape stays as it is. */
size_t urlencoded_decode(struct str s, char *out);

/* The byte that a percent escape (RFC 3986 2.1) at the front of s stands for; -1 if there is
 * none. */
int urlencoded_byte(struct str s);

#endif
