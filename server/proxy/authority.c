#include "proxy/authority.h"

#include <string.h>

bool authority_is_plain(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#@", c))
            return false;
    }
    return true;
}

bool authority_is_port(struct str text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.p[i] - '0');
    }
    return text.n >= 1 && text.n <= 5 && port >= 1 && port <= 65535;
}

bool authority_split(struct str authority, struct str *host, struct str *port)
{
    const char *end = authority.p + authority.n, *mark;
    *host = authority;
    if (authority.n && authority.p[0] == '[') {
        mark = memchr(authority.p, ']', authority.n);
        if (!mark)
            return false;
        *host = (struct str){authority.p + 1, (size_t)(mark - authority.p) - 1};
        mark++;
    } else {
        mark = memchr(authority.p, ':', authority.n);
        mark = mark ? mark : end;
        host->n = (size_t)(mark - authority.p);
    }
    if (mark < end && *mark != ':')
        return false;
    *port = mark < end ? (struct str){mark + 1, (size_t)(end - mark) - 1} : (struct str){NULL, 0};
    return host->n > 0;
}
