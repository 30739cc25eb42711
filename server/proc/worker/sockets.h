/*
 * The listening sockets. The master holds one for each worker and address (SO_REUSEPORT) and keeps
 * it while workers come and go, so that connections in its queue wait for the next worker. A socket
 * that came from elsewhere is one for all workers.
 *
 * Socket number i is worker i's. Where there are fewer workers than sockets, since their number has
 * shrunk, all workers serve those above: to close a socket is to reset what waits in its queue.
 */
#ifndef PROC_WORKER_SOCKETS_H
#define PROC_WORKER_SOCKETS_H

#include "net/address.h"
#include "proc/options/options.h"

enum { SOCKETS_WHY = ADDRESS_WHY, SOCKETS_ADDRESSES = 2 * OPTIONS_MANY };

struct sockets_address {
    struct address address;
    char bound[ADDRESS_TEXT]; /* with the port that the system gave */
    bool shared;
    int count;
    int fds[OPTIONS_WORKERS];
};

struct sockets {
    int count;
    struct sockets_address addresses[SOCKETS_ADDRESSES];
};

/* Sockets for the addresses and workers of o: those of old, and new ones for what it lacks. They
 * are bound, and listen where a worker does. On failure none is left open but those of old.
 * RC_INVALID: an address; RC_SYSTEM. why then is one line that names it. */
enum rc sockets_open(const struct sockets *old, const struct options *o, struct sockets *out,
    char why[SOCKETS_WHY]) MUST_CHECK;
/* Closes all except those that kept also holds; kept may be NULL. s is empty afterwards. */
void sockets_close(struct sockets *s, const struct sockets *kept);
/* Adds a socket that this process was given, to be served as the kind does. RC_LIMIT, RC_SYSTEM. */
enum rc sockets_adopt(struct sockets *s, int fd, const struct listener_kind *kind) MUST_CHECK;

/* Closes those that a worker, of so many, is not to serve. */
void sockets_keep_for_worker(struct sockets *s, int worker, int workers);
/* Calls serve for each socket that a worker is to serve, of so many workers. */
void sockets_of_worker(const struct sockets *s, int worker, int workers,
    void (*serve)(void *data, int fd, const struct listener_kind *kind), void *data);
/* The addresses as URLs, with commas between. */
enum { SOCKETS_TEXT = SOCKETS_ADDRESSES * (ADDRESS_TEXT + 16) };
void sockets_format(const struct sockets *s, char out[SOCKETS_TEXT]);

/* All that another process needs to go on with the sockets, as a text, and back. The text is on the
 * heap, by malloc. NULL; RC_INVALID. */
char *sockets_export(const struct sockets *s);
enum rc sockets_import(const char *text, struct sockets *out) MUST_CHECK;

#endif
