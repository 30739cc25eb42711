/*
 * Reading JSON (RFC 8259), to the letter: text that is UTF-8, no comments, no comma behind the last
 * one, no name without quotes. What does not fit raises, with the place in the message and in the
 * text.
 */
#ifndef LUA_PROTOBUF_JSON_READER_H
#define LUA_PROTOBUF_JSON_READER_H

#include "lua/protobuf/pace.h"

namespace codec
{

struct json_reader {
    struct pace &pace;
    const char *text, *at, *end;
};

/* What a string says, or the characters of a number. */
struct json_piece {
    const char *from, *to; /* the token in the text of the whole */
    const char *at, *end;
};

inline size_t json_length(const json_piece &p)
{
    return (size_t)(p.end - p.at);
}

/* Raises, with the line and byte of the place in the text. */
[[noreturn]] void json_fail(const json_reader &r, const place &at, const char *where,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The front of a token as it stands in the text, without its quotes, for a message. */
struct json_shown {
    int n;
    const char *text;
};
json_shown json_show(const json_piece &p);

/* Moves to the next token, and gives its first character; 0 at the end of the text. */
char json_peek(json_reader &r);

/* Moves past that character, or raises. */
void json_expect(json_reader &r, const place &at, char c);
/* Whether it is there; moves past it then. */
bool json_take(json_reader &r, char c);
/* Whether another member, or element, follows behind one: a comma, or else what closes. */
bool json_more(json_reader &r, const place &at, char closes);

/* Moves past the literal, of which the first character is there. */
void json_literal(json_reader &r, const place &at, const char *literal);
/* Reads a number. */
json_piece json_number(json_reader &r, const place &at);
/* Reads a string, and pushes what keeps it: nil where it says what stands in the text. [-0, +1],
 * may longjmp */
json_piece json_string(json_reader &r, const place &at);

/* Moves past a value of any kind, at most so many levels deep. [-0, +0], may longjmp */
void json_skip(json_reader &r, const place &at, int levels);

/* Raises that something else was expected where a token begins. */
[[noreturn]] void json_fail_type(json_reader &r, const place &at, const char *expected);

} // namespace codec

#endif
