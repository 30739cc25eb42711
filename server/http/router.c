#include "http/router.h"

#include "core/mem.h"
#include "http/uri.h"
#include "http/urlencoded.h"

struct route {
    void *target;
    struct str pattern; /* the copy after this struct */
    struct str verb;    /* borrowed from pattern; of no length for none */
    struct route *next; /* of another verb at the same node */
    bool ends_in_rest, rest_may_be_empty;
    size_t count;
    struct str names[ROUTER_PARAMS_MAX]; /* borrowed from pattern */
    char text[];
};

/* A node of the trie: the segments that lead to it are alike. Routes own the names of their
 * parameters, since two routes may share a node and name its segment differently. */
struct node {
    struct node **literals; /* in the order of their bytes */
    size_t count, room;
    struct node *parameter;
    struct route *rest;               /* the route that ends in a rest below this node */
    struct route *route;              /* the route that ends at this node */
    struct route *verbs, *rest_verbs; /* the same, with verbs */
    bool has_verbs;                   /* either */
    bool above_rest_verbs;            /* of a child's, one takes no segment at all */
    size_t len;                       /* of the literal */
    char literal[];
};

struct router {
    struct node *root;
    bool has_verbs;
};

enum kind { LITERAL, PARAMETER, REST };

/* A segment of a pattern. */
struct part {
    enum kind kind;
    struct str inner; /* a literal's bytes, or a name */
    struct str verb;
    bool has_verb, may_be_empty;
};

/* Takes "/segment" off the front of a path; false at its end. */
static bool shift(struct str *path, struct str *segment)
{
    if (path->n == 0)
        return false;
    const char *start = path->p + 1;
    size_t left = path->n - 1;
    const char *slash = memchr(start, '/', left);
    size_t n = slash ? (size_t)(slash - start) : left;
    *segment = (struct str){start, n};
    *path = (struct str){start + n, left - n};
    return true;
}

/* The root stands for no segment. */
static struct str without_root(struct str path)
{
    return path.n == 1 ? (struct str){path.p + 1, 0} : path;
}

static bool is_dots(struct str segment)
{
    return str_eq(segment, STR(".")) || str_eq(segment, STR(".."));
}

static bool has_bracket(struct str s)
{
    return s.n && (memchr(s.p, '[', s.n) || memchr(s.p, ']', s.n));
}

/* The length of the brackets that the segment begins with, up to its end or a colon; 0 for none. */
static size_t bracketed(struct str segment)
{
    if (segment.n < 2 || segment.p[0] != '[')
        return 0;
    const char *colon = memrchr(segment.p, ':', segment.n);
    if (segment.p[segment.n - 1] == ']')
        return segment.n;
    return colon && colon[-1] == ']' ? (size_t)(colon - segment.p) : 0;
}

static struct part parse(struct str segment)
{
    size_t n = bracketed(segment);
    if (n == 0)
        return (struct part){.kind = LITERAL, .inner = segment};
    struct part part = {.kind = PARAMETER, .inner = {segment.p + 1, n - 2}};
    part.has_verb = n < segment.n;
    if (part.has_verb)
        part.verb = (struct str){segment.p + n + 1, segment.n - n - 1};
    if (!str_starts(part.inner, STR("...")))
        return part;
    part.kind = REST;
    part.inner = (struct str){part.inner.p + 3, part.inner.n - 3};
    part.may_be_empty = part.inner.n && part.inner.p[part.inner.n - 1] == '?';
    part.inner.n -= part.may_be_empty;
    return part;
}

static bool is_named(const struct route *route, struct str name)
{
    for (size_t i = 0; i < route->count; i++)
        if (str_eq(route->names[i], name))
            return true;
    return false;
}

static const char *add_name(struct route *route, struct str name)
{
    if (name.n == 0)
        return "has a parameter without a name";
    if (name.p[0] == '.')
        return "has a parameter whose name begins with a dot";
    if (is_named(route, name))
        return "has two parameters of one name";
    if (route->count == ROUTER_PARAMS_MAX)
        return "has more than 16 parameters";
    route->names[route->count++] = name;
    return NULL;
}

static const char *add_segment(struct route *route, struct str segment)
{
    struct part part = parse(segment);
    if (route->ends_in_rest)
        return "goes on behind its rest";
    if (route->verb.n)
        return "goes on behind its verb";
    if (segment.n == 0)
        return "has an empty segment";
    if (is_dots(segment))
        return "has a segment of dots, which no path may have";
    if (has_bracket(part.inner) || has_bracket(part.verb))
        return "has a stray bracket";
    if (part.has_verb && part.verb.n == 0)
        return "has an empty verb";
    route->ends_in_rest = part.kind == REST;
    route->rest_may_be_empty = part.may_be_empty;
    route->verb = part.verb;
    return part.kind == LITERAL ? NULL : add_name(route, part.inner);
}

/* Reads the pattern into the route's names; returns what is wrong with it, or NULL. */
static const char *read_pattern(struct route *route)
{
    if (route->pattern.n == 0 || route->pattern.p[0] != '/')
        return "does not begin with a slash";
    struct str left = without_root(route->pattern), segment;
    const char *problem = NULL;
    while (!problem && shift(&left, &segment))
        problem = add_segment(route, segment);
    return problem;
}

static size_t route_size(size_t pattern_len)
{
    return sizeof(struct route) + pattern_len;
}

static struct route *new_route(struct str pattern, void *target)
{
    struct route *route = mem_get_zeroed(route_size(pattern.n));
    if (!route)
        return NULL;
    if (pattern.n)
        memcpy(route->text, pattern.p, pattern.n);
    route->pattern = (struct str){route->text, pattern.n};
    route->target = target;
    return route;
}

static void free_route(struct route *route)
{
    if (route)
        mem_put(route, route_size(route->pattern.n));
}

static struct node *new_node(struct str literal)
{
    struct node *node = mem_get_zeroed(sizeof *node + literal.n);
    if (!node)
        return NULL;
    if (literal.n)
        memcpy(node->literal, literal.p, literal.n);
    node->len = literal.n;
    return node;
}

static void free_routes(struct route *first)
{
    while (first) {
        struct route *next = first->next;
        free_route(first);
        first = next;
    }
}

/* This recursion, like the others here, is as deep as the longest pattern. */
static void free_node(struct node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->count; i++)
        free_node(node->literals[i]);
    free_node(node->parameter);
    free_route(node->rest);
    free_route(node->route);
    free_routes(node->verbs);
    free_routes(node->rest_verbs);
    mem_put(node->literals, node->room * sizeof *node->literals);
    mem_put(node, sizeof *node + node->len);
}

static int compare(struct str a, struct str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static struct str literal_of(const struct node *node)
{
    return (struct str){node->literal, node->len};
}

/* The place of a literal among a node's, or the place where it belongs. */
static size_t position(const struct node *node, struct str literal)
{
    size_t low = 0, high = node->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(literal_of(node->literals[middle]), literal) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *literal_at(const struct node *node, size_t at, struct str literal)
{
    bool found = at < node->count && compare(literal_of(node->literals[at]), literal) == 0;
    return found ? node->literals[at] : NULL;
}

static enum rc make_room(struct node *node)
{
    if (node->count < node->room)
        return RC_OK;
    size_t room = node->room ? node->room * 2 : 4;
    size_t each = sizeof *node->literals;
    struct node **moved = mem_resize(node->literals, node->room * each, room * each);
    if (!moved)
        return RC_NOMEM;
    node->literals = moved;
    node->room = room;
    return RC_OK;
}

/* The node's child for the literal, made if there is none; NULL if memory runs out. */
static struct node *literal_child(struct node *node, struct str literal)
{
    size_t at = position(node, literal);
    struct node *child = literal_at(node, at, literal);
    if (child || make_room(node))
        return child;
    child = new_node(literal);
    if (!child)
        return NULL;
    memmove(
        node->literals + at + 1, node->literals + at, (node->count - at) * sizeof *node->literals);
    node->literals[at] = child;
    node->count++;
    return child;
}

static struct node *parameter_child(struct node *node)
{
    if (!node->parameter)
        node->parameter = new_node(STR(""));
    return node->parameter;
}

/* Where a node has such a route, or would. */
static struct route **place_of(struct node *node, const struct route *route)
{
    struct route **at = route->ends_in_rest ? &node->rest : &node->route;
    if (route->verb.n)
        at = route->ends_in_rest ? &node->rest_verbs : &node->verbs;
    while (route->verb.n && *at && compare((*at)->verb, route->verb) < 0)
        at = &(*at)->next;
    return at;
}

/* Puts a route into the trie. If memory runs out, the nodes made so far stay; they match
 * nothing. */
static enum rc plant(struct node *node, struct route *route, struct router_fault *fault)
{
    struct str left = without_root(route->pattern), segment;
    struct node *above = NULL;
    while (node && shift(&left, &segment)) {
        struct part part = parse(segment);
        if (part.kind != REST)
            above = node;
        if (part.kind == LITERAL)
            node = literal_child(node, part.inner);
        else if (part.kind == PARAMETER)
            node = parameter_child(node);
    }
    if (!node)
        return RC_NOMEM;
    struct route **end = place_of(node, route);
    if (*end && str_eq((*end)->verb, route->verb)) {
        *fault = (struct router_fault){"takes the same paths as another", (*end)->target};
        return RC_INVALID;
    }
    route->next = *end;
    *end = route;
    node->has_verbs |= route->verb.n > 0;
    if (above && route->verb.n && route->rest_may_be_empty)
        above->above_rest_verbs = true;
    return RC_OK;
}

struct router *router_new(void)
{
    struct router *r = mem_get_zeroed(sizeof *r);
    if (!r)
        return NULL;
    r->root = new_node(STR(""));
    if (r->root)
        return r;
    mem_put(r, sizeof *r);
    return NULL;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    free_node(r->root);
    mem_put(r, sizeof *r);
}

enum rc router_add(struct router *r, struct str pattern, void *target, struct router_fault *fault)
{
    *fault = (struct router_fault){NULL, NULL};
    struct route *route = new_route(pattern, target);
    if (!route)
        return RC_NOMEM;
    fault->problem = read_pattern(route);
    enum rc rc = fault->problem ? RC_INVALID : plant(r->root, route, fault);
    if (rc)
        free_route(route);
    else
        r->has_verbs |= route->verb.n > 0;
    return rc;
}

/* Decodes in place. "%2F" is left alone, so only slashes divide the segments. */
static bool decode(char *text, size_t *len)
{
    size_t n = 0;
    for (size_t i = 0; i < *len; i++) {
        if (text[i] == '%') {
            int byte = urlencoded_byte((struct str){text + i, *len - i});
            if (byte < 0)
                return false;
            if (byte != '/') {
                text[n++] = (char)byte;
                i += 2;
                continue;
            }
        }
        text[n++] = text[i];
    }
    *len = n;
    return true;
}

/* Decodes a path; into the arena if it has escapes. */
static enum router_result decode_path(struct str *path, struct arena *arena)
{
    if (!memchr(path->p, '%', path->n))
        return ROUTER_FOUND;
    char *copy = arena_copy(arena, path->p, path->n);
    if (!copy)
        return ROUTER_NOMEM;
    path->p = copy;
    return decode(copy, &path->n) ? ROUTER_FOUND : ROUTER_BAD_PATH;
}

/* An empty segment matches nothing. */
static bool has_empty_segment(struct str path)
{
    struct str left = without_root(path), segment;
    while (shift(&left, &segment))
        if (segment.n == 0)
            return true;
    return false;
}

static bool settle(const struct route *route, struct match *m)
{
    if (!route)
        return false;
    m->target = route->target;
    m->count = route->count;
    for (size_t i = 0; i < route->count; i++)
        m->params[i].name = route->names[i];
    return true;
}

/* The route of the path's verb, which is then taken off the value that it stands behind. */
static const struct route *take_verb(const struct route *first, struct str *value, struct str verb)
{
    while (first && !str_eq(first->verb, verb))
        first = first->next;
    if (!first || value->n <= verb.n + 1 || value->p[value->n - verb.n - 2] == '/')
        return NULL;
    value->n -= verb.n + 1;
    return first;
}

/* A rest with the path's verb that takes no segment: the verb stands behind the one before. */
static bool settle_bare(const struct node *node, size_t count, struct match *m)
{
    const struct route *route = node->rest_verbs;
    while (route && !(route->rest_may_be_empty && str_eq(route->verb, m->verb)))
        route = route->next;
    if (!route)
        return false;
    m->params[count].value = STR("");
    return settle(route, m);
}

/* The same behind a value, which the verb is taken off. */
static bool settle_behind(const struct node *node, size_t count, struct match *m)
{
    struct str *last = count ? &m->params[count - 1].value : NULL;
    bool at_end = last && last->p + last->n == m->verb.p + m->verb.n;
    if (!at_end || last->n <= m->verb.n + 1 || !settle_bare(node, count, m))
        return false;
    last->n -= m->verb.n + 1;
    return true;
}

static bool find_verb(const struct node *node, size_t count, struct match *m)
{
    if (node->verbs && settle(take_verb(node->verbs, &m->params[count - 1].value, m->verb), m))
        return true;
    return node->rest_verbs && settle_behind(node, count, m);
}

/* The path ends at the node. */
static bool find_end(const struct node *node, size_t count, struct match *m)
{
    if (node->has_verbs && find_verb(node, count, m))
        return true;
    if (settle(node->route, m))
        return true;
    if (!node->rest || !node->rest->rest_may_be_empty)
        return false;
    m->params[count].value = STR("");
    return settle(node->rest, m);
}

/* The last segment is, but for the path's verb, a literal below which a rest takes nothing. */
static bool find_bare(const struct node *node, struct str segment, size_t count, struct match *m)
{
    if (m->verb.n == 0 || segment.n <= m->verb.n + 1)
        return false;
    struct str bare = {segment.p, segment.n - m->verb.n - 1};
    const struct node *child = literal_at(node, position(node, bare), bare);
    return child && settle_bare(child, count, m);
}

/* Finds the best route below a node. count parameters were passed on the way to it. */
static bool find(const struct node *node, struct str left, size_t count, struct match *m)
{
    struct str all = left, segment;
    if (!shift(&left, &segment))
        return find_end(node, count, m);
    const struct node *child = literal_at(node, position(node, segment), segment);
    if (child && find(child, left, count, m))
        return true;
    if (node->above_rest_verbs && left.n == 0 && find_bare(node, segment, count, m))
        return true;
    if (node->parameter) {
        m->params[count].value = segment;
        if (find(node->parameter, left, count + 1, m))
            return true;
    }
    if (node->rest || node->rest_verbs)
        m->params[count].value = (struct str){all.p + 1, all.n - 1};
    if (node->rest_verbs &&
        settle(take_verb(node->rest_verbs, &m->params[count].value, m->verb), m))
        return true;
    return settle(node->rest, m);
}

/* What follows the last colon of the last segment, as it is escaped; of no length for none. */
static struct str raw_verb(struct str path)
{
    const char *slash = memrchr(path.p, '/', path.n);
    const char *last = slash ? slash + 1 : path.p;
    size_t n = (size_t)(path.p + path.n - last);
    const char *colon = memrchr(last, ':', n);
    if (!colon)
        return (struct str){path.p + path.n, 0};
    return (struct str){colon + 1, (size_t)(path.p + path.n - colon - 1)};
}

/* The end of the decoded path that was the verb. */
static struct str decoded_verb(struct str path, struct str raw)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++, n++)
        if (raw.p[i] == '%' && urlencoded_byte((struct str){raw.p + i, raw.n - i}) != '/')
            i += 2;
    return (struct str){path.p + path.n - n, n};
}

enum router_result router_match(
    const struct router *r, struct str path, struct arena *arena, struct match *out)
{
    if (str_eq(path, STR("*")))
        return ROUTER_NOT_FOUND;
    if (path.n == 0 || path.p[0] != '/')
        return ROUTER_BAD_PATH;
    if (uri_has_dots(path))
        return ROUTER_BAD_PATH;
    struct str raw = r->has_verbs ? raw_verb(path) : STR("");
    enum router_result result = decode_path(&path, arena);
    if (!result && r->has_verbs)
        out->verb = decoded_verb(path, raw);
    if (!result && (has_empty_segment(path) || !find(r->root, without_root(path), 0, out)))
        result = ROUTER_NOT_FOUND;
    return result;
}

struct visitor {
    void (*visit)(void *data, struct str pattern, void *target);
    void *data;
};

static void visit_route(const struct visitor *v, const struct route *route)
{
    if (route)
        v->visit(v->data, route->pattern, route->target);
}

static void walk(const struct visitor *v, const struct node *node)
{
    if (!node)
        return;
    visit_route(v, node->route);
    for (const struct route *r = node->verbs; r; r = r->next)
        visit_route(v, r);
    for (size_t i = 0; i < node->count; i++)
        walk(v, node->literals[i]);
    walk(v, node->parameter);
    visit_route(v, node->rest);
    for (const struct route *r = node->rest_verbs; r; r = r->next)
        visit_route(v, r);
}

void router_walk(
    const struct router *r, void (*visit)(void *data, struct str pattern, void *target), void *data)
{
    walk(&(struct visitor){visit, data}, r->root);
}
