#include "proxy/routes.h"

#include "core/mem.h"
#include "http/prefix.h"
#include "http/request.h"
#include "http/uri.h"

#include <stdio.h>

static struct route *find_exactly(const struct routes *r, struct str prefix)
{
    struct route *route = r->first;
    while (route && !str_eq(route->prefix, prefix))
        route = route->next;
    return route;
}

/* Keeps the routes sorted, the longest prefix first. */
static struct route *insert(struct routes *r, struct str prefix)
{
    struct route *route = mem_get_zeroed(sizeof *route);
    if (!route)
        return NULL;
    struct route **at = &r->first;
    while (*at && (*at)->prefix.n >= prefix.n)
        at = &(*at)->next;
    route->prefix = prefix;
    route->next = *at;
    *at = route;
    return route;
}

enum rc routes_add(struct routes *r, const char *text, char why[ORIGIN_WHY])
{
    struct str prefix = STR("/"), url = str_of(text);
    if (text[0] == '/') {
        const char *mark = strchr(text, '=');
        prefix.p = text;
        prefix.n = mark ? (size_t)(mark - text) : 0;
        url = str_of(mark ? mark + 1 : "");
    }
    if (prefix.n == 0 || memchr(prefix.p, '%', prefix.n)) {
        snprintf(why, ORIGIN_WHY, "upstream \"%.100s\" is no URL, and no /PREFIX=URL", text);
        return RC_INVALID;
    }
    struct route *route = find_exactly(r, prefix);
    if (!route)
        route = insert(r, prefix);
    if (!route) {
        snprintf(why, ORIGIN_WHY, "%s", rc_text(RC_NOMEM));
        return RC_NOMEM;
    }
    return upstreams_add(&route->upstreams, url, why);
}

void routes_fini(struct routes *r)
{
    while (r->first) {
        struct route *route = r->first;
        r->first = route->next;
        mem_put(route, sizeof *route);
    }
}

static void append(char **end, struct str text)
{
    memcpy(*end, text.p, text.n);
    *end += text.n;
}

/* Joins base and rest with one slash between them. */
static enum rc join(
    struct str base, struct str rest, struct str query, struct arena *a, struct str *out)
{
    char *text = arena_bytes(a, base.n + rest.n + query.n + 2), *end = text;
    if (!text)
        return RC_NOMEM;
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    append(&end, base);
    if (rest.n == 0 || rest.p[0] != '/')
        *end++ = '/';
    append(&end, rest);
    if (query.p) {
        *end++ = '?';
        append(&end, query);
    }
    *out = (struct str){text, (size_t)(end - text)};
    return RC_OK;
}

enum rc routes_target(
    const struct request *r, struct str prefix, struct str base, struct arena *a, struct str *out)
{
    size_t cut = prefix.n > 1 ? prefix_match(prefix, r->path) : 0;
    if (cut == 0 && base.n == 0) {
        /* The query follows the path in memory, as it was received. */
        *out = (struct str){r->path.p, r->path.n + (r->query.p ? 1 + r->query.n : 0)};
        return RC_OK;
    }
    if (uri_may_have_dots(r->path) || str_eq(r->path, STR("*")))
        return RC_INVALID;
    if (base.n == 0)
        cut = 0;
    return join(base, (struct str){r->path.p + cut, r->path.n - cut}, r->query, a, out);
}
