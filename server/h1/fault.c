#include "h1/fault.h"

#include <stddef.h>

static const struct {
    int status;
    const char *text;
} faults[] = {
    [H1_NO_FAULT] = {200, "none"},
    [H1_BARE_LF] = {400, "a line ends in LF without CR"},
    [H1_BARE_CR] = {400, "CR without LF"},
    [H1_CONTROL] = {400, "a control character in a line"},
    [H1_EMPTY_LINES] = {400, "empty lines before a request"},
    [H1_BAD_START] = {400, "a malformed start line"},
    [H1_BAD_VERSION] = {505, "a version that is not of HTTP/1"},
    [H1_FOLDED] = {400, "a field on several lines"},
    [H1_BAD_FIELD] = {400, "a malformed field"},
    [H1_TOO_LARGE] = {431, "more than max-header-bytes"},
    [H1_TOO_MANY_FIELDS] = {431, "more than max-header-fields"},
    [H1_LONG_CONNECTION] = {431, "connection fields that are too long"},
    [H1_BAD_LENGTH] = {400, "a malformed content-length"},
    [H1_TWO_LENGTHS] = {400, "content-length twice"},
    [H1_BAD_CODING] = {400, "a transfer-encoding that does not end in one chunked"},
    [H1_UNKNOWN_CODING] = {501, "a transfer coding beside chunked"},
    [H1_CODING_IN_1_0] = {400, "transfer-encoding in HTTP/1.0"},
    [H1_LENGTH_AND_CODING] = {400, "content-length and transfer-encoding"},
    [H1_BAD_CHUNK] = {400, "a malformed chunk"},
    [H1_LONG_CHUNK_LINE] = {400, "chunk extensions that are too long"},
    [H1_CUT_SHORT] = {400, "the message is cut short"},
    [H1_NO_MEMORY] = {503, "out of memory"},
};

const char *h1_fault_text(enum h1_fault fault)
{
    return faults[fault].text;
}

const char *h1_fault_limit(enum h1_fault fault)
{
    if (fault == H1_TOO_LARGE)
        return "max-header-bytes";
    return fault == H1_TOO_MANY_FIELDS ? "max-header-fields" : NULL;
}

int h1_fault_status(enum h1_fault fault)
{
    return faults[fault].status;
}
