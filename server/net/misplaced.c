#include "net/misplaced.h"

#include "http/exchange.h"

#include <string.h>

enum { TLS_HANDSHAKE = 0x16 }; /* the type of a ClientHello's record (RFC 8446 5.1) */

static bool begins(const uint8_t *data, size_t n, struct str with)
{
    return n >= with.n && memcmp(data, with.p, with.n) == 0;
}

const char *misplaced_reason(bool tls, const uint8_t *data, size_t n)
{
    if (begins(data, n, STR("PROXY ")) || begins(data, n, STR("\r\n\r\n\0\r\nQUIT\n")))
        return "a PROXY protocol header, which is not taken here";
    return !tls && misplaced_is_answered(data, n) ? "a TLS hello on an http port" : NULL;
}

bool misplaced_is_answered(const uint8_t *data, size_t n)
{
    return n && data[0] == TLS_HANDSHAKE;
}

/* A method begins with a letter; a TLS record never does. */
bool misplaced_is_plaintext(const uint8_t *data, size_t n)
{
    return n && ((data[0] | 0x20) >= 'a' && (data[0] | 0x20) <= 'z');
}

static bool on_start(struct handler *h, struct exchange *x)
{
    static const struct str words = {"This port speaks HTTPS: https://", 32};
    const struct request *r = &x->request;
    size_t n = words.n + r->authority.n + r->path.n + 1;
    char *text = arena_bytes(&x->arena, n);
    (void)h;
    if (!text) {
        exchange_respond(x, 503, STR("Service Unavailable\n"), NULL);
        return true;
    }
    memcpy(text, words.p, words.n);
    if (r->authority.n)
        memcpy(text + words.n, r->authority.p, r->authority.n);
    if (r->path.n)
        memcpy(text + words.n + r->authority.n, r->path.p, r->path.n);
    text[n - 1] = '\n';
    exchange_respond(x, 400, (struct str){text, n}, NULL);
    return true;
}

static const struct handler_ops ops = {.start = on_start};

struct handler misplaced_handler = {.ops = &ops};
