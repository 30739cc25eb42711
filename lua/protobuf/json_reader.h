/*
 * Reading JSON strictly by RFC 8259: text in UTF-8, no comments, no comma after the last element,
 * no name without quotes. An error is raised with the place in the message and in the text.
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

/* The text of a string, or the characters of a number. */
struct json_piece {
    const char *from, *to; /* the token in the whole text */
    const char *at, *end;
};

inline size_t json_length(const json_piece &p)
{
    return (size_t)(p.end - p.at);
}

/* Raises an error with the line and byte of `where` in the text. */
[[noreturn]] void json_fail(const json_reader &r, const place &at, const char *where,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The beginning of a token as it is in the text, without quotes, for a message. */
struct json_shown {
    int n;
    const char *text;
};
json_shown json_show(const json_piece &p);

/* Moves to the next token, and returns its first character; 0 at the end of the text. */
char json_peek(json_reader &r);

/* Moves past the character, or raises. */
void json_expect(json_reader &r, const place &at, char c);
/* Moves past the character if it comes next; returns whether it did. */
bool json_take(json_reader &r, char c);
/* Whether another member or element follows: moves past a comma or the closing character. */
bool json_more(json_reader &r, const place &at, char closes);

/* Moves past a literal, whose first character comes next. */
void json_literal(json_reader &r, const place &at, const char *literal);
/* Reads a number. */
json_piece json_number(json_reader &r, const place &at);
/* Reads a string. Pushes the value that keeps its text alive, or nil if the text is that of the
 * input. [-0, +1], may longjmp */
json_piece json_string(json_reader &r, const place &at);

/* Moves past a value of any kind that is at most so many levels deep. [-0, +0], may longjmp */
void json_skip(json_reader &r, const place &at, int levels);

/* Raises that another token was expected. */
[[noreturn]] void json_fail_type(json_reader &r, const place &at, const char *expected);

} // namespace codec

#endif
