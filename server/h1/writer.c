#include "h1/writer.h"

#include "core/check.h"

#include <stdio.h>

void h1_write_text(struct h1_writer *w, struct str text)
{
    check_hot(w->rest_len == 0);
    w->rest = text.p;
    w->rest_len = text.n;
}

/* Text that is put together in an arena: first its size is counted, then it is written. */
struct text {
    char *at; /* NULL while the size is counted */
    size_t n;
};

static void put(struct text *t, struct str piece)
{
    if (t->at)
        memcpy(t->at + t->n, piece.p, piece.n);
    t->n += piece.n;
}

static void put_fields(struct text *t, const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++) {
        put(t, f->list[i].name);
        put(t, STR(": "));
        put(t, f->list[i].value);
        put(t, STR("\r\n"));
    }
}

static void put_section(struct text *t, const struct h1_section *part)
{
    put(t, part->first);
    put_fields(t, part->fields);
    put(t, part->last);
    put(t, STR("\r\n"));
}

bool h1_write_section(struct h1_writer *w, struct arena *a, const struct h1_section *part)
{
    struct text t = {NULL, 0};
    put_section(&t, part);
    t.at = arena_bytes(a, t.n);
    if (!t.at)
        return false;
    t.n = 0;
    put_section(&t, part);
    h1_write_text(w, (struct str){t.at, t.n});
    return true;
}

/* The whole queued body as one piece. */
static void write_body(struct h1_writer *w, const struct outgoing *o)
{
    w->piece = o->body.len;
    w->piece_ends_chunk = o->framing == FRAMING_CHUNKS;
    if (w->piece_ends_chunk) {
        int n = snprintf(w->chunk_line, sizeof w->chunk_line, "%zx\r\n", w->piece);
        h1_write_text(w, (struct str){w->chunk_line, (size_t)n});
    }
}

static bool write_trailers(struct h1_writer *w, struct outgoing *o)
{
    const struct h1_section trailers = {STR("0\r\n"), &o->trailers, STR("")};
    return h1_write_section(w, o->arena, &trailers);
}

bool h1_write_step(struct h1_writer *w, struct outgoing *o, enum outgoing_step step)
{
    switch (step) {
    case OUTGOING_BODY:
        write_body(w, o);
        return true;
    case OUTGOING_TRAILERS:
        if (!write_trailers(w, o))
            return false;
        break;
    case OUTGOING_END:
        if (o->framing == FRAMING_CHUNKS)
            h1_write_text(w, STR("0\r\n\r\n"));
        break;
    case OUTGOING_FAILED:
        return false;
    default:
        return true;
    }
    outgoing_note_end(o);
    return true;
}

static size_t take_rest(struct h1_writer *w, char *out, size_t room)
{
    size_t n = w->rest_len < room ? w->rest_len : room;
    if (n) {
        memcpy(out, w->rest, n);
        w->rest += n;
        w->rest_len -= n;
    }
    return n;
}

/* A reset may have removed the body: the piece is cut short then. */
static size_t take_piece(struct h1_writer *w, struct outgoing *o, char *out, size_t room)
{
    size_t n = w->piece < room ? w->piece : room;
    n = outgoing_take_body(o, out, n);
    w->piece = n ? w->piece - n : 0;
    if (w->piece == 0 && w->piece_ends_chunk && n) {
        w->piece_ends_chunk = false;
        h1_write_text(w, STR("\r\n"));
    }
    return n;
}

size_t h1_writer_take(struct h1_writer *w, struct outgoing *o, char *out, size_t room)
{
    size_t n = take_rest(w, out, room);
    if (o && w->piece && n < room) {
        n += take_piece(w, o, out + n, room - n);
        n += take_rest(w, out + n, room - n);
    }
    return n;
}
