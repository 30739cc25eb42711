#include "http/prefix.h"

#include "http/urlencoded.h"

/* The character at the front of a path, and its length there in bytes. An escaped slash does not
 * count as a slash. */
static char decoded(struct str path, size_t *n)
{
    int byte = urlencoded_byte(path);
    *n = byte < 0 || byte == '/' ? 1 : 3;
    return *n == 3 ? (char)byte : path.p[0];
}

size_t prefix_match(struct str prefix, struct str path)
{
    size_t at = 0, n;
    for (size_t i = 0; i < prefix.n; i++, at += n) {
        if (at >= path.n || decoded((struct str){path.p + at, path.n - at}, &n) != prefix.p[i])
            return 0;
    }
    bool ends = prefix.p[prefix.n - 1] == '/' || at == path.n || path.p[at] == '/';
    return ends ? at : 0;
}

/* The text with which all paths of a pattern begin: up to the first segment that is a parameter or
 * a rest. Never empty. */
static struct str literal_head(struct str pattern)
{
    for (size_t i = 1; i < pattern.n; i++)
        if (pattern.p[i] == '[' && pattern.p[i - 1] == '/')
            return (struct str){pattern.p, i};
    return pattern;
}

bool prefix_covers(struct str prefix, struct str pattern)
{
    struct str head = literal_head(pattern);
    if (!str_starts(head, prefix))
        return false;
    return prefix.p[prefix.n - 1] == '/' || head.n == prefix.n || head.p[prefix.n] == '/';
}
