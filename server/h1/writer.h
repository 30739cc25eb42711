/*
 * Writes a message of HTTP/1.x, response or request, as bytes. They wait here until there is room
 * for them: text first, which is in an arena or static, then a piece of the body, which is taken
 * from the message's own queue.
 */
#ifndef H1_WRITER_H
#define H1_WRITER_H

#include "core/arena.h"
#include "core/str.h"
#include "http/field.h"
#include "http/outgoing.h"

struct h1_writer {
    const char *rest; /* text made to be sent, and not sent yet */
    size_t rest_len;
    size_t piece;          /* bytes of the body that follow it unchanged */
    bool piece_ends_chunk; /* and CRLF after them */
    char chunk_line[24];   /* the size of the chunk that goes out */
};

/* The parts of a head, or of a trailer section: a line, fields, and lines of the connection's. */
struct h1_section {
    struct str first;
    const struct fields *fields;
    struct str last;
};

/* Makes text the rest, of which there must be none. */
void h1_write_text(struct h1_writer *w, struct str text);
/* The same with a section, put together in the arena; false when memory ran out. */
bool h1_write_section(struct h1_writer *w, struct arena *a, const struct h1_section *part);
/* The same for a step of a message after its head; marks the message sent with its last step. False
 * if memory ran out. */
bool h1_write_step(struct h1_writer *w, struct outgoing *o, enum outgoing_step step);

/* Moves what waits to out; o is the message under way, or NULL where only the text is to go. */
size_t h1_writer_take(struct h1_writer *w, struct outgoing *o, char *out, size_t room);

#endif
