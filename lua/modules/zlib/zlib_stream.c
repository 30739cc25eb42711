#include "lua/modules/zlib/zlib_stream.h"

#include "core/check.h"
#include "core/mem.h"

enum {
    ROOM_FIRST = 4096,
    MEMORY_LEVEL = 8, /* zlib's default */
    GZIP_WINDOW = 16, /* what zlib adds to the window's bits for a format */
    AUTO_WINDOW = 32,
    PIECE_MAX = 1 << 30 /* zlib counts in 32 bits */
};

static void *take(void *unused, unsigned count, unsigned size)
{
    (void)unused;
    return mem_calloc(count, size);
}

static void give(void *unused, void *block)
{
    (void)unused;
    mem_free(block);
}

static int window_bits(enum zlib_format format)
{
    switch (format) {
    case ZLIB_GZIP:
        return MAX_WBITS + GZIP_WINDOW;
    case ZLIB_AUTO:
        return MAX_WBITS + AUTO_WINDOW;
    case ZLIB_RAW:
        return -MAX_WBITS;
    default:
        return MAX_WBITS;
    }
}

/* Frees zlib's state, if there is one. */
static void leave(struct zlib_stream *s, enum zlib_state state)
{
    if (s->state == ZLIB_OPEN && s->inflates)
        inflateEnd(&s->z);
    else if (s->state == ZLIB_OPEN)
        deflateEnd(&s->z);
    s->state = state;
}

static enum rc fail(struct zlib_stream *s, enum rc rc)
{
    leave(s, ZLIB_FAILED);
    zlib_stream_drop_output(s);
    return rc;
}

static enum rc open_as(struct zlib_stream *s, enum zlib_format format, int code)
{
    check(s->state == ZLIB_CLOSED);
    s->format = format;
    s->state = code == Z_OK ? ZLIB_OPEN : ZLIB_FAILED;
    return code == Z_OK ? RC_OK : RC_NOMEM;
}

enum rc zlib_stream_open_deflate(struct zlib_stream *s, enum zlib_format format, int level)
{
    s->z.zalloc = take;
    s->z.zfree = give;
    s->limit = s->left = UINT64_MAX;
    return open_as(s, format,
        deflateInit2(
            &s->z, level, Z_DEFLATED, window_bits(format), MEMORY_LEVEL, Z_DEFAULT_STRATEGY));
}

enum rc zlib_stream_open_inflate(struct zlib_stream *s, enum zlib_format format, uint64_t limit)
{
    s->z.zalloc = take;
    s->z.zfree = give;
    s->inflates = true;
    s->limit = s->left = limit;
    return open_as(s, format, inflateInit2(&s->z, window_bits(format)));
}

/* Output. */

/* Makes room for more output, but not for more than may come out. */
static bool make_room(struct zlib_stream *s)
{
    if (s->len < s->room || s->left == 0)
        return true;
    uint64_t more = s->room ? s->room : ROOM_FIRST;
    if (more > s->left)
        more = s->left;
    unsigned char *moved = mem_resize(s->out, s->room, s->room + (size_t)more);
    if (!moved)
        return false;
    s->out = moved;
    s->room += (size_t)more;
    return true;
}

/* Calls zlib once; *code is its result. If the limit is reached, zlib gets one spare byte to fill:
 * if it does, the output is too large. */
static enum rc step(struct zlib_stream *s, int flush, int *code)
{
    unsigned char spare = 0;
    if (!make_room(s))
        return RC_NOMEM;
    size_t room = s->room - s->len;
    if (room > s->left)
        room = (size_t)s->left;
    if (room > PIECE_MAX)
        room = PIECE_MAX;
    s->z.next_out = room ? s->out + s->len : &spare;
    s->z.avail_out = room ? (unsigned)room : 1;
    *code = s->inflates ? inflate(&s->z, flush) : deflate(&s->z, flush);
    if (room == 0)
        return s->z.avail_out ? RC_OK : RC_LIMIT;
    s->len += room - s->z.avail_out;
    s->left -= room - s->z.avail_out;
    return RC_OK;
}

void zlib_stream_drop_output(struct zlib_stream *s)
{
    mem_put(s->out, s->room);
    s->out = NULL;
    s->len = s->room = 0;
}

void zlib_stream_close(struct zlib_stream *s)
{
    leave(s, ZLIB_CLOSED);
    zlib_stream_drop_output(s);
}

/* Both functions process one piece, of at most PIECE_MAX bytes, from z.next_in. */

static enum rc deflate_piece(struct zlib_stream *s, int flush)
{
    int code = Z_OK;
    do {
        enum rc rc = step(s, flush, &code);
        if (rc)
            return rc;
    } while (s->z.avail_out == 0);
    return RC_OK;
}

static enum rc refuse(struct zlib_stream *s, const char *problem)
{
    s->problem = problem;
    return RC_INVALID;
}

/* A gzip member has ended, or the whole input. More members may follow (RFC 1952 2.2). */
static enum rc end_member(struct zlib_stream *s)
{
    s->whole = true;
    if (s->z.avail_in == 0)
        return RC_OK;
    if (s->format != ZLIB_GZIP)
        return refuse(s, "data behind the end");
    s->whole = false;
    inflateReset2(&s->z, window_bits(s->format));
    return RC_OK;
}

/* What zlib's result means for the stream. */
static enum rc judge(struct zlib_stream *s, int code)
{
    switch (code) {
    case Z_OK:
    case Z_BUF_ERROR: /* there was nothing to do */
        return RC_OK;
    case Z_STREAM_END:
        return end_member(s);
    case Z_NEED_DICT:
        return refuse(s, "it needs a dictionary");
    case Z_MEM_ERROR:
        return RC_NOMEM;
    default:
        return refuse(s, s->z.msg ? s->z.msg : "corrupt data");
    }
}

/* The first byte tells the format. A gzip member can be followed only by further ones. */
static void settle_format(struct zlib_stream *s)
{
    if (s->started)
        return;
    s->started = true;
    if (s->format == ZLIB_AUTO)
        s->format = s->z.next_in[0] == 0x1f ? ZLIB_GZIP : ZLIB_ZLIB;
}

static enum rc inflate_piece(struct zlib_stream *s, int flush)
{
    if (s->z.avail_in == 0)
        return RC_OK;
    settle_format(s);
    enum rc rc = s->whole ? end_member(s) : RC_OK;
    while (!rc && !s->whole) {
        int code = Z_OK;
        rc = step(s, flush, &code);
        if (!rc)
            rc = judge(s, code);
        if (s->z.avail_in == 0 && s->z.avail_out)
            break;
    }
    return rc;
}

enum rc zlib_stream_run(struct zlib_stream *s, const char *data, size_t n, int flush)
{
    enum rc rc;
    check(s->state == ZLIB_OPEN);
    do {
        size_t piece = n < PIECE_MAX ? n : PIECE_MAX;
        bool last = piece == n;
        s->z.next_in = (unsigned char *)data;
        s->z.avail_in = (unsigned)piece;
        rc = s->inflates ? inflate_piece(s, Z_NO_FLUSH)
                         : deflate_piece(s, last ? flush : Z_NO_FLUSH);
        data += piece;
        n -= piece;
    } while (!rc && n);
    return rc ? fail(s, rc) : RC_OK;
}

enum rc zlib_stream_finish(struct zlib_stream *s, const char *data, size_t n)
{
    enum rc rc = zlib_stream_run(s, data, n, Z_FINISH);
    if (!rc && s->inflates && !s->whole)
        rc = fail(s, refuse(s, "the data is cut short"));
    if (!rc)
        leave(s, ZLIB_ENDED);
    return rc;
}
