#include "paths.h"

#include <string.h>

enum kind { LITERAL, PARAMETER, REST };

bool paths_split(struct str text, struct segments *out)
{
    out->count = 0;
    if (text.n == 1)
        return true;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '/') {
            if (out->count == PATHS_SEGMENTS)
                return false;
            out->list[out->count++] = (struct str){text.p + i + 1, 0};
        } else {
            out->list[out->count - 1].n++;
        }
    }
    return true;
}

/* The byte that an escape at that place stands for; -1 where there is none. */
static int escaped(struct str text, size_t at)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (text.n - at < 3 || text.p[at] != '%' || !text.p[at + 1] || !text.p[at + 2])
        return -1;
    const char *high = strchr(digits, text.p[at + 1]), *low = strchr(digits, text.p[at + 2]);
    return high && low ? (int)((high - digits) % 16 * 16 + (low - digits) % 16) : -1;
}

static bool is_dots(struct str s)
{
    return (s.n == 1 || s.n == 2) && s.p[0] == '.' && s.p[s.n - 1] == '.';
}

/* Decodes one segment to out, which has room. */
static bool decode(struct str *segment, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < segment->n; i++) {
        int byte = escaped(*segment, i);
        if (byte == 0 || (segment->p[i] == '%' && byte < 0) || segment->p[i] == '\0')
            return false;
        if (byte < 0 || byte == '/') {
            out[n++] = segment->p[i];
        } else {
            out[n++] = (char)byte;
            i += 2;
        }
    }
    *segment = (struct str){out, n};
    return true;
}

/* The part behind the segment's last colon. */
static struct str behind_colon(struct str segment)
{
    const char *colon = segment.n ? memrchr(segment.p, ':', segment.n) : NULL;
    return colon ? (struct str){colon + 1, (size_t)(segment.p + segment.n - colon - 1)} : STR("");
}

bool paths_decode(struct str path, struct segments *out)
{
    static char verb[PATHS_BYTES];
    char *at = out->text;
    if (path.n > PATHS_BYTES || !paths_split(path, out))
        return false;
    out->verb = out->count ? behind_colon(out->list[out->count - 1]) : STR("");
    if (out->verb.n && !decode(&out->verb, verb))
        return false;
    for (size_t i = 0; i < out->count; i++) {
        if (!decode(&out->list[i], at) || is_dots(out->list[i]))
            return false;
        at += out->list[i].n;
    }
    return true;
}

/* Patterns. */

static bool starts_and_ends(struct str s, const char *start, const char *end)
{
    size_t a = strlen(start), b = strlen(end);
    return s.n >= a + b && memcmp(s.p, start, a) == 0 && memcmp(s.p + s.n - b, end, b) == 0;
}

/* The verb of a pattern's segment; its p is NULL where there is no colon for one. */
static struct str verb_of(struct str segment)
{
    struct str verb = behind_colon(segment);
    size_t left = segment.n - verb.n;
    bool has = left >= 3 && segment.p[0] == '[' && segment.p[left - 1] == ':' &&
               segment.p[left - 2] == ']' && segment.p[segment.n - 1] != ']';
    return has ? verb : (struct str){NULL, 0};
}

static struct str without_verb(struct str segment)
{
    struct str verb = verb_of(segment);
    return (struct str){segment.p, verb.p ? segment.n - verb.n - 1 : segment.n};
}

static enum kind kind_of(struct str whole)
{
    struct str segment = without_verb(whole);
    if (starts_and_ends(segment, "[...", "]"))
        return REST;
    return starts_and_ends(segment, "[", "]") ? PARAMETER : LITERAL;
}

static bool may_be_none(struct str segment)
{
    return kind_of(segment) == REST && starts_and_ends(without_verb(segment), "[...", "?]");
}

/* What stands in the brackets, or is the literal. */
static struct str inner(struct str segment)
{
    static const size_t skipped[] = {[LITERAL] = 0, [PARAMETER] = 1, [REST] = 4};
    enum kind kind = kind_of(segment);
    size_t left = without_verb(segment).n - skipped[kind] - (kind == LITERAL ? 0 : 1);
    left -= may_be_none(segment);
    return (struct str){segment.p + skipped[kind], left};
}

static bool is_segment(struct str segment)
{
    struct str name = inner(segment), verb = verb_of(segment);
    if (verb.p && (verb.n == 0 || memchr(verb.p, '[', verb.n) || memchr(verb.p, ']', verb.n)))
        return false;
    if (name.n == 0 || memchr(name.p, '[', name.n) || memchr(name.p, ']', name.n))
        return false;
    return kind_of(segment) == LITERAL ? !is_dots(segment) : name.p[0] != '.';
}

bool paths_is_pattern(const struct segments *pattern)
{
    size_t names = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        struct str segment = pattern->list[i];
        bool ends = kind_of(segment) == REST || verb_of(segment).p;
        if (!is_segment(segment) || (ends && i + 1 < pattern->count))
            return false;
        if (kind_of(segment) == LITERAL)
            continue;
        for (size_t j = 0; j < i; j++)
            if (kind_of(pattern->list[j]) != LITERAL &&
                str_eq(inner(pattern->list[j]), inner(segment)))
                return false;
        names++;
    }
    return names <= 16;
}

bool paths_same(const struct segments *a, const struct segments *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        enum kind kind = kind_of(a->list[i]);
        same = kind == kind_of(b->list[i]) && str_eq(verb_of(a->list[i]), verb_of(b->list[i]));
        if (kind == LITERAL)
            same = same && str_eq(a->list[i], b->list[i]);
    }
    return same;
}

/* Whether the segment of the pattern, if it asks for a verb, finds it behind the value, of which it
 * is then taken. */
static bool match_verb(struct str segment, const struct segments *path, size_t i, struct str *value)
{
    struct str verb = verb_of(segment), last = path->list[path->count - 1];
    bool is_last = i + 1 == path->count;
    if (!verb.p)
        return true;
    if (!str_eq(verb, path->verb) || last.n <= verb.n + 1 ||
        (kind_of(segment) == PARAMETER && !is_last))
        return false;
    if (is_last)
        value->n -= verb.n + 1;
    return true;
}

/* Takes the verb off the path's last segment where the pattern has it behind a rest that takes
 * nothing. */
static bool take_bare(const struct segments *pattern, struct segments *path)
{
    size_t n = path->count;
    if (n == 0 || pattern->count != n + 1 || !may_be_none(pattern->list[n]))
        return false;
    struct str verb = verb_of(pattern->list[n]), *last = &path->list[n - 1];
    if (!verb.p || !str_eq(verb, path->verb) || last->n <= verb.n + 1)
        return false;
    last->n -= verb.n + 1;
    return true;
}

bool paths_match(const struct segments *pattern, const struct segments *given, struct str *values)
{
    size_t i, named = 0;
    struct segments bare = *given;
    const struct segments *path = &bare;
    for (i = 0; i < path->count; i++)
        if (path->list[i].n == 0)
            return false;
    bool is_bare = take_bare(pattern, &bare);
    for (i = 0; i < pattern->count; i++) {
        if (i == path->count && may_be_none(pattern->list[i]) &&
            (is_bare || !verb_of(pattern->list[i]).p)) {
            values[named] = STR("");
            return true;
        }
        if (i == path->count)
            return false;
        enum kind kind = kind_of(pattern->list[i]);
        if (kind == LITERAL && !str_eq(pattern->list[i], path->list[i]))
            return false;
        if (kind != LITERAL) {
            values[named] = path->list[i];
            if (!match_verb(pattern->list[i], path, i, &values[named++]))
                return false;
        }
        if (kind == REST)
            return true;
    }
    return i == path->count;
}

/* At the first segment of two kinds a literal beats a parameter, and that a rest; of one kind what
 * has the verb is better; one that ends is better than one with a rest of nothing, but for a rest
 * with a verb behind a value. */
bool paths_is_better(const struct segments *a, const struct segments *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (kind_of(a->list[i]) != kind_of(b->list[i]))
            return kind_of(a->list[i]) < kind_of(b->list[i]);
        if (!verb_of(a->list[i]).p != !verb_of(b->list[i]).p)
            return verb_of(a->list[i]).p != NULL;
    }
    const struct segments *longer = a->count > b->count ? a : b, *shorter = longer == a ? b : a;
    size_t n = shorter->count;
    if (n == longer->count)
        return false;
    bool behind_value = n > 0 && kind_of(shorter->list[n - 1]) != LITERAL;
    return (behind_value && verb_of(longer->list[n]).p) == (longer == a);
}

/* Prefixes. */

size_t paths_prefix(struct str prefix, struct str path)
{
    size_t at = 0;
    for (size_t i = 0; i < prefix.n; i++) {
        if (at >= path.n)
            return 0;
        int byte = escaped(path, at);
        bool as_it_is = byte < 0 || byte == '/';
        if (prefix.p[i] != (as_it_is ? path.p[at] : (char)byte))
            return 0;
        at += as_it_is ? 1 : 3;
    }
    bool ends = at == path.n || path.p[at] == '/' || prefix.p[prefix.n - 1] == '/';
    return ends ? at : 0;
}

/* Dots. */

/* Writes what a reader makes of the path: a slash for each that divides, '\1' for another. */
static size_t read_as(struct str path, bool any_reading, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        int byte = escaped(path, i);
        char c = byte < 0 ? path.p[i] : (char)byte;
        if (byte >= 0)
            i += 2;
        if (any_reading && c == '\\')
            c = '/';
        else if (!any_reading && byte == '/')
            c = '\1';
        out[n++] = c;
    }
    return n;
}

bool paths_have_dots(struct str path, bool any_reading)
{
    char text[PATHS_BYTES];
    size_t n = read_as(path, any_reading, text), from = 0;
    if (memchr(text, '\0', n))
        return true;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && text[i] != '/')
            continue;
        struct str segment = {text + from, i - from};
        const char *cut = any_reading ? memchr(segment.p, ';', segment.n) : NULL;
        if (cut)
            segment.n = (size_t)(cut - segment.p);
        if (is_dots(segment))
            return true;
        from = i + 1;
    }
    return false;
}
