/* Base64 (RFC 4648), both alphabets. */
#ifndef LUA_PROTOBUF_BASE64_H
#define LUA_PROTOBUF_BASE64_H

#include <cstddef>
#include <cstdint>

namespace codec
{

inline size_t base64_length(size_t n)
{
    return (n + 2) / 3 * 4;
}

/* Writes base64_length(n) characters, padded. */
void base64_encode(char *out, const uint8_t *bytes, size_t n);

/* Writes at most n / 4 * 3 + 3 bytes, and says how many; false if the text is not base64. Padding
 * is optional. */
bool base64_decode(uint8_t *out, size_t *written, const char *text, size_t n);

} // namespace codec

#endif
