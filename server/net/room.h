/*
 * Room for connections: which of them are closed when their limit is reached, no descriptor is
 * left, or they hold too much memory. Idle ones are closed first: the client is told (GOAWAY in
 * HTTP/2), and loses nothing.
 *
 * The memory of each connection is not counted all the time. The process's own count of its heap
 * (core/mem.h) is free and never less than their sum: only when it has passed the limit are the
 * sessions asked, and again after each further sixty-fourth of the limit.
 */
#ifndef NET_ROOM_H
#define NET_ROOM_H

#include <stdbool.h>

struct conn;
struct loop;

/* Closes the connection that has idled longest, if it has for a second or more; limit, an option's
 * name, is for the log. False if there is none. */
bool room_make(struct loop *l, const char *limit);
/* Checks what connections hold, at the end of a turn: past max-connection-memory, the one that has
 * idled longest and the heaviest are closed alternately, until a sixteenth of the limit is free. */
void room_bound_memory(struct loop *l);
/* From the sweep: notes a connection that idles, by its seconds; 0 for one that does not. */
void room_note_idle(struct conn *c, double seconds);

#endif
