/*
 * The other servers that a handler calls: the test plays them, at the end of http/call.h where a
 * session would be. Calls are numbered from 0 in the order in which they were made.
 */
#ifndef SESSION_OTHER_H
#define SESSION_OTHER_H

#include "http/connector.h"

#include "wire.h"

enum { OTHER_CALLS = 8 };

/* A connection whose handler, the body of a Lua function of ctx, reaches them. */
struct wire *other_open(const char *handler);
/* The same of a whole script. Each call is answered by itself, in other_turn. */
struct wire *other_open_served(const char *script);
/* One turn of servers that answer by themselves; whether something moved. */
bool other_turn(void);
/* Calls that are made from now on are refused, with this. */
void other_refuse(const char *why);
/* How a call was made. */
const struct call_options *other_options(int call);

/* All settle first. */

/* What has come of a request since the last call: "GET http://host/path", a line for each field but
 * user-agent and te, an empty line, the body, and "|", behind which trailers follow, at its end. */
void other_expect(struct wire *w, int call, const char *text);
/* The same, as a number of bytes. */
size_t other_take(struct wire *w, int call);
/* No call was made. */
void other_expect_none(struct wire *w);
/* The call was let go of, with the code. */
void other_expect_cancelled(struct wire *w, int call, uint32_t code);
/* It was not. */
void other_expect_held(struct wire *w, int call);

/* The response. Fields and trailers are "name: value\n" for each. */
void other_head(struct wire *w, int call, int status, const char *fields);
void other_body(struct wire *w, int call, const char *data, size_t n);
/* Nothing follows; the request goes on. */
void other_end(struct wire *w, int call, const char *trailers);
/* The call is over: where the response has ended, whole. */
void other_done(struct wire *w, int call, enum call_end how, const char *why);
/* A whole response with a body. */
void other_answer(struct wire *w, int call, int status, const char *body);

#endif
