#include "lua/modules/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The number of ASCII bytes at the front, or up to seven fewer. */
static size_t skip_ascii(const unsigned char *p, size_t n)
{
    size_t i = 0;
    uint64_t word;
    for (; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        if (word & 0x8080808080808080)
            break;
    }
    return i;
}

/* Whether the second byte makes the character an overlong form, a surrogate, or one above U+10FFFF
 * (RFC 3629, section 4). */
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second < 0xa0;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second < 0x90;
    default:
        return true;
    }
}

/* The length of the non-ASCII character at p, of which n bytes are available; 0 if it is
 * malformed. */
static size_t character(const unsigned char *p, size_t n)
{
    size_t length = (size_t)(2 + (p[0] >= 0xe0) + (p[0] >= 0xf0));
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < length || !second_fits(p[0], p[1]))
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

size_t utf8_length(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < n) {
        if (p[i] < 0x80) {
            i += skip_ascii(p + i, n - i);
            while (i < n && p[i] < 0x80)
                i++;
        } else {
            size_t length = character(p + i, n - i);
            if (length == 0)
                return i;
            i += length;
        }
    }
    return n;
}
