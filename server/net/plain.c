/* The transport for plaintext. */
#include "net/transport.h"

#include "core/check.h"

#include <string.h>

static enum rc handshake(struct transport *t, const char **why)
{
    (void)t, (void)why;
    return RC_OK;
}

static enum rc open_bytes(struct transport *t, const uint8_t **data, size_t *n)
{
    struct wire *w = t->wire;
    if (w->in_left == 0)
        return RC_AGAIN;
    *data = w->in_next;
    *n = w->in_left;
    w->in_left = 0;
    return RC_OK;
}

static enum rc seal(struct transport *t, const uint8_t *data, size_t n)
{
    struct wire *w = t->wire;
    check_hot(n <= WIRE_RECORD);
    if (n > sizeof w->out - w->out_len)
        return RC_NOMEM;
    memcpy(w->out + w->out_len, data, n);
    w->out_len += n;
    return RC_OK;
}

static void nothing(struct transport *t)
{
    (void)t;
}

static const struct transport_ops plain_ops = {
    .handshake = handshake,
    .open = open_bytes,
    .seal = seal,
    .end = nothing,
    .fini = nothing,
};

void transport_plain(struct transport *t, struct wire *wire)
{
    *t = (struct transport){.ops = &plain_ops, .wire = wire};
}
