/*
 * A stream through zlib, one way: what goes in is taken at once, and what comes out is kept until
 * it is fetched. It knows no Lua.
 *
 *     ZLIB_CLOSED ──open──▶ ZLIB_OPEN ──finish──▶ ZLIB_ENDED
 *                               └──any error──▶ ZLIB_FAILED
 *     ZLIB_OPEN, ZLIB_ENDED, ZLIB_FAILED ──close──▶ ZLIB_CLOSED
 *
 * It owns zlib's state, only while it is OPEN, and its output. All memory is from core/mem.h.
 */
#ifndef LUA_MODULES_ZLIB_ZLIB_STREAM_H
#define LUA_MODULES_ZLIB_ZLIB_STREAM_H

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

/* What the bytes are wrapped in. */
enum zlib_format { ZLIB_GZIP, ZLIB_ZLIB, ZLIB_RAW, ZLIB_AUTO };

enum zlib_state { ZLIB_CLOSED, ZLIB_OPEN, ZLIB_ENDED, ZLIB_FAILED };

struct zlib_stream {
    z_stream z;
    enum zlib_state state;
    enum zlib_format format;
    bool inflates;
    bool started, whole;  /* of inflating: input was seen; it may end here */
    uint64_t limit, left; /* bytes that may come out in all; still */
    const char *problem;  /* what is wrong with the input; static */
    unsigned char *out;   /* output that was not fetched yet */
    size_t len, room;
};

/* Both begin with a stream of zeros. On an error it is FAILED. RC_NOMEM. */

/* format is not ZLIB_AUTO; level is 0..9, or -1 for zlib's default. */
enum rc zlib_stream_open_deflate(
    struct zlib_stream *s, enum zlib_format format, int level) MUST_CHECK;
/* ZLIB_AUTO takes gzip and zlib. No more than limit bytes come out, nor are they held. */
enum rc zlib_stream_open_inflate(
    struct zlib_stream *s, enum zlib_format format, uint64_t limit) MUST_CHECK;

/* On an OPEN stream: takes n bytes and adds to s->out what becomes of them. flush is Z_NO_FLUSH, or
 * to deflate Z_SYNC_FLUSH. RC_NOMEM; RC_LIMIT past the limit; RC_INVALID for corrupt input, and
 * then s->problem says how. On an error the stream is FAILED, and its output gone. */
enum rc zlib_stream_run(struct zlib_stream *s, const char *data, size_t n, int flush) MUST_CHECK;
/* As zlib_stream_run for the last bytes: then it is ENDED. RC_INVALID as well for input cut short.
 */
enum rc zlib_stream_finish(struct zlib_stream *s, const char *data, size_t n) MUST_CHECK;
/* Empties s->out. */
void zlib_stream_drop_output(struct zlib_stream *s);
/* In any state. */
void zlib_stream_close(struct zlib_stream *s);

#endif
