#include "h1/line.h"

#include "core/check.h"
#include "core/mem.h"

enum { FIRST_ROOM = 256 };

void h1_line_init(struct h1_line *l)
{
    *l = (struct h1_line){0};
}

void h1_line_fini(struct h1_line *l)
{
    mem_put(l->buffer, l->room);
    h1_line_init(l);
}

static bool make_room(struct h1_line *l, size_t n)
{
    size_t room = l->room ? l->room : FIRST_ROOM;
    while (room < l->n + n)
        room *= 2;
    if (room == l->room)
        return true;
    char *buffer = l->buffer ? mem_resize(l->buffer, l->room, room) : mem_get(room);
    if (!buffer)
        return false;
    l->buffer = buffer;
    l->room = room;
    return true;
}

static bool keep(struct h1_line *l, struct str piece)
{
    if (!make_room(l, piece.n))
        return false;
    check_hot(l->n + piece.n <= l->room);
    memcpy(l->buffer + l->n, piece.p, piece.n);
    l->n += piece.n;
    return true;
}

/* What is wrong with a line that ends in LF. */
static enum h1_fault fault_of(struct str line)
{
    check_hot(line.n > 0 && line.p[line.n - 1] == '\n');
    if (line.n < 2 || line.p[line.n - 2] != '\r')
        return H1_BARE_LF;
    return memchr(line.p, '\r', line.n - 2) ? H1_BARE_CR : H1_NO_FAULT;
}

static bool finish(struct h1_line *l, struct str piece, struct str *out, enum h1_fault *fault)
{
    struct str line = l->n ? (struct str){l->buffer, l->n} : piece;
    *fault = fault_of(line);
    *out = (struct str){line.p, line.n - 2};
    l->complete = true;
    return *fault == H1_NO_FAULT;
}

bool h1_line_take(
    struct h1_line *l, struct str *data, size_t max, struct str *out, enum h1_fault *fault)
{
    if (l->complete)
        l->n = 0;
    l->complete = false;
    if (data->n == 0)
        return false;
    const char *end = memchr(data->p, '\n', data->n);
    struct str piece = {data->p, end ? (size_t)(end - data->p) + 1 : data->n};
    if (l->n + piece.n > max + 2)
        *fault = H1_TOO_LARGE;
    else if ((!end || l->n) && !keep(l, piece))
        *fault = H1_NO_MEMORY;
    if (*fault)
        return false;
    data->p += piece.n;
    data->n -= piece.n;
    return end && finish(l, piece, out, fault);
}
