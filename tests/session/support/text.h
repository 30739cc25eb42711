/* A growable text, NUL-terminated. Its memory is not the project's, so that no count sees it. */
#ifndef SESSION_TEXT_H
#define SESSION_TEXT_H

#include <stddef.h>

struct text {
    char *p; /* NULL before the first use; text_of gives "" then */
    size_t n;
};

void text_add(struct text *t, const void *bytes, size_t n);
__attribute__((format(printf, 2, 3))) void text_print(struct text *t, const char *format, ...);
/* As a C string's inside: "\n", "\x00". */
void text_add_escaped(struct text *t, const char *bytes, size_t n);
/* Drops n bytes from the front. */
void text_drop(struct text *t, size_t n);
const char *text_of(const struct text *t);
/* Empties it and frees its memory. */
void text_clear(struct text *t);

#endif
