/* Timestamps as text (RFC 3339), and durations: seconds with an s after them. */
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

/* Whether the time is in the years 1 to 9999, with nanos that are not negative. */
bool timestamp_is_valid(const instant &t);
/* Whether the duration is at most 10,000 years, and its parts have the same sign. */
bool duration_is_valid(const instant &t);

/* Each function writes a valid value with a fraction of 0, 3, 6 or 9 digits, and returns the
 * length. */
size_t timestamp_write(char *out, const instant &t);
size_t duration_write(char *out, const instant &t);

/* Each function returns false if the text is malformed, or the value is not valid. */
bool timestamp_read(const char *text, size_t n, instant *t);
bool duration_read(const char *text, size_t n, instant *t);

} // namespace codec

#endif
