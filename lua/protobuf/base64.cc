#include "lua/protobuf/base64.h"

namespace codec
{

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char digit(uint32_t bits, int shift)
{
    return alphabet[bits >> shift & 63];
}

void base64_encode(char *out, const uint8_t *bytes, size_t n)
{
    for (; n >= 3; n -= 3, bytes += 3) {
        uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = digit(bits, shift);
    }
    if (n == 0)
        return;
    uint32_t bits = (uint32_t)bytes[0] << 16 | (n == 2 ? (uint32_t)bytes[1] << 8 : 0);
    out[0] = digit(bits, 18);
    out[1] = digit(bits, 12);
    out[2] = n == 2 ? digit(bits, 6) : '=';
    out[3] = '=';
}

/* The value of a character; -1 if it has none. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* The length without padding; false if there is padding, but not as much as required. */
static bool strip(const char *text, size_t *n)
{
    size_t padding = 0;
    while (padding < 2 && padding < *n && text[*n - padding - 1] == '=')
        padding++;
    bool fits = padding == 0 || *n % 4 == 0;
    *n -= padding;
    return fits && *n % 4 != 1;
}

bool base64_decode(uint8_t *out, size_t *written, const char *text, size_t n)
{
    uint32_t bits = 0;
    uint8_t *at = out;
    if (!strip(text, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            *at++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *written = (size_t)(at - out);
    return true;
}

} // namespace codec
