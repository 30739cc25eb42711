#include "lua/protobuf/number.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace codec
{

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (is_digit(at, end))
        at++;
    return at;
}

/* The end of the exponent, if one begins here; NULL if it is cut off. */
static const char *skip_exponent(const char *at, const char *end)
{
    if (at == end || (*at != 'e' && *at != 'E'))
        return at;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    return is_digit(at, end) ? skip_digits(at, end) : nullptr;
}

const char *number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    if (!is_digit(at, end))
        return nullptr;
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (at < end && *at == '.') {
        if (!is_digit(++at, end))
            return nullptr;
        at = skip_digits(at, end);
    }
    return skip_exponent(at, end);
}

namespace
{

/* A number as 0.digits times a power of ten. */
struct decimal {
    const char *at, *end; /* the digits; a point may be among them */
    long point;           /* position of the point among the digits, plus the exponent */
    bool negative;
};

} // namespace

static const long exponent_max = 1000000000000;

static decimal split(const char *at, const char *end)
{
    decimal d = {at, end, 0, *at == '-'};
    d.at += d.negative;
    const char *p = skip_digits(d.at, end);
    d.point = p - d.at;
    if (p < end && *p == '.')
        p = skip_digits(p + 1, end);
    d.end = p;
    if (p == end)
        return d;
    bool negative = p[1] == '-';
    long exponent = 0;
    for (p += is_digit(p + 1, end) ? 1 : 2; p < end && exponent < exponent_max; p++)
        exponent = 10 * exponent + (*p - '0');
    d.point += negative ? -exponent : exponent;
    return d;
}

/* v = 10 v + digit; false if that overflows. */
static bool append(uint64_t *v, unsigned digit)
{
    return !__builtin_mul_overflow(*v, 10u, v) && !__builtin_add_overflow(*v, digit, v);
}

/* The integer that the number is, without its sign; false if it is none. */
static bool to_magnitude(const decimal &d, uint64_t *v)
{
    long place = 0;
    *v = 0;
    for (const char *p = d.at; p < d.end; p++) {
        if (*p == '.')
            continue;
        if (place++ < d.point ? !append(v, (unsigned)(*p - '0')) : *p != '0')
            return false;
    }
    for (; place < d.point && *v; place++)
        if (!append(v, 0))
            return false;
    return true;
}

bool number_to_uint64(const char *at, const char *end, uint64_t *v)
{
    decimal d = split(at, end);
    return to_magnitude(d, v) && (!d.negative || *v == 0);
}

bool number_to_int64(const char *at, const char *end, int64_t *v)
{
    uint64_t magnitude;
    decimal d = split(at, end);
    if (!to_magnitude(d, &magnitude) || magnitude > (uint64_t)INT64_MAX + d.negative)
        return false;
    *v = (int64_t)(d.negative ? -magnitude : magnitude);
    return true;
}

/* Whether a number that the type cannot hold is too small, rather than too large. */
static bool is_tiny(const char *at, const char *end)
{
    decimal d = split(at, end);
    for (const char *p = d.at; p < d.end && (*p == '0' || *p == '.'); p++)
        d.point -= *p == '0';
    return d.point <= 0;
}

template <typename floating> static bool to_floating(const char *at, const char *end, floating *v)
{
    std::from_chars_result read = std::from_chars(at, end, *v);
    if (read.ec == std::errc() && std::isfinite(*v))
        return true;
    *v = *at == '-' ? -(floating)0 : (floating)0;
    return is_tiny(at, end);
}

bool number_to_double(const char *at, const char *end, double *v)
{
    return to_floating(at, end, v);
}

bool number_to_float(const char *at, const char *end, float *v)
{
    return to_floating(at, end, v);
}

template <typename number> static size_t write(char *out, number v)
{
    return (size_t)(std::to_chars(out, out + NUMBER_ROOM, v).ptr - out);
}

size_t number_of_int64(char *out, int64_t v)
{
    return write(out, v);
}

size_t number_of_uint64(char *out, uint64_t v)
{
    return write(out, v);
}

/* Many readers take -0 for an integer, which has no sign. */
template <typename floating> static size_t write_floating(char *out, floating v)
{
    static const char zero[] = "-0.0";
    if (v != 0 || !std::signbit(v))
        return write(out, v);
    memcpy(out, zero, sizeof zero - 1);
    return sizeof zero - 1;
}

size_t number_of_double(char *out, double v)
{
    return write_floating(out, v);
}

size_t number_of_float(char *out, float v)
{
    return write_floating(out, v);
}

} // namespace codec
