/*
 * Ending a query at the server after whoever asked has gone: PostgreSQL's cancel request, sent on a
 * connection of its own, which nobody waits for and which takes 2 seconds at most.
 *
 * It stands in for PQcancel, which blocks without any bound: a server that is stopped would hold a
 * thread for ever. The request names the connection by a number and a key that the server has told
 * at its beginning; libpq gives the key away in its trace alone, of which a key_reader reads the
 * one line.
 */
#ifndef LUA_MODULES_POSTGRES_CANCEL_H
#define LUA_MODULES_POSTGRES_CANCEL_H

#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ev_loop;

enum { CANCEL_LINE = 128 }; /* the line is shorter */

struct key_reader {
    FILE *file; /* the trace; NULL once the connection is open */
    char line[CANCEL_LINE];
    size_t n;
    bool is_known;
    int32_t process, key;
};

/* Begins to read the key of a connection that is being opened; no key will be known if there is no
 * memory. The reader must not move. */
void key_reader_start(struct key_reader *r, PGconn *pg);
void key_reader_stop(struct key_reader *r, PGconn *pg);

/* Cancels what the connection of that socket does. No effect if its key is not known. The socket
 * is looked at within the call alone. */
void cancel_start(struct ev_loop *ev, const struct key_reader *r, int fd);

#endif
