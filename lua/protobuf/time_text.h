/* Points in time and spans of it as text: RFC 3339, and seconds with an s behind them. */
#ifndef LUA_PROTOBUF_TIME_TEXT_H
#define LUA_PROTOBUF_TIME_TEXT_H

#include <cstddef>
#include <cstdint>

namespace codec
{

struct instant {
    int64_t seconds;
    int32_t nanos;
};

enum { TIME_ROOM = 40 }; /* characters of either text */

/* Whether it is one from the year 1 to the year 9999, with nanos that are not negative. */
bool timestamp_is_valid(const instant &t);
/* Whether it is one of at most 10,000 years, whose parts have the same sign. */
bool duration_is_valid(const instant &t);

/* Each writes one that is valid, with 0, 3, 6 or 9 digits of a fraction, and gives the length. */
size_t timestamp_write(char *out, const instant &t);
size_t duration_write(char *out, const instant &t);

/* Each gives false where the text is none, or not valid. */
bool timestamp_read(const char *text, size_t n, instant *t);
bool duration_read(const char *text, size_t n, instant *t);

} // namespace codec

#endif
