/*
 * Room for connections: which of them make way where there are as many as may be, no descriptor is
 * left, or what they hold is too much. One that idles does so first: it is told (GOAWAY in HTTP/2),
 * and loses nothing.
 *
 * What connections hold is not counted as they go. The process's own count of its heap
 * (core/mem.h), which costs nothing more, can't be less: only where that has passed the limit are
 * they looked at, each by its session, and again after each further sixty-fourth of the limit.
 */
#ifndef NET_ROOM_H
#define NET_ROOM_H

#include <stdbool.h>

struct conn;
struct loop;

/* Closes the connection that has idled longest, where one has for a second or more: the limit, an
 * option's name, is for the log. False where there is none. */
bool room_make(struct loop *l, const char *limit);
/* Looks at what connections hold: where that passes max-connection-memory, the one that has idled
 * longest and the heaviest are closed in turns, until a sixteenth of the limit is free. For the end
 * of a turn. */
void room_bound_memory(struct loop *l);
/* From the sweep: notes a connection that idles, by its seconds; 0 for one that does not. */
void room_note_idle(struct conn *c, double seconds);

#endif
