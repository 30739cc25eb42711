#include "http/router.h"

#include "core/mem.h"
#include "http/uri.h"
#include "http/urlencoded.h"

struct route {
    void *target;
    struct str pattern; /* the copy after this struct */
    bool ends_in_rest;
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
    struct route *rest;  /* the route that ends in a rest below this node */
    struct route *route; /* the route that ends at this node */
    size_t len;          /* of the literal */
    char literal[];
};

struct router {
    struct node *root;
};

enum kind { LITERAL, PARAMETER, REST };

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

/* The kind of a pattern's segment, and its content: the bytes of a literal, or a name. */
static enum kind parse(struct str segment, struct str *inner)
{
    *inner = segment;
    if (segment.n < 2 || segment.p[0] != '[' || segment.p[segment.n - 1] != ']')
        return LITERAL;
    *inner = (struct str){segment.p + 1, segment.n - 2};
    if (!str_starts(*inner, STR("...")))
        return PARAMETER;
    *inner = (struct str){inner->p + 3, inner->n - 3};
    return REST;
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
    struct str inner;
    enum kind kind = parse(segment, &inner);
    if (route->ends_in_rest)
        return "goes on behind its rest";
    if (segment.n == 0)
        return "has an empty segment";
    if (is_dots(segment))
        return "has a segment of dots, which no path may have";
    if (has_bracket(inner))
        return "has a stray bracket";
    route->ends_in_rest = kind == REST;
    return kind == LITERAL ? NULL : add_name(route, inner);
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
    mem_put(node->literals, node->room * sizeof *node->literals);
    mem_put(node, sizeof *node + node->len);
}

static int compare(const struct node *node, struct str s)
{
    int order = memcmp(node->literal, s.p, node->len < s.n ? node->len : s.n);
    return order ? order : (node->len > s.n) - (node->len < s.n);
}

/* The place of a literal among a node's, or the place where it belongs. */
static size_t position(const struct node *node, struct str literal)
{
    size_t low = 0, high = node->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(node->literals[middle], literal) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *literal_at(const struct node *node, size_t at, struct str literal)
{
    bool found = at < node->count && compare(node->literals[at], literal) == 0;
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

/* Puts a route into the trie. If memory runs out, the nodes made so far stay; they match
 * nothing. */
static enum rc plant(struct node *node, struct route *route, struct router_fault *fault)
{
    struct str left = without_root(route->pattern), segment, inner;
    while (node && shift(&left, &segment)) {
        enum kind kind = parse(segment, &inner);
        if (kind == LITERAL)
            node = literal_child(node, inner);
        else if (kind == PARAMETER)
            node = parameter_child(node);
    }
    if (!node)
        return RC_NOMEM;
    struct route **end = route->ends_in_rest ? &node->rest : &node->route;
    if (*end) {
        *fault = (struct router_fault){"takes the same paths as another", (*end)->target};
        return RC_INVALID;
    }
    *end = route;
    return RC_OK;
}

struct router *router_new(void)
{
    struct router *r = mem_get(sizeof *r);
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

/* Finds the best route below a node, after count parameters. */
static bool find(const struct node *node, struct str left, size_t count, struct match *m)
{
    struct str all = left, segment;
    if (!shift(&left, &segment))
        return settle(node->route, m);
    const struct node *child = literal_at(node, position(node, segment), segment);
    if (child && find(child, left, count, m))
        return true;
    if (node->parameter) {
        m->params[count].value = segment;
        if (find(node->parameter, left, count + 1, m))
            return true;
    }
    if (node->rest)
        m->params[count].value = (struct str){all.p + 1, all.n - 1};
    return settle(node->rest, m);
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
    enum router_result result = decode_path(&path, arena);
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
    for (size_t i = 0; i < node->count; i++)
        walk(v, node->literals[i]);
    walk(v, node->parameter);
    visit_route(v, node->rest);
}

void router_walk(
    const struct router *r, void (*visit)(void *data, struct str pattern, void *target), void *data)
{
    walk(&(struct visitor){visit, data}, r->root);
}
