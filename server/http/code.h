/* HTTP/2 error codes (RFC 9113 section 7) and status codes (RFC 9110 section 15). */
#ifndef HTTP_CODE_H
#define HTTP_CODE_H

#include "core/str.h"

#include <stdint.h>

enum error_code {
    ERROR_NO_ERROR = 0x0,
    ERROR_PROTOCOL_ERROR = 0x1,
    ERROR_INTERNAL_ERROR = 0x2,
    ERROR_FLOW_CONTROL_ERROR = 0x3,
    ERROR_SETTINGS_TIMEOUT = 0x4,
    ERROR_STREAM_CLOSED = 0x5,
    ERROR_FRAME_SIZE_ERROR = 0x6,
    ERROR_REFUSED_STREAM = 0x7,
    ERROR_CANCEL = 0x8,
    ERROR_COMPRESSION_ERROR = 0x9,
    ERROR_CONNECT_ERROR = 0xa,
    ERROR_ENHANCE_YOUR_CALM = 0xb,
    ERROR_INADEQUATE_SECURITY = 0xc,
    ERROR_HTTP_1_1_REQUIRED = 0xd,
};

/* Room for any name that code_name gives. */
enum { CODE_NAME_SIZE = 24 };
/* Room for any line that status_text gives. */
enum { STATUS_TEXT_SIZE = 64 };

/* The name of an error code, or "0x…" for one without a name; written to out when it has none. */
const char *code_name(uint32_t code, char out[CODE_NAME_SIZE]);
/* Whether name is an error code's name; *code is set where it is. */
bool code_parse(struct str name, uint32_t *code);

/* The reason phrase of a status code; "" for one that has none. */
const char *status_phrase(int status);
/* The phrase as a line of its own, written to out: what a client gets with an error that has no
 * text. */
struct str status_text(int status, char out[STATUS_TEXT_SIZE]);

#endif
