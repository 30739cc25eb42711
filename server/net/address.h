/* Addresses to listen on: their text, and the sockets bound to them. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "core/rc.h"
#include "net/listener_kind.h"

#include <stdbool.h>
#include <sys/socket.h>

enum {
    ADDRESS_TEXT = 64,  /* room for "[v6]:port" with a scope */
    ADDRESS_HOST = 256, /* room for a host name */
    ADDRESS_URL = ADDRESS_HOST + 24,
    ADDRESS_WHY = 512, /* room for any message in *why below */
};

struct address {
    const struct listener_kind *kind; /* what its scheme says */
    char host[ADDRESS_HOST];          /* a name or an address, without brackets */
    char port[8];
    bool both_families; /* at [::] IPv4 is taken as well */
};

/* Reads "SCHEME://HOST:PORT". RC_INVALID; why then says what is wrong with it. */
enum rc address_parse(const char *url, struct address *out, char why[ADDRESS_WHY]) MUST_CHECK;
/* The same, written. */
void address_url(const struct address *a, char out[ADDRESS_URL]);
/* Reads "HOST:PORT", and leaves the kind as it is. RC_INVALID. */
enum rc address_split(const char *text, struct address *out) MUST_CHECK;
/* A listening, non-blocking socket, at an address where no other listens; the process may bind more
 * to it afterwards. RC_SYSTEM; why then names the address, the error, the cure. */
enum rc address_listen(const struct address *a, int *fd, char why[ADDRESS_WHY]) MUST_CHECK;
/* One more socket at the address of a listening one. It gets connections, which the system spreads
 * over all of them, once listen is called. RC_SYSTEM, as above. */
enum rc address_bind_again(int listening, int *fd, char why[ADDRESS_WHY]) MUST_CHECK;
/* An address in numbers, as address_of_socket gives it. RC_SYSTEM: its name is unknown. */
enum rc address_resolve(const struct address *a, char out[ADDRESS_TEXT]) MUST_CHECK;
/* "host:port" or "[host]:port" in numbers, an IPv4 address that an IPv6 socket has as IPv4;
 * "unix:PATH", of a long path the beginning. */
void address_format(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_TEXT]);
/* The address a socket is bound to, in the same form. */
void address_of_socket(int fd, char out[ADDRESS_TEXT]);
/* Whether a socket takes IPv4 as well as IPv6, which was settled when it was bound. */
bool address_takes_both(int fd);
/* Whether a socket is bound to an address that other machines can't reach. */
bool address_is_loopback(int fd);

#endif
