/*
 * Opens a file to append to, for a server that may have more rights than other users who can write
 * to its folder. As root it follows no link that another user may have made or moved, and takes no
 * file that has a second name in another user's folder.
 */
#ifndef NET_LOG_FILE_H
#define NET_LOG_FILE_H

#include <stdbool.h>
#include <sys/types.h>

enum { LOG_FILE_WHY = 128 };

/* Whether the path is one of the system's names for stdout or stderr, or "-"; out is then that
 * descriptor. What it is connected to may be a socket, which cannot be opened anew. */
bool log_file_is_standard(const char *path, int *out);
/* A descriptor, or -1 with why. A new file belongs to owner; an existing one keeps its own. A pipe
 * that has a name and no reader is an error, not a wait. */
int log_file_open(const char *path, uid_t owner, char why[LOG_FILE_WHY]);

#endif
