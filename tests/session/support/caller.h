/*
 * A session in its client role, with calls, and a server made by hand: what the session sends is
 * written down, as text or as frames, and what it receives is said byte by byte.
 *
 * What the calls are told is noted, a line an event behind the call's number:
 *
 *     0 interim 103 link=x
 *     0 head HTTP/1.1 200 content-length=5
 *     0 body 'Hello'
 *     0 trailers sum=1
 *     0 ended
 *     0 done whole
 *
 * A body is read as it comes and noted whole with what follows it. A test is listed with
 * caller_test(), which ends as wire_test() does.
 */
#ifndef SESSION_CALLER_H
#define SESSION_CALLER_H

#include "wire.h"

#include "http/call.h"

enum { CALLER_CALLS = 8 };

struct caller_call {
    struct call call;
    int number;
    bool begun;   /* the call was initialized */
    bool unread;  /* its body is left alone */
    bool changed; /* there may be something to read */
    struct text body;
};

struct caller {
    struct session_host host;
    struct session *session; /* NULL once it is freed: it was over, or dropped */
    enum rc refused;         /* what recv gave last */
    struct http_limits http;
    struct h2_limits h2;
    nghttp2_session *peer; /* reads what is sent by HTTP/2 */
    struct frames frames;
    struct text sent; /* by HTTP/1.x */
    struct text notes;
    double alarm; /* seconds, as the session has set it last; 0 once it has rung */
    bool frees;   /* calls are freed as they are done: who looks at one then is found out */
    size_t grain;
    struct caller_call calls[CALLER_CALLS];
};

/* One for HTTP/1.x; grain bytes are moved at a time, 0 for all there are. */
struct caller *caller_open_1(size_t grain);
/* One for HTTP/2, once both prefaces have gone. */
struct caller *caller_open_2(size_t grain);
void caller_close(struct caller *c);

/* A call whose request is still OPEN. */
struct call *caller_aim(struct caller *c, int number, const char *method, const char *target);
void caller_begin(struct caller *c, int number);
/* A whole request without a body. */
struct call *caller_get(struct caller *c, int number, const char *target);
void caller_write(struct caller *c, int number, const char *body);
void caller_finish(struct caller *c, int number);

/* What the server sends, at once. "\n" is CRLF in lines. */
void caller_say(struct caller *c, const char *lines);
void caller_raw(struct caller *c, const void *bytes, size_t n);
void caller_frame(
    struct caller *c, uint8_t type, uint8_t flags, int32_t stream, const void *payload, size_t n);
/* The server's SETTINGS, and what else of nghttp2's own is due. */
void caller_settings(struct caller *c, const nghttp2_settings_entry *entries, size_t count);
/* HEADERS with a block of "name: value\n" lines, none of them compressed. */
void caller_headers(struct caller *c, int32_t stream, uint8_t flags, const char *fields);
void caller_data(struct caller *c, int32_t stream, uint8_t flags, const char *body);
/* The server sends nothing more. */
void caller_end_input(struct caller *c);
/* Lets the time of the session's alarm pass, which must be set. */
void caller_wait_alarm(struct caller *c);
/* And rings it. */
void caller_ring(struct caller *c);
/* The connection is gone. */
void caller_drop(struct caller *c);
void caller_settle(struct caller *c);

/* What was sent, and what was noted, since the last call. Each settles first. */
void caller_expect_sent(struct caller *c, const char *lines);
void caller_expect_frames(struct caller *c, const char *lines);
void caller_expect(struct caller *c, const char *notes);
/* How many calls more it takes. */
void caller_expect_room(struct caller *c, uint32_t room);

int caller_test_end(void **state);

#define caller_test(test) cmocka_unit_test_setup_teardown(test, wire_test_start, caller_test_end)

#endif
