/* The inside of a connection; shared by the files that make it up alone. */
#ifndef NET_CONN_PRIVATE_H
#define NET_CONN_PRIVATE_H

#include "core/bytes.h"
#include "h2/guard.h"
#include "http/exchange.h"
#include "http/pace.h"
#include "http/session.h"
#include "net/conn.h"
#include "net/protocol.h"
#include "net/transport.h"

#include <ev.h>

enum conn_state { CONN_HANDSHAKE, CONN_GREETING, CONN_OPEN, CONN_LINGERING, CONN_DEAD };

struct conn {
    struct list link, dirty, idle;
    size_t memory; /* that it held when all were weighed; see room.c */
    struct loop *loop;
    enum conn_state state;
    int fd;
    bool has_tls;
    bool met;         /* the first bytes of a handshake have been looked at */
    bool ending;      /* no more input is taken; what is to be sent goes out, and then it lingers */
    bool input_ended; /* the peer sends nothing more, and what it asked for is still answered */
    bool send_failed; /* nothing more goes out; what the peer had sent before is still taken */
    size_t greeted;   /* bytes of HTTP/2's preface that have come, in CONN_GREETING */
    struct guard control; /* KeyUpdates, in either role and protocol */
    struct transport transport;
    struct session *session; /* in CONN_OPEN */
    struct session_host host;
    struct peer peer;
    struct bytes backlog;        /* sealed bytes that the socket did not take */
    uint64_t sent;               /* bytes that the socket has taken */
    struct pace taking;          /* of the peer, of what waits for it */
    double entered;              /* when the state was */
    double active;               /* when bytes were last received, or taken by the socket */
    double taken;                /* when bytes were last taken by the socket, or it had taken all */
    double ended;                /* when the peer's input was */
    struct census_entry *census; /* NULL for one that this server opened */
    struct dial *dial;           /* what dialled it, while it wants to know; else NULL */
    struct timer alarm;          /* the session's */
    ev_io readable, writable;
};

/* States go forward only, except that CONN_GREETING is entered again when the first byte comes. */
void conn_set_state(struct conn *c, enum conn_state state);
void conn_mark_dirty(struct conn *c);
void conn_free_session(struct conn *c, struct cut cut);

/* Reads while there is use for it: what a session does not want now stays with the peer. */
void conn_watch_input(struct conn *c);

/* conn_receive.c: the event that there is something to read. */
void conn_on_readable(struct ev_loop *ev, ev_io *w, int events);
/* conn_receive.c: goes on with the handshake. */
void conn_shake_hands(struct conn *c);
/* conn_receive.c: from here on the connection speaks the protocol. */
void conn_open_session(struct conn *c, enum protocol protocol);
/* conn_send.c: sends what the wire holds, and leaves the wire empty; a connection that can't send
 * is closed or, if an answer to a call may have come, only sends no more; what was sealed for it is
 * dropped. Returns whether nothing is left to be sent. */
bool conn_flush(struct conn *c);
/* conn_send.c: sends until the session has nothing more, the socket takes nothing more, or the wire
 * was full once: then others have their turn. */
void conn_pump(struct conn *c);

#endif
