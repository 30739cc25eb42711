#include "lua/modules/redis/resp.h"

#include <stdbool.h>

enum { NUMBER_LINE_MAX = 24 }; /* ":-9223372036854775808\r\n", and no more than that is read */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number, with no sign but a minus, or a plus where that is allowed; false for none, and for one
 * of more than 64 bits. */
static bool read_number(struct str s, bool takes_plus, int64_t *out)
{
    bool is_negative = s.n && s.p[0] == '-';
    size_t i = is_negative || (takes_plus && s.n && s.p[0] == '+');
    uint64_t most = (uint64_t)INT64_MAX + is_negative, n = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';
        if (!is_digit(s.p[i]) || n > (most - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = is_negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

/* The line at the front, without its type and its end; *size is that of all of it. */
static enum rc read_line(struct str bytes, size_t max, struct str *line, size_t *size)
{
    size_t n = bytes.n < max ? bytes.n : max;
    const char *end = memchr(bytes.p, '\n', n);
    if (!end)
        return n == max ? RC_LIMIT : RC_AGAIN;
    *size = (size_t)(end - bytes.p) + 1;
    if (*size < 3 || end[-1] != '\r')
        return RC_PROTOCOL;
    *line = (struct str){bytes.p + 1, *size - 3};
    return memchr(line->p, '\r', line->n) ? RC_PROTOCOL : RC_OK;
}

/* A status or an error. */
static enum rc read_text(struct str bytes, enum resp_kind kind, struct resp_token *out)
{
    out->kind = kind;
    return read_line(bytes, RESP_LINE_MAX, &out->text, &out->size);
}

/* The line of a number. */
static enum rc read_integer(struct str bytes, bool takes_plus, struct resp_token *out)
{
    struct str line;
    enum rc rc = read_line(bytes, NUMBER_LINE_MAX, &line, &out->size);
    if (rc)
        return rc == RC_LIMIT ? RC_PROTOCOL : rc;
    out->kind = RESP_INTEGER;
    return read_number(line, takes_plus, &out->number) ? RC_OK : RC_PROTOCOL;
}

/* A length, which is -1 for null. */
static enum rc read_length(struct str bytes, enum resp_kind kind, struct resp_token *out)
{
    enum rc rc = read_integer(bytes, false, out);
    if (rc)
        return rc;
    if (out->number < -1 || (out->number <= 0 && bytes.p[1] == '-' && out->number != -1))
        return RC_PROTOCOL;
    out->kind = out->number < 0 ? RESP_NULL : kind;
    return RC_OK;
}

static enum rc read_bulk(struct str bytes, struct resp_token *out)
{
    enum rc rc = read_length(bytes, RESP_BULK, out);
    if (rc || out->kind == RESP_NULL)
        return rc;
    if (out->number > RESP_REPLY_MAX)
        return RC_LIMIT;
    out->text = (struct str){bytes.p + out->size, (size_t)out->number};
    out->size += out->text.n + 2;
    if (bytes.n < out->size)
        return RC_AGAIN;
    const char *end = out->text.p + out->text.n;
    return end[0] == '\r' && end[1] == '\n' ? RC_OK : RC_PROTOCOL;
}

static enum rc read_array(struct str bytes, struct resp_token *out)
{
    enum rc rc = read_length(bytes, RESP_ARRAY, out);
    if (rc || out->kind == RESP_NULL)
        return rc;
    return out->number > RESP_REPLY_MAX / RESP_ELEMENT_MIN ? RC_LIMIT : RC_OK;
}

static enum rc read_token(struct str bytes, struct resp_token *out)
{
    switch (bytes.p[0]) {
    case '+':
        return read_text(bytes, RESP_STATUS, out);
    case '-':
        return read_text(bytes, RESP_ERROR, out);
    case ':':
        return read_integer(bytes, true, out);
    case '$':
        return read_bulk(bytes, out);
    case '*':
        return read_array(bytes, out);
    default:
        return RC_PROTOCOL;
    }
}

enum rc resp_token(struct str bytes, struct resp_token *out)
{
    *out = (struct resp_token){0};
    if (bytes.n == 0)
        return RC_AGAIN;
    return read_token(bytes, out);
}
