/*
 * A connection over memory: an nghttp2 client at one end, a session of ours at the other, and a
 * handler behind it. Nothing moves but in a turn, which is the worker's:
 *
 *     what the client has to send → session → handler runs → session → client; reap
 *
 * A session that is over is freed then, as a connection would.
 *
 * The files beside this one: stage has the script's folder, its notes and the log; frames and lines
 * write down what a client of HTTP/2 and of HTTP/1.x hears; other plays the servers that a handler
 * calls; caller is the same with the roles turned: a session of ours that calls, and a server made
 * by hand.
 *
 * A test is listed with wire_test(). At its end the session and the handler are freed; then nothing
 * may be alive, no block more than before, and no error or warning logged that was not asked for.
 */
#ifndef SESSION_WIRE_H
#define SESSION_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/live.h"
#include "core/mem.h"
#include "h2/limits.h"
#include "h2/server.h"
#include "http/code.h"
#include "http/dispatch.h"
#include "http/limits.h"
#include "http/part.h"
#include "http/session.h"
#include "program/program.h"

#include "frames.h"
#include "stage.h"

struct ev_loop;
struct bridge;
struct connector;
struct handler;
struct socket_group;

enum { WIRE_UPLOADS = 8 };

struct wire_limits {
    struct http_limits http;
    struct h2_limits h2;
};
/* The defaults. */
struct wire_limits wire_limits(void);

/* A request's body on its way. */
struct wire_upload {
    int32_t stream;
    struct text body;     /* not sent yet */
    struct text trailers; /* "name: value\n" for each */
    bool ends;
};

struct wire {
    struct session_host host;
    struct wire_limits limits;
    struct session *session; /* NULL once it is freed: it was over, or dropped */
    enum rc refused;         /* what recv gave last */
    struct dispatch dispatch;
    struct parts parts;
    struct bridge *bridge; /* NULL where the handler is one in C */
    struct ev_loop *ev;
    struct programs programs;
    struct socket_group *sockets;
    nghttp2_session *client; /* NULL for HTTP/1.x */
    struct frames frames;
    struct text up;    /* bytes from the client that were not delivered yet */
    struct text down;  /* bytes that a client of HTTP/1.x received, and no test has looked at */
    struct text taken; /* notes or log that were last looked at */
    struct wire_upload uploads[WIRE_UPLOADS];
    size_t grain; /* bytes that a turn delivers up, and that a fill is given room for */
    bool stuck;   /* the client takes nothing: the session isn't asked for bytes */
    bool cut;     /* the session that was freed has left something cut short */
    bool dirty;   /* the session wants fill and reap */
    double alarm; /* seconds until the session wants on_alarm; 0 for none */
};

struct wire_options {
    const char *handler;           /* the body of a Lua function of ctx */
    const char *script;            /* or a whole script */
    bool folder;                   /* or what the test has put on the stage with stage_write */
    struct handler *plugged;       /* or a handler in C; borrowed */
    struct filter_source *filters; /* between the handler and the connection; borrowed */
    bool dev;
    size_t max_memory; /* bytes that a vm may take */
    unsigned max_generations;
    struct connector *connector; /* for mt.http; borrowed */
    size_t grain;
    int32_t window; /* the client's, of a stream; it gives no credit of its own then */
    const struct wire_limits *limits; /* copied */
    bool http_1; /* the client speaks HTTP/1.x, by wire_say and wire_raw alone */
    bool bare;   /* nothing is exchanged yet, and the client's preface not sent */
};

/* Loads the script anew, with this text in place of the old; it must load. */
void wire_reload(struct wire *w, const char *script);

/* Opens the connection, and ends the exchange of prefaces unless it is bare. */
struct wire *wire_open(const struct wire_options *o);
/* The same with nothing but a handler, or a script. */
struct wire *wire_handler(const char *body);
struct wire *wire_script(const char *script);
/* For a test that opens several, one after the other. The last one is closed by itself. */
void wire_close(struct wire *w);

/* What the client does. Everything is queued for the next turn. */

/* A whole request; returns its stream. */
int32_t wire_get(struct wire *w, const char *path);
int32_t wire_request(struct wire *w, const char *method, const char *path);
/* A request with more fields, "name: value\n" for each, whose body is still to come. */
int32_t wire_begin(struct wire *w, const char *method, const char *path, const char *fields);
void wire_send(struct wire *w, int32_t stream, const char *data, size_t n);
void wire_end(struct wire *w, int32_t stream);
void wire_end_with_trailers(struct wire *w, int32_t stream, const char *trailers);
/* Makes room for another upload, once the stream is over. */
void wire_forget(struct wire *w, int32_t stream);
void wire_reset(struct wire *w, int32_t stream, uint32_t code);
/* Credit for n bytes on a stream, or on the connection (0). */
void wire_credit(struct wire *w, int32_t stream, int32_t n);
/* The lines of a client of HTTP/1.x, each "\n" made a CRLF. */
void wire_say(struct wire *w, const char *lines);
/* Bytes as they are, behind what is queued. */
void wire_raw(struct wire *w, const void *bytes, size_t n);
/* A frame put together by hand. */
void wire_frame(
    struct wire *w, uint8_t type, uint8_t flags, int32_t stream, const void *payload, size_t n);
/* The connection is gone: the session is freed. */
void wire_drop(struct wire *w, struct cut cut);

/* What happens then. */

/* Moves what the client has to send to w->up. */
void wire_collect(struct wire *w);
/* Returns whether there may be more to do. */
bool wire_turn(struct wire *w);
/* The first step of a turn alone: the handler does not run. */
bool wire_deliver(struct wire *w);
/* Turns until nothing moves. */
void wire_settle(struct wire *w);
/* Waits for timers, and turns until nothing moves. */
void wire_wait(struct wire *w);

/* What is asserted. Each settles first. */

/* The frames that the client received since the last call. */
void wire_expect(struct wire *w, const char *lines);
/* What a client of HTTP/1.x received since the last call: "\n" stands for CRLF, any other control
 * character is escaped, and a date of this minute's is "now". */
void wire_expect_text(struct wire *w, const char *lines);
/* The same, and the session is over then. */
void wire_expect_last(struct wire *w, const char *lines);
/* What the scripts noted since the last call. */
void wire_expect_notes(struct wire *w, const char *lines);
/* The log since the last call has this in it. */
void wire_expect_log(struct wire *w, const char *part);
/* All DATA of a stream is n times the byte. */
void wire_expect_body(struct wire *w, int32_t stream, char byte, size_t n);
/* How many handlers run, and how many of them wait. */
void wire_expect_tasks(struct wire *w, int tasks, int waits);

/* A script that does not load: the reason has this in it. */
void wire_expect_unloadable(const char *script, const char *part);

/* The frame of a response with neither body nor trailers. */
#define EMPTY_RESPONSE(stream) \
    "HEADERS stream=" stream " END_STREAM :status=200 date=now content-length=0\n"

/* For the files of this folder: fails where the text differs, and shows where. */
void wire_compare(const char *what, const char *expected, const struct text *actual);

int wire_test_start(void **state);
int wire_test_end(void **state);

#define wire_test(test) cmocka_unit_test_setup_teardown(test, wire_test_start, wire_test_end)

#endif
