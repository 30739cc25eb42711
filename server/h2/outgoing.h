/* What outgoing messages, responses and requests, are to nghttp2. */
#ifndef H2_OUTGOING_H
#define H2_OUTGOING_H

#include "http/outgoing.h"

#include <nghttp2/nghttp2.h>

/* The owner of a header block's strings until it is sent. */
enum {
    H2_BORROW = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    H2_COPY = NGHTTP2_NV_FLAG_NONE,
};

nghttp2_nv h2_pair(struct str name, struct str value, uint8_t owner);
void h2_put_fields(nghttp2_nv *out, const struct fields *f, uint8_t owner);

/* What a data provider's callback gives: bytes of the body, and its end. Trailers are submitted
 * from here and nowhere else: from elsewhere they would overtake DATA. NGHTTP2_ERR_DEFERRED where
 * there is nothing yet. */
ssize_t h2_read_body(nghttp2_session *ng, int32_t id, struct outgoing *o, uint8_t owner,
    uint8_t *out, size_t room, uint32_t *flags);

#endif
