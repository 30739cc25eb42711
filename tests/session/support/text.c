#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_add(struct text *t, const void *bytes, size_t n)
{
    char *p = realloc(t->p, t->n + n + 1);
    if (!p)
        abort();
    if (n)
        memcpy(p + t->n, bytes, n);
    p[t->n += n] = '\0';
    t->p = p;
}

void text_print(struct text *t, const char *format, ...)
{
    char *made;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&made, format, args);
    va_end(args);
    if (n < 0)
        abort();
    text_add(t, made, (size_t)n);
    free(made);
}

void text_add_escaped(struct text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\n')
            text_print(t, "\\n");
        else if (c < 0x20 || c >= 0x7f)
            text_print(t, "\\x%02x", c);
        else
            text_add(t, bytes + i, 1);
    }
}

void text_drop(struct text *t, size_t n)
{
    memmove(t->p, t->p + n, t->n - n + 1);
    t->n -= n;
}

const char *text_of(const struct text *t)
{
    return t->p ? t->p : "";
}

void text_clear(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}
