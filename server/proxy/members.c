#include "proxy/members.h"

#include "http/field.h"

/* Each function below takes the element of its name off the front of a text, and returns whether it
 * was there. */

static bool take(struct str *text, char c)
{
    if (text->n == 0 || text->p[0] != c)
        return false;
    *text = (struct str){text->p + 1, text->n - 1};
    return true;
}

static void skip_space(struct str *text)
{
    while (take(text, ' ') || take(text, '\t'))
        continue;
}

/* At least one character that is valid in a token or is among the others. */
static bool take_run(struct str *text, const char *others)
{
    size_t n = 0;
    while (n < text->n && text->p[n] && text->p[n] != ':' &&
           (strchr(others, text->p[n]) || !field_name_problem((struct str){text->p + n, 1})))
        n++;
    *text = (struct str){text->p + n, text->n - n};
    return n > 0;
}

static bool take_token(struct str *text)
{
    return take_run(text, "");
}

/* A backslash quotes the character after it. */
static bool take_char(struct str *text)
{
    size_t n = text->n && text->p[0] == '\\' ? 2 : 1;
    if (text->n < n)
        return false;
    *text = (struct str){text->p + n, text->n - n};
    return true;
}

static bool take_quoted(struct str *text)
{
    if (!take(text, '"'))
        return false;
    while (!take(text, '"'))
        if (!take_char(text))
            return false;
    return true;
}

/* Comments may be nested (RFC 9110 5.6.5). */
static bool take_comment(struct str *text)
{
    size_t depth = 0;
    do {
        if (take(text, '('))
            depth++;
        else if (take(text, ')'))
            depth--;
        else if (depth == 0 || !take_char(text))
            return false;
    } while (depth);
    return true;
}

static bool take_pair(struct str *text)
{
    return take_token(text) && take(text, '=') && (take_quoted(text) || take_token(text));
}

/* Pairs divided by semicolons; any pair may be missing. */
static bool take_element(struct str *text)
{
    do {
        skip_space(text);
        if (text->n && text->p[0] != ';' && text->p[0] != ',' && !take_pair(text))
            return false;
        skip_space(text);
    } while (take(text, ';'));
    return true;
}

/* A host in any form, with or without a port. It need not be valid, but contains no quote or
 * parenthesis, which could be left open. */
static bool take_node(struct str *text)
{
    bool any = false;
    while (take_run(text, "[]%") || take(text, ':'))
        any = true;
    return any;
}

static bool take_hop(struct str *text)
{
    if (!take_token(text) || (take(text, '/') && !take_token(text)))
        return false;
    size_t before = text->n;
    skip_space(text);
    if (text->n == before || !take_node(text))
        return false;
    skip_space(text);
    return text->n == 0 || text->p[0] == ',' || take_comment(text);
}

/* Whether a line is a list of elements that take_one takes; members may be empty (RFC 9110
 * 5.6.1). */
static bool is_list(struct str line, bool (*take_one)(struct str *text))
{
    do {
        skip_space(&line);
        if (line.n && line.p[0] != ',' && !take_one(&line))
            return false;
        skip_space(&line);
    } while (take(&line, ','));
    return line.n == 0;
}

bool members_are_forwarded(struct str line)
{
    return is_list(line, take_element);
}

bool members_are_via(struct str line)
{
    return is_list(line, take_hop);
}

bool members_are_addresses(struct str line)
{
    return is_list(line, take_node);
}
