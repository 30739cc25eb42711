/* Writing JSON: the text is on the C stack first and later in userdata that grow, so that any Lua
 * error may pass. */
#ifndef LUA_PROTOBUF_JSON_WRITER_H
#define LUA_PROTOBUF_JSON_WRITER_H

#include "lua/protobuf/pace.h"

namespace codec
{

struct json_writer {
    struct pace pace;
    int buffer; /* stack index of the userdata with the text */
    char *begin, *at, *end;
};

/* Makes room for n more bytes, and returns where they go. may longjmp, as may all functions here */
char *json_room(json_writer &w, const place &at, size_t n);

void json_put(json_writer &w, const place &at, const char *text, size_t n);

inline void json_put_char(json_writer &w, const place &at, char c)
{
    *(w.at < w.end ? w.at : json_room(w, at, 1)) = c;
    w.at++;
}

/* Puts a string in quotes, with escapes as needed; it must be UTF-8. */
void json_put_string(json_writer &w, const place &at, const char *text, size_t n);
/* Puts bytes as base64, in quotes. */
void json_put_base64(json_writer &w, const place &at, const char *bytes, size_t n);

} // namespace codec

#endif
