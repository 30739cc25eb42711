/*
 * An HTTP/2 session, as its two roles share it; for the files of this folder alone.
 *
 * Two states tell how it ends, and each goes forward only. One is of a graceful end:
 *
 *     H2_STAYS ──shut_down, many resets──▶ H2_NOTICED ──▶ H2_LEAVING ──GOAWAY made──▶ H2_LEFT
 *
 * H2_LEAVING follows at once where a client role has no stream. The other is of what went wrong:
 *
 *     H2_SOUND ──h2_judge──▶ H2_JUDGED ──GOAWAY with an error sent──▶ H2_FAILED
 *     H2_SOUND ──nghttp2's own verdict, memory runs out──▶ H2_FAILED
 *     any ──a frame is lost for lack of memory, or the peer is──▶ H2_MUTE
 *
 * A verdict after the session has failed changes nothing, and is not logged. The two states may
 * hold in every pair but one: in H2_MUTE no frame is made, so H2_LEAVING stays.
 */
#ifndef H2_SESSION_PRIVATE_H
#define H2_SESSION_PRIVATE_H

#include "core/list.h"
#include "core/log.h"
#include "core/str.h"
#include "h2/ended.h"
#include "h2/frames.h"
#include "h2/gaps.h"
#include "h2/header_size.h"
#include "h2/limits.h"
#include "http/limits.h"
#include "http/pace.h"
#include "http/session.h"
#include "http/waited.h"

#include <nghttp2/nghttp2.h>

struct h2_session;
struct h2_stream;

/* What a session does with its streams, by its role. Streams are the nodes of its lists. */
struct h2_role {
    /* Submits what a stream in the dirty list has to send. */
    void (*output)(struct list *dirty);
    /* Frees a stream in the dead list. */
    void (*free_dead)(struct list *dead);
    /* Frees a stream of a connection that has ended. */
    void (*free_lost)(struct list *link, struct cut cut);
    /* Counts the seconds since the last sweep against a stream's timeouts; may be NULL. */
    void (*sweep)(struct list *link, double seconds);
    /* Bytes of a stream; NULL in the client role. */
    size_t (*memory)(const struct list *link);
    /* Looks at the session itself, once a sweep; may be NULL. */
    void (*watch)(struct h2_session *s, double seconds);
    /* See session_host.alarm. */
    void (*on_alarm)(struct h2_session *s);
    /* One step of a graceful end. */
    void (*shut_down)(struct h2_session *s, enum session_end how);
};

enum h2_parting {
    H2_STAYS,
    H2_NOTICED, /* new streams are still taken; in the client role no calls are */
    H2_LEAVING, /* the last GOAWAY is due */
    H2_LEFT,    /* it was made */
};

enum h2_fault {
    H2_SOUND,
    H2_JUDGED, /* the peer has broken a rule that ends the connection: what it sends is not taken */
    H2_FAILED, /* only what tells the peer of the end goes out */
    H2_MUTE,   /* nothing goes out: the peer could not follow, or is not there */
};

struct h2_session {
    struct session base;
    const struct h2_role *role;
    const struct http_limits *common;
    const struct h2_limits *limits;
    nghttp2_session *ng;
    struct list streams; /* all, by their link; h2_stream, or h2_leg in the client role */
    struct list dirty;   /* those that may have something to send, by their dirty; dead likewise */
    struct list dead;    /* those to be freed by reap */
    struct list ending;  /* those that wait for the client's end, by h2_stream.dirty */
    struct h2_stream *recent; /* the one that nghttp2 spoke of last, until it closes it */
    struct str rest;          /* of the frame that fill could not take whole; nghttp2 owns it */
    struct guard guard;
    struct frames frames;
    struct gaps gaps;
    struct ended ended;
    uint32_t window_credit; /* WINDOW_UPDATEs that the DATA we sent accounts for */
    bool dribbled;          /* the last DATA was tiny for want of window */
    uint64_t data_sent;     /* bytes of DATA, with their padding */
    struct pace taking;     /* of the peer, of what waits for the connection's window */
    uint32_t continuations; /* of the header block under way */
    uint32_t legs;          /* streams, in the client role */
    uint32_t resets;        /* of streams by us, in the client role */
    uint32_t heard;         /* frames by which the server has shown that it lives, likewise */
    uint32_t doubted;       /* sweeps since a sign of life was asked for, from 1; 0 for never */
    struct {
        double seconds;     /* the shortest that a call under way asks for, or has; 0 for none */
        double quiet;       /* since when no frame has come, of clock_recent */
        double asked;       /* when PING was sent that nothing has come after; 0 for never */
    } keepalive;            /* in the client role: see call_options */
    double preface_seconds; /* waited for the peer's SETTINGS */
    double header_seconds;  /* waited for the end of the header block under way */
    bool greeted;           /* the peer's SETTINGS have come */
    enum h2_parting parting;
    enum h2_fault fault;
};

/* session.c: what the roles share in making a session. It is made in steps: h2_session_make, then
 * nghttp2's session in s->ng, with options and callbacks, then h2_session_greet. */
struct h2_session *h2_session_make(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, const struct h2_role *role);
/* NULL when memory ran out. */
const nghttp2_option *h2_session_options(void);
/* Sends SETTINGS; frees the session if that fails. RC_NOMEM. */
enum rc h2_session_greet(
    struct h2_session *s, const nghttp2_settings_entry *settings, size_t count) MUST_CHECK;
/* Bytes of a body that may have to be held: a peer that has not seen our SETTINGS yet sends by the
 * window that RFC 9113 6.9.2 gives it. */
size_t h2_body_max(const struct http_limits *limits);
/* Goes on to a later step of a graceful end; no effect if it has come that far. */
void h2_part(struct h2_session *s, enum h2_parting parting);
/* Only what tells the peer of the end goes out from here on; no effect where less does. */
void h2_fail(struct h2_session *s);
/* Nothing goes out from here on: the peer is not there. */
void h2_abandon(struct h2_session *s);
/* Ends the connection with a code; the log gives the event and its detail. */
void h2_judge(struct h2_session *s, uint32_t code, const char *event, struct log_field detail);
/* Counts an event of the peer's; ends the connection where it is one too many. */
void h2_count(struct h2_session *s, enum guard_kind kind);
/* Gives credit for bytes of DATA on the connection: on receipt, and never later. A connection may
 * carry the streams of many users (a proxy's in the server role, our own clients' in the client
 * role), and an unread body must hold up its own stream only. The windows of the streams that may
 * be open still bound what is held (RFC 9113 5.2.2). */
int h2_give_credit(struct h2_session *s, size_t n);
/* The callback that logs. */
int h2_on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user);

/* weigh.c: takes in received bytes, up to a verdict; 0, or an error of nghttp2's. */
ssize_t h2_input(struct h2_session *s, const uint8_t *data, size_t n);
/* server_output.c: a GOAWAY was sent. */
void h2_note_goaway(struct h2_session *s, const nghttp2_goaway *frame);
/* server_output.c: n bytes of DATA were sent, perhaps with more to follow: they earn
 * WINDOW_UPDATEs; DATA that the peer keeps tiny is counted against it. */
void h2_note_data(struct h2_session *s, size_t n, bool more);
#endif
