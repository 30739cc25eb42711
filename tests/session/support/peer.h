/*
 * What scripts connect sockets to: a server in the file system, on the test's own loop, that sends
 * back what it gets; and the sockets of the vm under test.
 */
#ifndef SESSION_PEER_H
#define SESSION_PEER_H

#include <stdbool.h>

struct ev_loop;
struct socket_group;

/* The sockets, for vm_options. */
struct socket_group *peer_sockets_new(struct ev_loop *ev);
/* Their step in a turn; whether something moved. */
bool peer_sockets_run(struct socket_group *all);
void peer_sockets_free(struct socket_group *all);

/* Listens at the path, until peer_end. */
void peer_listen(struct ev_loop *ev, const char *path);
void peer_end(void);

#endif
