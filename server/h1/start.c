#include "h1/start.h"

#include "http/field.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.0" or "HTTP/1.1"; a higher minor version counts as 1.1 (RFC 9110 2.5). A well-formed
 * version of another major number has its own fault. */
static enum h1_fault parse_version(struct str text, int *minor)
{
    if (text.n != 8 || !str_starts(text, STR("HTTP/")) || !is_digit(text.p[5]) ||
        text.p[6] != '.' || !is_digit(text.p[7]))
        return H1_BAD_START;
    if (text.p[5] != '1')
        return H1_BAD_VERSION;
    *minor = text.p[7] != '0';
    return H1_NO_FAULT;
}

/* Cuts a text at its first space; false if it has none. */
static bool cut(struct str *text, struct str *before)
{
    const char *space = text->n ? memchr(text->p, ' ', text->n) : NULL;
    if (!space)
        return false;
    *before = (struct str){text->p, (size_t)(space - text->p)};
    *text = (struct str){space + 1, text->n - before->n - 1};
    return true;
}

enum h1_fault h1_start_request(struct str line, struct h1_start *out)
{
    if (!cut(&line, &out->method) || field_name_problem(out->method))
        return H1_BAD_START;
    if (!cut(&line, &out->target))
        return H1_BAD_START;
    return parse_version(line, &out->minor);
}

enum h1_fault h1_start_response(struct str line, struct h1_start *out)
{
    struct str version;
    if (!cut(&line, &version))
        return H1_BAD_START;
    enum h1_fault fault = parse_version(version, &out->minor);
    if (fault)
        return fault;
    if (line.n < 3 || (line.n > 3 && line.p[3] != ' '))
        return H1_BAD_START;
    out->status = 0;
    for (int i = 0; i < 3; i++) {
        if (!is_digit(line.p[i]))
            return H1_BAD_START;
        out->status = out->status * 10 + line.p[i] - '0';
    }
    size_t code = line.n > 3 ? 4 : 3;
    out->reason = (struct str){line.p + code, line.n - code};
    if (field_value_problem(out->reason))
        return H1_CONTROL;
    return out->status < 100 ? H1_BAD_START : H1_NO_FAULT;
}

/* The target. */

/* Removes "http://" or "https://" from the front. */
static bool cut_scheme(struct str *target)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++) {
        size_t n = schemes[i].n;
        if (target->n >= n && field_same_name((struct str){target->p, n}, schemes[i])) {
            *target = (struct str){target->p + n, target->n - n};
            return true;
        }
    }
    return false;
}

void h1_target_split(struct str target, struct h1_target *out)
{
    *out = (struct h1_target){.path = target};
    if (str_starts(target, STR("/")) || !cut_scheme(&target))
        return;
    size_t n = 0;
    while (n < target.n && target.p[n] != '/' && target.p[n] != '?')
        n++;
    out->authority = (struct str){target.p, n};
    out->path = (struct str){target.p + n, target.n - n};
}
