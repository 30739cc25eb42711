#include "socket/find.h"

bool find_line(struct find *f, struct str content, size_t *line, size_t *taken)
{
    const char *end = NULL;
    if (content.n > f->looked)
        end = memchr(content.p + f->looked, '\n', content.n - f->looked);
    if (!end) {
        f->looked = content.n;
        return false;
    }
    *line = (size_t)(end - content.p);
    *taken = *line + 1;
    if (*line && end[-1] == '\r')
        --*line;
    return true;
}

bool find_mark(struct find *f, struct str content, struct str mark, size_t *before)
{
    if (content.n < mark.n)
        return false;
    const char *at = memmem(content.p + f->looked, content.n - f->looked, mark.p, mark.n);
    if (!at) {
        f->looked = content.n - mark.n + 1;
        return false;
    }
    *before = (size_t)(at - content.p);
    return true;
}
