/*
 * The tokens of Redis' protocol (RESP2), cut from bytes that may end anywhere. It holds nothing and
 * copies nothing: the caller keeps what is not a whole token yet, and gives it again with more.
 *
 *     +OK\r\n   -ERR text\r\n   :42\r\n   $5\r\nhello\r\n   $-1\r\n   *2\r\n   *-1\r\n
 *
 * It is strict: a line ends in CRLF and has no other CR or LF, a number is decimal and fits, and
 * lengths are no longer than a reply may be.
 */
#ifndef LUA_MODULES_REDIS_RESP_H
#define LUA_MODULES_REDIS_RESP_H

#include "core/rc.h"
#include "core/str.h"

#include <stdint.h>

enum {
    RESP_REPLY_MAX = 64 << 20, /* bytes of a reply, all that is in it included */
    RESP_LINE_MAX = 64 << 10,  /* of a line, its end included */
    RESP_ELEMENT_MIN = 3,      /* of an element of an array: "+\r\n" */
};

enum resp_kind { RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_BULK, RESP_NULL, RESP_ARRAY };

struct resp_token {
    enum resp_kind kind;
    struct str text; /* of a status, an error or a bulk string: borrowed from what was given */
    int64_t number;  /* an integer, or how many elements follow */
    size_t size;     /* of the token in bytes; with RC_AGAIN: 0 where it is not known yet */
};

/* The token at the front of bytes. RC_AGAIN where more of it must follow, which is the answer to no
 * bytes; RC_PROTOCOL; RC_LIMIT for what is longer than it may be. */
enum rc resp_token(struct str bytes, struct resp_token *out) MUST_CHECK;

#endif
