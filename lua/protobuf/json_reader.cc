#include "lua/protobuf/json_reader.h"

#include "lua/protobuf/number.h"

extern "C" {
#include "lua/modules/utf8.h"
}

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace codec
{

enum {
    STEP_CHARACTERS = 16, /* of a string, which count as one step */
    SHOWN_MAX = 40        /* bytes of a token that a message shows */
};

void json_fail(const json_reader &r, const place &at, const char *where, const char *format, ...)
{
    char what[150];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    long line = 1 + std::count(r.text, where, '\n');
    const void *newline = memrchr(r.text, '\n', (size_t)(where - r.text));
    const char *begin = newline ? (const char *)newline + 1 : r.text;
    place_fail(r.pace.L, at, "%s (line %ld, byte %ld)", what, line, (long)(where - begin) + 1);
}

json_shown json_show(const json_piece &p)
{
    bool quoted = *p.from == '"';
    size_t n = (size_t)(p.to - p.from) - 2 * quoted;
    const char *text = p.from + quoted;
    if (n > SHOWN_MAX)
        n = utf8_length(text, SHOWN_MAX);
    return {(int)n, text};
}

char json_peek(json_reader &r)
{
    while (r.at < r.end && (*r.at == ' ' || *r.at == '\t' || *r.at == '\n' || *r.at == '\r'))
        r.at++;
    return r.at < r.end ? *r.at : '\0';
}

/* Describes the next character, for a message. */
static void describe(const json_reader &r, char *out, size_t size)
{
    unsigned char c = r.at < r.end ? (unsigned char)*r.at : 0;
    if (r.at == r.end)
        snprintf(out, size, "the end");
    else if (c > ' ' && c < 0x7f)
        snprintf(out, size, "%c", c);
    else
        snprintf(out, size, "a byte 0x%02x", c);
}

[[noreturn]] static void fail_syntax(const json_reader &r, const place &at, const char *expected)
{
    char there[20];
    describe(r, there, sizeof there);
    json_fail(r, at, r.at, "not JSON: expected %s, got %s", expected, there);
}

void json_expect(json_reader &r, const place &at, char c)
{
    char expected[] = {c, '\0'};
    if (json_peek(r) != c || r.at == r.end)
        fail_syntax(r, at, expected);
    r.at++;
}

bool json_take(json_reader &r, char c)
{
    if (json_peek(r) != c)
        return false;
    r.at++;
    return true;
}

bool json_more(json_reader &r, const place &at, char closes)
{
    char expected[] = {',', ' ', 'o', 'r', ' ', closes, '\0'};
    pace_step(r.pace);
    if (json_take(r, ','))
        return true;
    if (!json_take(r, closes))
        fail_syntax(r, at, expected);
    return false;
}

void json_literal(json_reader &r, const place &at, const char *literal)
{
    size_t n = strlen(literal);
    if ((size_t)(r.end - r.at) < n || memcmp(r.at, literal, n) != 0)
        fail_syntax(r, at, "a value");
    r.at += n;
}

json_piece json_number(json_reader &r, const place &at)
{
    const char *end = number_end(r.at, r.end);
    if (!end)
        json_fail(r, at, r.at, "not JSON: not a number");
    json_piece p = {r.at, end, r.at, end};
    pace_walk(r.pace, json_length(p) / STEP_CHARACTERS);
    r.at = end;
    return p;
}

/* Strings. */

/* The value of four hexadecimal digits; -1 if they are not. */
static long hex4(const char *at, const char *end)
{
    long v = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i], low = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            v = 16 * v + (c - '0');
        else if (low >= 'a' && low <= 'f')
            v = 16 * v + (low - 'a' + 10);
        else
            return -1;
    }
    return v;
}

static bool is_high(long v)
{
    return v >= 0xd800 && v < 0xdc00;
}

static bool is_low(long v)
{
    return v >= 0xdc00 && v < 0xe000;
}

/* The length of the escape that begins with the backslash; 0 if it is invalid. */
static int escape_length(const char *at, const char *end)
{
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return strchr("\"\\/bfnrt", at[1]) && at[1] ? 2 : 0;
    long v = hex4(at + 2, end);
    if (v < 0 || is_low(v))
        return 0;
    if (!is_high(v))
        return 6;
    bool pair = end - at >= 12 && at[6] == '\\' && at[7] == 'u' && is_low(hex4(at + 8, end));
    return pair ? 12 : 0;
}

/* Writes a character as UTF-8, and returns its length. */
static size_t put_character(char *out, unsigned long c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i > 0; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n & 0xffu) | c);
    return n;
}

/* Writes the character of an escape of that length, and returns how many bytes it takes. */
static size_t put_escape(char *out, const char *at, int length)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (length == 2) {
        const char *found = strchr(from, at[1]);
        *out = found ? to[found - from] : at[1];
        return 1;
    }
    auto v = (unsigned long)hex4(at + 2, at + 6);
    if (length == 12)
        v = 0x10000 + ((v - 0xd800) << 10) + ((unsigned long)hex4(at + 8, at + 12) - 0xdc00);
    return put_character(out, v);
}

/* Pushes the text of a string, whose escapes are well-formed. */
static void unescape(json_reader &r, json_piece &p)
{
    char *out = (char *)lua_newuserdatauv(r.pace.L, json_length(p), 0), *to = out;
    for (const char *at = p.at; at < p.end;) {
        auto escape = (const char *)memchr(at, '\\', (size_t)(p.end - at));
        size_t plain = (size_t)((escape ? escape : p.end) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (escape) {
            int length = escape_length(at, p.end);
            to += put_escape(to, at, length);
            at += length;
        }
    }
    p.at = out;
    p.end = to;
}

/* Moves to the closing quote. Returns whether there are escapes. */
static bool find_end(json_reader &r, const place &at)
{
    bool escaped = false;
    while (r.at < r.end && *r.at != '"') {
        int length = 1;
        if ((unsigned char)*r.at < 0x20)
            json_fail(r, at, r.at, "not JSON: a control character in a string");
        if (*r.at == '\\') {
            length = escape_length(r.at, r.end);
            escaped = true;
        }
        if (length == 0)
            json_fail(r, at, r.at, "not JSON: not an escape");
        r.at += length;
    }
    if (r.at == r.end)
        fail_syntax(r, at, "\"");
    return escaped;
}

json_piece json_string(json_reader &r, const place &at)
{
    json_piece p = {r.at, nullptr, r.at + 1, nullptr};
    r.at++;
    bool escaped = find_end(r, at);
    p.end = r.at++;
    p.to = r.at;
    pace_walk(r.pace, json_length(p) / STEP_CHARACTERS);
    size_t well_formed = utf8_length(p.at, json_length(p));
    if (well_formed < json_length(p))
        json_fail(r, at, p.at + well_formed, "not JSON: not UTF-8");
    if (escaped)
        unescape(r, p);
    else
        lua_pushnil(r.pace.L);
    return p;
}

/* Values of any kind. */

static void skip_string(json_reader &r, const place &at)
{
    json_string(r, at);
    lua_pop(r.pace.L, 1);
}

static void skip_object(json_reader &r, const place &at, int levels)
{
    json_expect(r, at, '{');
    if (json_take(r, '}'))
        return;
    do {
        if (json_peek(r) != '"')
            fail_syntax(r, at, "a name");
        skip_string(r, at);
        json_expect(r, at, ':');
        json_skip(r, at, levels - 1);
    } while (json_more(r, at, '}'));
}

static void skip_array(json_reader &r, const place &at, int levels)
{
    json_expect(r, at, '[');
    if (json_take(r, ']'))
        return;
    do
        json_skip(r, at, levels - 1);
    while (json_more(r, at, ']'));
}

void json_skip(json_reader &r, const place &at, int levels)
{
    char c = json_peek(r);
    if (levels <= 0)
        json_fail(r, at, r.at, "more than %d levels", DEPTH_MAX);
    luaL_checkstack(r.pace.L, LUA_MINSTACK, "protobuf");
    if (c == '{')
        skip_object(r, at, levels);
    else if (c == '[')
        skip_array(r, at, levels);
    else if (c == '"')
        skip_string(r, at);
    else if (c == 't' || c == 'f' || c == 'n')
        json_literal(r, at, c == 't' ? "true" : c == 'f' ? "false" : "null");
    else if (c == '-' || (c >= '0' && c <= '9'))
        json_number(r, at);
    else
        fail_syntax(r, at, "a value");
}

void json_fail_type(json_reader &r, const place &at, const char *expected)
{
    const char *got = nullptr;
    switch (json_peek(r)) {
    case '{':
        got = "an object";
        break;
    case '[':
        got = "a list";
        break;
    case '"':
        got = "a string";
        break;
    case 't':
    case 'f':
        got = "a boolean";
        break;
    case 'n':
        got = "null";
        break;
    case '-':
    case '0' ... '9':
        got = "a number";
        break;
    default:
        fail_syntax(r, at, "a value");
    }
    const char *where = r.at;
    json_skip(r, at, DEPTH_MAX); /* text that is not JSON is reported first */
    json_fail(r, at, where, "expected %s, got %s", expected, got);
}

} // namespace codec
