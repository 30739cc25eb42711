/* Whether text is UTF-8 (RFC 3629). */
#ifndef LUA_MODULES_UTF8_H
#define LUA_MODULES_UTF8_H

#include <stddef.h>

/* How many bytes at the front of the text are well-formed; n if all are. */
size_t utf8_length(const char *text, size_t n);

#endif
