#include "http/code.h"

#include <stdio.h>

static const char *const names[] = {
    [ERROR_NO_ERROR] = "NO_ERROR",
    [ERROR_PROTOCOL_ERROR] = "PROTOCOL_ERROR",
    [ERROR_INTERNAL_ERROR] = "INTERNAL_ERROR",
    [ERROR_FLOW_CONTROL_ERROR] = "FLOW_CONTROL_ERROR",
    [ERROR_SETTINGS_TIMEOUT] = "SETTINGS_TIMEOUT",
    [ERROR_STREAM_CLOSED] = "STREAM_CLOSED",
    [ERROR_FRAME_SIZE_ERROR] = "FRAME_SIZE_ERROR",
    [ERROR_REFUSED_STREAM] = "REFUSED_STREAM",
    [ERROR_CANCEL] = "CANCEL",
    [ERROR_COMPRESSION_ERROR] = "COMPRESSION_ERROR",
    [ERROR_CONNECT_ERROR] = "CONNECT_ERROR",
    [ERROR_ENHANCE_YOUR_CALM] = "ENHANCE_YOUR_CALM",
    [ERROR_INADEQUATE_SECURITY] = "INADEQUATE_SECURITY",
    [ERROR_HTTP_1_1_REQUIRED] = "HTTP_1_1_REQUIRED",
};

enum { NAME_COUNT = sizeof names / sizeof *names };

const char *code_name(uint32_t code, char out[CODE_NAME_SIZE])
{
    if (code < NAME_COUNT)
        return names[code];
    snprintf(out, CODE_NAME_SIZE, "0x%x", (unsigned)code);
    return out;
}

bool code_parse(struct str name, uint32_t *code)
{
    for (uint32_t i = 0; i < NAME_COUNT; i++) {
        if (str_eq(name, str_of(names[i]))) {
            *code = i;
            return true;
        }
    }
    return false;
}

const char *status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {102, "Processing"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "";
}

struct str status_text(int status, char out[STATUS_TEXT_SIZE])
{
    int n = snprintf(out, STATUS_TEXT_SIZE, "%s\n", status_phrase(status));
    return (struct str){out, (size_t)n};
}
