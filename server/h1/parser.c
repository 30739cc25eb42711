#include "h1/parser.h"

#include "core/check.h"
#include "http/field.h"

enum {
    EMPTY_LINES_MAX = 2,   /* before a request, since some clients send a stray CRLF after a body */
    CHUNK_DIGITS_MAX = 15, /* so that no size overflows */
    CHUNK_LINE_MAX = 1024, /* bytes of a chunk's size and its extensions */
    EXTENSIONS_MAX = 16384, /* bytes of extensions in a message */
    CONNECTION_MAX = 1024,  /* bytes of Connection fields: each other field is looked up in them */
    LENGTH_DIGITS_MAX = 18,
};

void h1_parser_init(struct h1_parser *p, enum h1_role role, size_t max_bytes, size_t max_fields)
{
    *p = (struct h1_parser){.role = role, .max_bytes = max_bytes, .max_fields = max_fields};
    h1_line_init(&p->line);
}

void h1_parser_fini(struct h1_parser *p)
{
    h1_line_fini(&p->line);
}

static enum h1_event fail(struct h1_parser *p, enum h1_fault fault)
{
    p->state = H1_FAULTY;
    p->fault = fault;
    h1_line_fini(&p->line);
    return H1_ON_FAULT;
}

static enum h1_event end(struct h1_parser *p)
{
    h1_line_fini(&p->line);
    h1_parser_init(p, p->role, p->max_bytes, p->max_fields);
    return H1_ON_END;
}

/* Takes the next line. END if there is one, whatever the line is; MORE or FAULT if not. */
static enum h1_event take_line(struct h1_parser *p, struct str *data, size_t max, struct str *line)
{
    enum h1_fault fault = H1_NO_FAULT;
    if (h1_line_take(&p->line, data, max, line, &fault))
        return H1_ON_END;
    return fault ? fail(p, fault) : H1_ON_MORE;
}

/* Counts a line of the head or the trailers. */
static bool count_line(struct h1_parser *p, struct str line)
{
    enum { COST = 32 }; /* as RFC 9113 10.5.1 counts a field */
    p->bytes += line.n + COST;
    return p->bytes <= p->max_bytes;
}

/* The start line. */

static enum h1_event parse_start(struct h1_parser *p, struct str line)
{
    enum h1_fault fault = p->role == H1_SERVER ? h1_start_request(line, &p->start)
                                               : h1_start_response(line, &p->start);
    if (fault)
        return fail(p, fault);
    if (!count_line(p, line))
        return fail(p, H1_TOO_LARGE);
    p->minor = p->start.minor;
    p->status = p->start.status;
    p->state = H1_FIELDS;
    return H1_ON_START;
}

/* The first byte tells whether the peer speaks HTTP: one that does not may never send a whole
 * line. */
static bool may_start(const struct h1_parser *p, struct str data)
{
    if (data.n == 0 || h1_parser_in_line(p))
        return true;
    return data.p[0] == '\r' || data.p[0] == '\n' || !field_name_problem((struct str){data.p, 1});
}

static enum h1_event next_start(struct h1_parser *p, struct str *data)
{
    struct str line;
    for (;;) {
        if (!may_start(p, *data))
            return fail(p, H1_BAD_START);
        enum h1_event event = take_line(p, data, p->max_bytes, &line);
        if (event != H1_ON_END)
            return event;
        if (line.n)
            return parse_start(p, line);
        if (p->role == H1_CLIENT || ++p->empty_lines > EMPTY_LINES_MAX)
            return fail(p, H1_EMPTY_LINES);
    }
}

/* Fields. */

/* White space before the colon: a response loses it, a request with it is malformed, because two
 * readers might disagree on the name (RFC 9112 5.1). */
static enum h1_fault split_field(
    enum h1_role role, struct str line, struct str *name, struct str *value)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return H1_FOLDED; /* RFC 9112 5.2 */
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return H1_BAD_FIELD;
    *name = (struct str){line.p, (size_t)(colon - line.p)};
    *value = field_trim((struct str){colon + 1, line.n - name->n - 1});
    if (role == H1_CLIENT)
        *name = field_trim(*name);
    if (field_name_problem(*name))
        return H1_BAD_FIELD;
    return field_value_problem(*value) ? H1_CONTROL : H1_NO_FAULT;
}

/* Parses digits of base 10 or 16; false if the text is no number or has too many digits. */
static bool parse_number(struct str text, unsigned base, size_t digits, uint64_t *out)
{
    *out = 0;
    if (text.n == 0 || text.n > digits)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i], small = (char)(c | 0x20);
        unsigned digit = base;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (small >= 'a' && small <= 'f')
            digit = (unsigned)(small - 'a') + 10;
        if (digit >= base)
            return false;
        *out = *out * base + digit;
    }
    return true;
}

static enum h1_fault note_length(struct h1_parser *p)
{
    if (p->lengths++)
        return H1_TWO_LENGTHS;
    return parse_number(p->value, 10, LENGTH_DIGITS_MAX, &p->length) ? H1_NO_FAULT : H1_BAD_LENGTH;
}

/* RFC 9112 6.1. Chunked is the only coding that is supported, and must not be repeated; see
 * check_head. */
static enum h1_fault note_coding(struct h1_parser *p)
{
    struct str rest = p->value, name;
    p->coded = true;
    while (field_list_next(&rest, &name)) {
        bool is_chunked = field_same_name(name, STR("chunked"));
        if (field_name_problem(name) || (is_chunked && p->chunked))
            return H1_BAD_CODING;
        p->chunked |= is_chunked;
        p->other_coded |= !is_chunked;
        p->chunked_last = is_chunked;
    }
    return H1_NO_FAULT;
}

static enum h1_fault note_connection(struct h1_parser *p)
{
    p->named += p->value.n;
    if (p->named > CONNECTION_MAX)
        return H1_LONG_CONNECTION;
    p->close |= field_list_has(p->value, STR("close"));
    p->keep_alive |= field_list_has(p->value, STR("keep-alive"));
    return H1_NO_FAULT;
}

/* Notes a field that concerns the message itself. */
static enum h1_fault note_field(struct h1_parser *p)
{
    switch (p->name.n) {
    case 10:
        if (field_same_name(p->name, STR("connection")))
            return note_connection(p);
        break;
    case 14:
        if (field_same_name(p->name, STR("content-length")))
            return note_length(p);
        break;
    case 17:
        if (field_same_name(p->name, STR("transfer-encoding")))
            return note_coding(p);
        break;
    }
    return H1_NO_FAULT;
}

/* Finds what is wrong with the head as a whole. */
static enum h1_fault check_head(const struct h1_parser *p)
{
    if (p->coded && p->minor == 0)
        return H1_CODING_IN_1_0;
    if (p->coded && p->lengths)
        return H1_LENGTH_AND_CODING;
    /* RFC 9112 6.3: unless chunked is the last coding, the end of the message is unknown. */
    if (p->coded && !p->chunked_last)
        return H1_BAD_CODING;
    if (p->other_coded)
        return H1_UNKNOWN_CODING;
    return H1_NO_FAULT;
}

/* RFC 9112 6.3. */
static enum h1_event end_head(struct h1_parser *p)
{
    enum h1_fault fault = check_head(p);
    if (fault)
        return fail(p, fault);
    bool none = p->no_content;
    if (p->role == H1_CLIENT)
        none |= p->status < 200 || p->status == 204 || p->status == 304;
    p->chunked &= !none;
    p->left = p->lengths && !none ? p->length : 0;
    if (p->chunked)
        p->state = H1_CHUNK_SIZE;
    else if (p->lengths || none || p->role == H1_SERVER)
        p->state = H1_DELIMITED;
    else
        p->state = H1_UNTIL_CLOSE;
    if (!p->chunked)
        h1_line_fini(&p->line);
    return H1_ON_HEAD;
}

/* A field of the head or the trailers; END at the empty line that follows them. */
static enum h1_event next_field(struct h1_parser *p, struct str *data)
{
    struct str line;
    enum h1_event event = take_line(p, data, p->max_bytes, &line);
    if (event != H1_ON_END || line.n == 0)
        return event;
    if (!count_line(p, line))
        return fail(p, H1_TOO_LARGE);
    if (++p->fields > p->max_fields)
        return fail(p, H1_TOO_MANY_FIELDS);
    enum h1_fault fault = split_field(p->role, line, &p->name, &p->value);
    if (!fault && p->state == H1_FIELDS)
        fault = note_field(p);
    if (fault)
        return fail(p, fault);
    return p->state == H1_FIELDS ? H1_ON_FIELD : H1_ON_TRAILER;
}

/* Content. */

static enum h1_event next_content(struct h1_parser *p, struct str *data)
{
    size_t n = data->n;
    bool endless = p->state == H1_UNTIL_CLOSE || p->state == H1_TUNNEL;
    if (!endless && n > p->left)
        n = (size_t)p->left;
    if (n == 0)
        return H1_ON_MORE;
    if (!endless)
        p->left -= n;
    check_hot(n <= data->n);
    p->value = (struct str){data->p, n};
    *data = (struct str){data->p + n, data->n - n};
    if (p->state == H1_CHUNK && p->left == 0)
        p->state = H1_CHUNK_END;
    return H1_ON_CONTENT;
}

/* Whether the text after a chunk's size can be extensions (RFC 9112 7.1.1). They are ignored. */
static bool are_extensions(struct str text)
{
    struct str trimmed = field_trim(text);
    return text.n == 0 || (trimmed.n && trimmed.p[0] == ';' && !field_value_problem(text));
}

/* On success, a size of 0 ends the chunks. */
static enum h1_event parse_chunk_size(struct h1_parser *p, struct str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] != ';' && line.p[n] != ' ' && line.p[n] != '\t')
        n++;
    struct str extensions = {line.p + n, line.n - n};
    if (!parse_number((struct str){line.p, n}, 16, CHUNK_DIGITS_MAX, &p->left) ||
        !are_extensions(extensions))
        return fail(p, H1_BAD_CHUNK);
    p->extensions += extensions.n;
    if (p->extensions > EXTENSIONS_MAX)
        return fail(p, H1_LONG_CHUNK_LINE);
    p->state = p->left ? H1_CHUNK : H1_TRAILERS;
    return H1_ON_MORE;
}

static enum h1_event next_chunk_size(struct h1_parser *p, struct str *data)
{
    struct str line;
    enum h1_event event = take_line(p, data, CHUNK_LINE_MAX, &line);
    if (event == H1_ON_FAULT && p->fault == H1_TOO_LARGE)
        p->fault = H1_LONG_CHUNK_LINE;
    return event == H1_ON_END ? parse_chunk_size(p, line) : event;
}

/* The CRLF after a chunk, byte by byte; left counts the bytes seen. */
static enum h1_event next_chunk_end(struct h1_parser *p, struct str *data)
{
    for (; data->n && p->left < 2; p->left++, data->p++, data->n--)
        if (data->p[0] != "\r\n"[p->left])
            return fail(p, H1_BAD_CHUNK);
    if (p->left == 2) {
        p->left = 0;
        p->state = H1_CHUNK_SIZE;
    }
    return H1_ON_MORE;
}

/* One step. MORE if it gave no event; there may be data left even so. */
static enum h1_event step(struct h1_parser *p, struct str *data)
{
    enum h1_event event;
    switch (p->state) {
    case H1_START:
        return next_start(p, data);
    case H1_FIELDS:
        event = next_field(p, data);
        return event == H1_ON_END ? end_head(p) : event;
    case H1_TRAILERS:
        event = next_field(p, data);
        return event == H1_ON_END ? end(p) : event;
    case H1_DELIMITED:
        return p->left ? next_content(p, data) : end(p);
    case H1_CHUNK:
    case H1_UNTIL_CLOSE:
    case H1_TUNNEL:
        return next_content(p, data);
    case H1_CHUNK_SIZE:
        return next_chunk_size(p, data);
    case H1_CHUNK_END:
        return next_chunk_end(p, data);
    case H1_FAULTY:
        break;
    }
    return H1_ON_FAULT;
}

enum h1_event h1_parser_next(struct h1_parser *p, struct str *data)
{
    enum h1_event event;
    check_hot(p->state != H1_FAULTY);
    do
        event = step(p, data);
    while (event == H1_ON_MORE && data->n);
    return event;
}

void h1_parser_tunnel(struct h1_parser *p)
{
    check((p->state == H1_START && !h1_parser_in_line(p)) ||
          (p->state == H1_DELIMITED && p->left == 0));
    p->state = H1_TUNNEL;
}

enum h1_event h1_parser_close(struct h1_parser *p)
{
    if (p->state == H1_FAULTY)
        return H1_ON_FAULT;
    if (p->state == H1_UNTIL_CLOSE || p->state == H1_TUNNEL)
        return end(p);
    if (p->state == H1_START && !h1_parser_in_line(p) && !p->empty_lines)
        return H1_ON_MORE;
    return fail(p, H1_CUT_SHORT);
}
