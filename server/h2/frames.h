/*
 * The frames among received bytes, cut out ahead of nghttp2. nghttp2 does not show the frames that
 * it ignores: those on closed streams, those of unknown types, and all PRIORITY once
 * NO_RFC7540_PRIORITIES is announced. Limits and rules apply to these too.
 */
#ifndef H2_FRAMES_H
#define H2_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a frame begins with. */
struct frame_head {
    uint32_t length;
    uint8_t type, flags;
    int32_t stream;
    int32_t depends_on; /* of PRIORITY; 0 in others */
};

enum {
    FRAME_HEAD_SIZE = 9,
    FRAME_SEEN_MAX = FRAME_HEAD_SIZE + 4, /* with the stream that PRIORITY names */
};

struct frames {
    struct frame_head last; /* the last that began */
    uint32_t payload;       /* bytes of it to come */
    uint32_t seen_len;
    uint8_t seen[FRAME_SEEN_MAX]; /* of the next one's head */
};

/* The bytes of a client begin with its preface. */
void frames_init(struct frames *f, bool of_client);
/* Passes over bytes, up to the first head that they complete; returns how many. *begins says
 * whether there is one, which is f->last then. */
size_t frames_cut(struct frames *f, const uint8_t *data, size_t n, bool *begins);
/* Whether a header block has begun and not ended. */
bool frames_in_block(const struct frames *f);

#endif
