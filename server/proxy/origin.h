/* An origin: another server, as a URL names it, and what a connection to it is made of. */
#ifndef PROXY_ORIGIN_H
#define PROXY_ORIGIN_H

#include "core/rc.h"
#include "core/str.h"

#include <stdbool.h>

enum origin_scheme {
    ORIGIN_HTTP,  /* HTTP/1.1 over TCP */
    ORIGIN_HTTPS, /* TLS; ALPN says which HTTP */
    ORIGIN_H2C,   /* HTTP/2 over TCP, by prior knowledge */
    ORIGIN_UNIX,  /* HTTP/1.1 over a socket in the file system */
};

enum {
    ORIGIN_HOST = 256, /* room for a name, an address, or a socket's path */
    ORIGIN_WHY = 256,  /* room for any message in *why below */
};

struct origin {
    enum origin_scheme scheme;
    char host[ORIGIN_HOST]; /* a name or an address, without brackets and without a final dot; a
                               path for ORIGIN_UNIX */
    char port[8];           /* in digits; "" for ORIGIN_UNIX */
    char authority[ORIGIN_HOST + 8]; /* as Host and :authority say it */
};

/*
 * Reads "http://HOST[:PORT]", "https://HOST[:PORT]", "h2c://HOST[:PORT]" or "unix:PATH", the first
 * three perhaps with a path, which target then holds from its slash on ("" if there is none).
 * RC_INVALID; why then says what is wrong with the URL.
 */
enum rc origin_parse(
    struct str url, struct origin *out, struct str *target, char why[ORIGIN_WHY]) MUST_CHECK;
/* The same of a URL that requests are put behind: it has no query. */
enum rc origin_parse_base(
    struct str url, struct origin *out, struct str *base, char why[ORIGIN_WHY]) MUST_CHECK;
/* Whether a connection to one serves the other as well. */
bool origin_same(const struct origin *a, const struct origin *b);
/* "http" or "https": the scheme of a request to it. */
struct str origin_http_scheme(const struct origin *o);

#endif
