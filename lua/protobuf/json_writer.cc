#include "lua/protobuf/json_writer.h"

#include "lua/protobuf/base64.h"

#include <climits>
#include <cstring>

namespace codec
{

static const size_t size_max = INT_MAX;

enum { STEP_BYTES = 16 /* of a string, which count as one step */ };

char *json_room(json_writer &w, const place &at, size_t n)
{
    size_t used = (size_t)(w.at - w.begin), size = (size_t)(w.end - w.begin);
    if (n <= size - used)
        return w.at;
    if (n > size_max - used)
        place_fail(w.pace.L, at, "a text of more than 2 GiB");
    while (size < used + n)
        size *= 2;
    auto begin = (char *)lua_newuserdatauv(w.pace.L, size, 0);
    memcpy(begin, w.begin, used);
    w.begin = begin;
    w.at = begin + used;
    w.end = begin + size;
    lua_replace(w.pace.L, w.buffer);
    return w.at;
}

void json_put(json_writer &w, const place &at, const char *text, size_t n)
{
    memcpy(json_room(w, at, n), text, n);
    w.at += n;
}

/* How many bytes at the front need no escape. */
static size_t plain_length(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)text[i] >= 0x20 && text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

static void put_escape(json_writer &w, const place &at, char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char *found = c ? strchr(from, c) : nullptr;
    if (found) {
        const char two[] = {'\\', to[found - from]};
        json_put(w, at, two, sizeof two);
    } else {
        const char six[] = {'\\', 'u', '0', '0', hex[c >> 4 & 1], hex[c & 15]};
        json_put(w, at, six, sizeof six);
    }
}

void json_put_string(json_writer &w, const place &at, const char *text, size_t n)
{
    pace_walk(w.pace, n / STEP_BYTES);
    json_room(w, at, n + 2);
    json_put_char(w, at, '"');
    while (n > 0) {
        size_t plain = plain_length(text, n);
        json_put(w, at, text, plain);
        if (plain < n)
            put_escape(w, at, text[plain++]);
        text += plain;
        n -= plain;
    }
    json_put_char(w, at, '"');
}

void json_put_base64(json_writer &w, const place &at, const char *bytes, size_t n)
{
    pace_walk(w.pace, n / STEP_BYTES);
    json_put_char(w, at, '"');
    base64_encode(json_room(w, at, base64_length(n)), (const uint8_t *)bytes, n);
    w.at += base64_length(n);
    json_put_char(w, at, '"');
}

} // namespace codec
