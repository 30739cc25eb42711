/*
 * A stream through zlib in one direction: input is processed at once, and output is kept until it
 * is fetched. It does not use Lua.
 *
 *     ZLIB_CLOSED ──open──▶ ZLIB_OPEN ──finish──▶ ZLIB_ENDED
 *                               └──any error──▶ ZLIB_FAILED
 *     ZLIB_OPEN, ZLIB_ENDED, ZLIB_FAILED ──close──▶ ZLIB_CLOSED
 *
 * It owns its output and, only while it is OPEN, zlib's state. All memory is from core/mem.h.
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
    bool started, whole;  /* of inflating: input was seen; the input may end here */
    uint64_t limit, left; /* bytes that may come out, in all and still */
    const char *problem;  /* what is wrong with the input; a static string */
    unsigned char *out;   /* output that was not fetched yet */
    size_t len, room;
};

/* Both initialize a zeroed stream. On an error it is FAILED. RC_NOMEM. */

/* format is not ZLIB_AUTO; level is 0..9, or -1 for zlib's default. */
enum rc zlib_stream_open_deflate(
    struct zlib_stream *s, enum zlib_format format, int level) MUST_CHECK;
/* ZLIB_AUTO accepts gzip and zlib. At most limit bytes come out; no more are stored. */
enum rc zlib_stream_open_inflate(
    struct zlib_stream *s, enum zlib_format format, uint64_t limit) MUST_CHECK;

/* On an OPEN stream: processes n bytes and appends the output to s->out. flush is Z_NO_FLUSH or,
 * for deflating, Z_SYNC_FLUSH. RC_NOMEM; RC_LIMIT beyond the limit; RC_INVALID for corrupt input,
 * and then s->problem tells what is wrong. On an error the stream is FAILED, and its output is
 * lost. */
enum rc zlib_stream_run(struct zlib_stream *s, const char *data, size_t n, int flush) MUST_CHECK;
/* As zlib_stream_run, for the last bytes: the stream is ENDED then. Also RC_INVALID for input that
 * is cut short. */
enum rc zlib_stream_finish(struct zlib_stream *s, const char *data, size_t n) MUST_CHECK;
/* Empties s->out. */
void zlib_stream_drop_output(struct zlib_stream *s);
/* In any state. */
void zlib_stream_close(struct zlib_stream *s);

#endif
