/*
 * A strict parser of HTTP/1.x messages (RFC 9112), requests or responses. It is fed what arrives,
 * in pieces of any size, and gives one event a call: the same events, however the bytes are cut. It
 * holds the line under way and nothing else: content is passed on where it lies.
 *
 *     START ──▶ FIELDS ──▶ DELIMITED ─────────────────────────────────▶ END ──▶ START
 *                 │  └───▶ UNTIL_CLOSE ──the connection's end────────▶ END
 *                 └──────▶ CHUNK_SIZE ◀──▶ CHUNK ──▶ CHUNK_END
 *                               └──last──▶ TRAILERS ──────────────────▶ END
 *
 * When told to, START goes to TUNNEL, as does DELIMITED at its end; TUNNEL gives CONTENT up to the
 * connection's end.
 *
 * Any state goes to FAULTY, and stays there. What a message may not say about its own length is a
 * fault, never a guess: two readers that guess differently see two different requests.
 */
#ifndef H1_PARSER_H
#define H1_PARSER_H

#include "core/str.h"
#include "h1/fault.h"
#include "h1/line.h"
#include "h1/start.h"

#include <stdint.h>

enum h1_role { H1_SERVER /* reads requests */, H1_CLIENT /* reads responses */ };

enum h1_state {
    H1_START,
    H1_FIELDS,
    H1_DELIMITED,
    H1_UNTIL_CLOSE,
    H1_CHUNK_SIZE,
    H1_CHUNK,
    H1_CHUNK_END,
    H1_TRAILERS,
    H1_TUNNEL,
    H1_FAULTY,
};

enum h1_event {
    H1_ON_MORE,    /* all of the data was taken, and there is no event yet */
    H1_ON_START,   /* parser.start is the first line */
    H1_ON_FIELD,   /* parser.name and parser.value are a field */
    H1_ON_HEAD,    /* the fields have ended */
    H1_ON_CONTENT, /* parser.value is a piece of content */
    H1_ON_TRAILER, /* parser.name and parser.value are a field after the content */
    H1_ON_END,     /* the message has ended; the next one may begin */
    H1_ON_FAULT,   /* parser.fault is what is wrong, from now on */
};

struct h1_parser {
    enum h1_role role;
    enum h1_state state;
    enum h1_fault fault;
    size_t max_bytes, max_fields; /* of the head and the trailers together */

    /* Of the last event; borrowed from the data, or from the line, until the next call. */
    struct h1_start start;
    struct str name, value;

    /* Of the message, once its head has ended. */
    int minor;
    int status;      /* of a response */
    uint64_t left;   /* bytes of content, or of the chunk, still to come */
    bool chunked;    /* content comes in chunks */
    bool close;      /* connection: close */
    bool keep_alive; /* connection: keep-alive */
    bool no_content; /* set between START and the head's end: this response has none, for it answers
                        HEAD */

    struct h1_line line;
    size_t bytes, fields, lengths;
    size_t extensions; /* bytes of chunk extensions */
    size_t named;      /* bytes of Connection fields */
    uint64_t length;
    unsigned empty_lines;
    bool coded;        /* there was a transfer-encoding */
    bool other_coded;  /* with another coding than chunked */
    bool chunked_last; /* chunked is the last coding, or the only one */
};

void h1_parser_init(struct h1_parser *p, enum h1_role role, size_t max_bytes, size_t max_fields);
void h1_parser_fini(struct h1_parser *p);

/* Takes from the front of the data what makes up the next event. */
enum h1_event h1_parser_next(struct h1_parser *p, struct str *data);
/* Behind a message without content, whose END need not have been given: all that follows, up to the
 * connection's end, is content of a tunnel. */
void h1_parser_tunnel(struct h1_parser *p);
/* The connection has ended: END if that ends a message, MORE between messages, else FAULT. */
enum h1_event h1_parser_close(struct h1_parser *p);

/* Whether a line is under way, and not complete. */
static inline bool h1_parser_in_line(const struct h1_parser *p)
{
    return p->line.n && !p->line.complete;
}

/* Whether the next byte is content. */
static inline bool h1_parser_in_content(const struct h1_parser *p)
{
    return (p->left && (p->state == H1_DELIMITED || p->state == H1_CHUNK)) ||
           p->state == H1_UNTIL_CLOSE || p->state == H1_TUNNEL;
}

/* Whether content comes next, or follows the framing in the same piece. */
static inline bool h1_parser_near_content(const struct h1_parser *p)
{
    return h1_parser_in_content(p) || p->state == H1_CHUNK_SIZE || p->state == H1_CHUNK_END;
}

#endif
