/*
 * What a client receives, written down a line a frame:
 *
 *     SETTINGS MAX_CONCURRENT_STREAMS=128 INITIAL_WINDOW_SIZE=65536
 *     HEADERS stream=1 :status=200 date=now content-length=12
 *     DATA stream=1 END_STREAM len=12 'Hello world\n'
 *     WINDOW_UPDATE stream=0 increment=983041
 *     RST_STREAM stream=3 code=CANCEL
 *     GOAWAY last=3 code=PROTOCOL_ERROR
 *
 * Flags are END_STREAM and ACK. A field's value stands in quotes where it has a space. A date
 * of this minute's is "now". Data is shown up to FRAMES_SHOWN bytes. A frame that the client took
 * for wrong, or that came on a stream it had closed, is INVALID or IGNORED.
 */
#ifndef SESSION_FRAMES_H
#define SESSION_FRAMES_H

#include "text.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

enum { FRAMES_SHOWN = 40, FRAMES_BODIES = 64 };

struct frames {
    struct text lines;
    struct text fields, data;          /* of the frame that is being received */
    nghttp2_frame_hd begun;            /* its header */
    bool open;                         /* there is one */
    struct text bodies[FRAMES_BODIES]; /* the DATA of the n-th client's stream, joined */
};

/* Sets the callbacks; their user data is a struct frames. */
void frames_callbacks(nghttp2_session_callbacks *callbacks);
/* A frame that was begun and not completed is IGNORED. */
void frames_flush(struct frames *f);
/* All DATA of a stream so far. */
struct text *frames_body(struct frames *f, int32_t stream);
/* Whether a value is the date of this minute or of the one before, in HTTP's form. */
bool frames_is_now(const char *value);
void frames_clear(struct frames *f);

#endif
