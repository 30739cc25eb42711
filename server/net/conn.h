/*
 * A connection: a socket, its transport, and the session that speaks over it.
 *
 *     CONN_HANDSHAKE ──with TLS──┐
 *     CONN_GREETING ──plaintext──┴─protocol known──▶ CONN_OPEN
 *     CONN_OPEN ──session over, all sent──▶ CONN_LINGERING ──peer closes──▶ CONN_DEAD
 *
 * One that this server opened, to call another, is CONN_HANDSHAKE or CONN_OPEN, and CONN_DEAD when
 * its session is over. Any state goes to CONN_DEAD when the socket fails or a timeout passes.
 * Lingering lets the peer read the last bytes: closing a socket with unread input would make the
 * kernel discard them.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "core/list.h"
#include "core/rc.h"
#include "http/cut.h"
#include "http/session.h"
#include "net/loop.h"

#include <stdbool.h>
#include <sys/socket.h>

struct conn;
struct dial;
struct tls;

/* Takes over a connected, non-blocking socket; tls is NULL for plaintext. On failure the socket is
 * closed. RC_LIMIT past the loop's limits of connections, RC_NOMEM. */
enum rc conn_open(
    struct loop *l, int fd, struct tls *tls, const struct sockaddr *sa, socklen_t len) MUST_CHECK;

/* Takes over a socket that dial.c has connected, in the client role; it counts in no census. On
 * failure the socket is closed. RC_NOMEM. */
enum rc conn_open_out(
    struct loop *l, int fd, struct dial *d, const struct sockaddr *sa, socklen_t len) MUST_CHECK;

/* For the loop; link and dirty nodes of its lists give the connection. */
struct conn *conn_of_link(struct list *link);
struct conn *conn_of_dirty(struct list *dirty);
/* Sends what there is, and frees exchanges that are done. */
void conn_turn(struct conn *c);
/* Closes at once, and queues the connection for conn_free. Handlers are told of the cut. */
void conn_close(struct conn *c, struct cut cut);
/* Like conn_close, for a connection that has no session yet: its dial is told why. */
void conn_abandon(struct conn *c, const char *why);
/* Like conn_close, but its dial is not told. */
void conn_disown(struct conn *c, struct cut cut);
void conn_free(struct conn *c);
/* One step of a graceful end; see session_ops.shut_down. */
void conn_shut_down(struct conn *c, enum session_end how);
/* Closes a connection whose handshake is not over. */
void conn_cut_handshake(struct conn *c);
/* Seconds without a request or input; 0 while it is at work. */
double conn_idle_seconds(const struct conn *c, double now);
/* The memory it holds, in bytes: its session's, and what its socket did not take. */
size_t conn_memory(const struct conn *c);
/* Sends what ends an idle connection in order, as far as the socket takes it. */
void conn_say_goodbye(struct conn *c);
/* Looks for timeouts that have passed: now, of clock_monotonic, and the seconds since the last
 * sweep. */
void conn_sweep(struct conn *c, double now, double seconds);

#endif
