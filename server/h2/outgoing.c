#include "h2/outgoing.h"

#include "core/check.h"

nghttp2_nv h2_pair(struct str name, struct str value, uint8_t owner)
{
    return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n, value.n, owner};
}

void h2_put_fields(nghttp2_nv *out, const struct fields *f, uint8_t owner)
{
    for (size_t i = 0; i < f->count; i++)
        out[i] = h2_pair(f->list[i].name, f->list[i].value, owner);
}

static int submit_trailers(nghttp2_session *ng, int32_t id, struct outgoing *o, uint8_t owner)
{
    nghttp2_nv *nva = arena_alloc(o->arena, o->trailers.count * sizeof *nva);
    if (!nva)
        return NGHTTP2_ERR_NOMEM;
    h2_put_fields(nva, &o->trailers, owner);
    return nghttp2_submit_trailer(ng, id, nva, o->trailers.count);
}

ssize_t h2_read_body(nghttp2_session *ng, int32_t id, struct outgoing *o, uint8_t owner,
    uint8_t *out, size_t room, uint32_t *flags)
{
    check_hot(o->head_taken);
    size_t n = outgoing_take_body(o, out, room);
    enum outgoing_step step = outgoing_next(o);
    if (step == OUTGOING_BODY && n < room) { /* filters had kept some of it back */
        n += outgoing_take_body(o, out + n, room - n);
        step = outgoing_next(o);
    }
    switch (step) {
    case OUTGOING_FAILED:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    case OUTGOING_TRAILERS:
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (submit_trailers(ng, id, o, owner))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        break;
    case OUTGOING_END:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        break;
    default:
        if (n == 0)
            return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}
