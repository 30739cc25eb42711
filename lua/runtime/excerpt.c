#include "lua/runtime/excerpt.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AROUND = 2,  /* lines shown before the one meant, and after it */
    SHOWN = 160, /* bytes of each line, at most */
    LINE_MAX_NUMBER = 1 << 20
};

/* Reads a line without its end, and cuts it if it is too long. False at the end of the file. */
static bool read_line(FILE *f, char out[SHOWN + 1])
{
    int n = 0, c;
    while ((c = getc(f)) != EOF && c != '\n')
        if (n < SHOWN)
            out[n++] = c == '\t' ? ' ' : (char)c;
    out[n] = '\0';
    return c != EOF || n > 0;
}

static bool show(const char *path, int line, char out[EXCERPT_SIZE])
{
    char text[SHOWN + 1];
    size_t len = 0;
    bool met = false;
    FILE *f = line > 0 && line < LINE_MAX_NUMBER ? fopen(path, "re") : NULL;
    out[0] = '\0';
    if (!f)
        return false;
    for (int i = 1; i <= line + AROUND && read_line(f, text); i++) {
        if (i < line - AROUND)
            continue;
        met = met || i == line;
        len += (size_t)snprintf(
            out + len, EXCERPT_SIZE - len, "%s %4d | %s\n", i == line ? "->" : "  ", i, text);
    }
    fclose(f);
    if (!met)
        out[0] = '\0';
    return met;
}

/* The colon before a line number that is followed by another colon; NULL if there is none. */
static const char *find_number(const char *text)
{
    for (const char *c = strchr(text, ':'); c; c = strchr(c + 1, ':')) {
        size_t digits = strspn(c + 1, "0123456789");
        if (digits > 0 && digits < 8 && c[1 + digits] == ':')
            return c;
    }
    return NULL;
}

static bool show_path(const char *from, const char *to, int line, char out[EXCERPT_SIZE])
{
    char path[PATH_MAX];
    if (to - from >= PATH_MAX)
        return false;
    snprintf(path, sizeof path, "%.*s", (int)(to - from), from);
    return show(path, line, out);
}

/* A path may contain blanks, or follow other words. A path that Lua has shortened, with three dots
 * in front, follows the whole one. */
bool excerpt_of_text(const char *text, char out[EXCERPT_SIZE])
{
    const char *colon = find_number(text), *word = colon;
    out[0] = '\0';
    if (!colon)
        return false;
    int line = atoi(colon + 1);
    while (word > text && !isspace((unsigned char)word[-1]))
        word--;
    if (show_path(text, colon, line, out) || show_path(word, colon, line, out))
        return true;
    const char *whole = strncmp(word, "...", 3) == 0 ? strstr(text, ": ...") : NULL;
    return whole && show_path(text, whole, line, out);
}

bool excerpt_of_stack(lua_State *co, char out[EXCERPT_SIZE])
{
    lua_Debug frame;
    out[0] = '\0';
    for (int level = 0; lua_getstack(co, level, &frame); level++) {
        lua_getinfo(co, "Sl", &frame);
        if (frame.currentline > 0 && frame.source[0] == '@')
            return show(frame.source + 1, frame.currentline, out);
    }
    return false;
}
