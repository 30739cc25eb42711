#include "http/router.h"

#include "tests/unit/check.h"

#include <stdio.h>

static char room[8192];

static void add(struct router *r, const char *pattern)
{
    struct router_fault fault;
    assert_int_equal(router_add(r, str_of(pattern), (void *)pattern, &fault), RC_OK);
    assert_null(fault.problem);
}

/* A router whose targets are the patterns themselves. */
static struct router *with(const char *const *patterns, size_t n)
{
    struct router *r = router_new();
    for (size_t i = 0; i < n; i++)
        add(r, patterns[i]);
    return r;
}

#define WITH(...) \
    with((const char *const[]){__VA_ARGS__}, count_of(((const char *const[]){__VA_ARGS__})))

/* What a path comes to, in words: "404", "400", or the pattern and then each parameter. */
static const char *look_up(const struct router *r, struct str path)
{
    static char words[4096];
    struct arena a;
    struct match m;
    arena_init(&a, room, sizeof room, 1 << 20);
    switch (router_match(r, path, &a, &m)) {
    case ROUTER_FOUND:
        snprintf(words, sizeof words, "%s", (const char *)m.target);
        break;
    case ROUTER_NOT_FOUND:
        return "404";
    case ROUTER_BAD_PATH:
        return "400";
    case ROUTER_NOMEM:
        return "memory";
    }
    for (size_t i = 0; i < m.count; i++) {
        size_t len = strlen(words);
        const struct param *p = &m.params[i];
        snprintf(words + len, sizeof words - len, " %.*s=%.*s", (int)p->name.n, p->name.p,
            (int)p->value.n, p->value.p);
    }
    arena_fini(&a);
    return words;
}

struct lookup {
    const char *path, *words;
};

static void assert_lookups(const struct router *r, const struct lookup *lookups, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *words = look_up(r, str_of(lookups[i].path));
        if (strcmp(words, lookups[i].words) != 0)
            fail_msg("%s gives %s, not %s", lookups[i].path, words, lookups[i].words);
    }
}

static void Match_Literals_WholePathOnly(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/", "/"},
        {"/hello", "/hello"},
        {"/api/users", "/api/users"},
        {"/api", "404"},
        {"/hell", "404"},
        {"/hello2", "404"},
        {"/Hello", "404"},
        {"/api/users/7", "404"},
        {"/users", "404"},
    };
    struct router *r = WITH("/", "/hello", "/api/users");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_NoRoutes_NotFound(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/", "404"}, {"/a", "404"}, {"*", "404"}, {"/..", "400"}};
    struct router *r = router_new();
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_Parameter_OneSegment(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/users/7", "/users/[id] id=7"},
        {"/users/a.b", "/users/[id] id=a.b"},
        {"/users/...", "/users/[id] id=..."},
        {"/users", "404"},
        {"/users/", "404"},
        {"/users/7/", "404"},
        {"/users/7/posts", "404"},
        {"/users/7/posts/8", "/users/[user]/posts/[post] user=7 post=8"},
    };
    struct router *r = WITH("/users/[id]", "/users/[user]/posts/[post]");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_Rest_OneOrMoreSegments(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/files/a", "/files/[...path] path=a"},
        {"/files/a/b/c", "/files/[...path] path=a/b/c"},
        {"/files/a%20b/c%2fd", "/files/[...path] path=a b/c%2fd"},
        {"/files", "404"},
        {"/files/", "404"},
        {"/files//", "404"},
        {"/files/a/", "404"},
        {"/files//a", "404"},
        {"/files/a//b", "404"},
        {"/x/1/2", "/x/[y]/[...rest] y=1 rest=2"},
        {"/x/1", "404"},
    };
    struct router *r = WITH("/files/[...path]", "/x/[y]/[...rest]");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_RestAtRoot_NotTheRoot(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {{"/", "404"}, {"/a", "/[...all] all=a"},
        {"/a/b", "/[...all] all=a/b"}, {"//", "404"}, {"*", "404"}};
    struct router *r = WITH("/[...all]");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_Precedence_LiteralParameterRest(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/a/me", "/a/me"},
        {"/a/you", "/a/[id] id=you"},
        {"/a/you/too", "/a/[...rest] rest=you/too"},
        {"/a/me/too", "/a/[...rest] rest=me/too"},
        {"/b/x", "/[one]/x one=b"},
        {"/a/x", "/a/[id] id=x"},
    };
    struct router *r = WITH("/a/[...rest]", "/a/[id]", "/a/me", "/[one]/x");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_BetterBranchFails_TriesOthers(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/users/me/x", "/users/me/x"},
        {"/users/me/y", "/users/[id]/y id=me"},
        {"/users/me/z", "/users/[...rest] rest=me/z"},
        {"/users/me", "/users/[...rest] rest=me"},
        {"/users/me/y/z", "/users/[...rest] rest=me/y/z"},
        {"/a/b/c/d", "/[p]/b/c/[q] p=a q=d"},
        {"/a/b/c", "404"},
    };
    struct router *r =
        WITH("/users/me/x", "/users/[id]/y", "/users/[...rest]", "/a/b/x/d", "/[p]/b/c/[q]");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_Escapes_DecodedOnce(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/caf%C3%A9", "/caf\xc3\xa9"},
        {"/caf\xc3\xa9", "/caf\xc3\xa9"},
        {"/a%20b", "/a b"},
        {"/%61%20b", "/a b"},
        {"/p/%41%5a%7e", "/p/[v] v=AZ~"},
        {"/p/%2541", "/p/[v] v=%41"},
        {"/p/a+b", "/p/[v] v=a+b"},
        {"/p/%3F%23", "/p/[v] v=?#"},
        {"/%70/x", "/p/[v] v=x"},
        {"/p/%ff", "/p/[v] v=\xff"},
        {"/p/%5Bv%5D", "/p/[v] v=[v]"},
    };
    struct router *r = WITH("/caf\xc3\xa9", "/a b", "/p/[v]");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_EscapedSlash_StaysAsItIs(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {
        {"/p/a%2Fb", "/p/[v] v=a%2Fb"},
        {"/p/a%2fb%20", "/p/[v] v=a%2fb "},
        {"/p/%2F", "/p/[v] v=%2F"},
        {"/p/..%2F..", "/p/[v] v=..%2F.."},
        {"/p%2Fx", "404"},
        {"/%2F", "404"},
        {"/lit%2Feral", "/lit%2Feral"},
    };
    struct router *r = WITH("/", "/p/[v]", "/lit%2Feral");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static const char *const bad_paths[] = {"", "a", "?", "**", "hello/", "/%", "/%4", "/%zz", "/%4g",
    "/%g4", "/a%", "/%%41", "/% 1", "/%00", "/a%00b", "/.", "/..", "/%2e", "/%2E%2e", "/.%2E",
    "/a/../b", "/a/./b", "/hello/..", "/x//..", "/nowhere/%zz", "/hello/%", "//%00", "/../",
    "/a/b/c/%2e./d"};

static void Match_BadPath_WhateverTheRoutes(void **state)
{
    (void)state;
    struct router *none = router_new();
    struct router *all = WITH("/", "/hello", "/[p]", "/[...rest]");
    for (size_t i = 0; i < count_of(bad_paths); i++) {
        assert_string_equal(look_up(none, str_of(bad_paths[i])), "400");
        assert_string_equal(look_up(all, str_of(bad_paths[i])), "400");
    }
    assert_string_equal(look_up(all, (struct str){"/a\0b", 4}), "400");
    assert_string_equal(look_up(all, (struct str){NULL, 0}), "400");
    router_free(none);
    router_free(all);
}

static void Match_EmptySegment_NotFound(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "//", "///", "/hello/", "//hello", "/hello//", "/a//b", "/a/b/", "/%20/"};
    struct router *r = WITH("/", "/hello", "/[p]", "/[p]/[q]", "/[...rest]");
    for (size_t i = 0; i < count_of(paths); i++)
        assert_string_equal(look_up(r, str_of(paths[i])), "404");
    router_free(r);
}

static void Match_VerbOfARestThatIsNothing_StandsBehindTheSegmentBefore(void **state)
{
    (void)state;
    struct router *r =
        WITH("/v/[...rest?]:do", "/v/[...rest?]:go", "/v/[id]", "/[id]", "/w/[...r]:do",
            "/x/[a]/[...r?]:do", "/x/[a]:go", "/x/y/z:do", "/y/[...r?]:do", "/y:do", "/z/[...r?]");
    static const struct lookup lookups[] = {
        {"/v:do", "/v/[...rest?]:do rest="},
        {"/v:go", "/v/[...rest?]:go rest="},
        {"/v:%64o", "/v/[...rest?]:do rest="},
        {"/v%3Ado", "/[id] id=v:do"},
        {"/v:no", "/[id] id=v:no"},
        {"/v/a:do", "/v/[id] id=a:do"},
        {"/v/a/b:go", "/v/[...rest?]:go rest=a/b"},
        {"/v/:do", "/v/[id] id=:do"},
        {"/w:do", "/[id] id=w:do"},
        {"/x/a:do", "/x/[a]/[...r?]:do a=a r="},
        {"/x/a:b:do", "/x/[a]/[...r?]:do a=a:b r="},
        {"/x/a:go", "/x/[a]:go a=a"},
        {"/x/:do", "404"},
        {"/y:do", "/y:do"},
        {"/z:do", "/[id] id=z:do"},
        {"/:do", "/[id] id=:do"},
    };
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_Verb_BeforeTheValueThatHasIt(void **state)
{
    (void)state;
    struct router *r = WITH("/v/[id]", "/v/[id]:lock", "/v/[id]:open", "/v/all:lock", "/v/all",
        "/v/[a]/x/[b]:lock", "/f/[...path]:lock", "/f/[...path]", "/f/one");
    static const struct lookup lookups[] = {
        {"/v/7", "/v/[id] id=7"},
        {"/v/7:lock", "/v/[id]:lock id=7"},
        {"/v/7:open", "/v/[id]:open id=7"},
        {"/v/7:shut", "/v/[id] id=7:shut"},
        {"/v/7:", "/v/[id] id=7:"},
        {"/v/:lock", "/v/[id] id=:lock"},
        {"/v/7:a:lock", "/v/[id]:lock id=7:a"},
        {"/v/7:lock:a", "/v/[id] id=7:lock:a"},
        {"/v/7%3Alock", "/v/[id] id=7:lock"},
        {"/v/7:%6Cock", "/v/[id]:lock id=7"},
        {"/v/7%2F8:lock", "/v/[id]:lock id=7%2F8"},
        {"/v/all:lock", "/v/all:lock"},
        {"/v/all", "/v/all"},
        {"/v/all:open", "/v/[id]:open id=all"},
        {"/v/1:lock/x/2", "404"},
        {"/v/1:lock/x/2:lock", "/v/[a]/x/[b]:lock a=1:lock b=2"},
        {"/f/a/b:lock", "/f/[...path]:lock path=a/b"},
        {"/f/a:lock/b", "/f/[...path] path=a:lock/b"},
        {"/f/a/:lock", "/f/[...path] path=a/:lock"},
        {"/f/one", "/f/one"},
        {"/f/one:lock", "/f/[...path]:lock path=one"},
    };
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_RestThatMayBeNone_BehindAllElse(void **state)
{
    (void)state;
    struct router *r = WITH("/f/[...path?]", "/g/[...path?]", "/g", "/h/[...path?]:lock", "/[x]");
    static const struct lookup lookups[] = {
        {"/f", "/f/[...path?] path="},
        {"/f/a/b", "/f/[...path?] path=a/b"},
        {"/f/", "404"},
        {"/g", "/g"},
        {"/g/a", "/g/[...path?] path=a"},
        {"/h", "/[x] x=h"},
        {"/h/a:lock", "/h/[...path?]:lock path=a"},
    };
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Match_EachByte_AsItsEscape(void **state)
{
    (void)state;
    struct router *r = WITH("/[v]");
    struct arena a;
    struct match m;
    arena_init(&a, room, sizeof room, 1 << 20);
    for (int c = 1; c < 256; c++) {
        char path[8];
        snprintf(path, sizeof path, "/%%%02x", (unsigned)c);
        if (c == '/' || c == '.')
            continue;
        assert_int_equal(router_match(r, str_of(path), &a, &m), ROUTER_FOUND);
        assert_int_equal(m.params[0].value.n, 1);
        assert_int_equal((unsigned char)m.params[0].value.p[0], c);
    }
    arena_fini(&a);
    router_free(r);
}

static void Match_NoEscapes_NoMemory(void **state)
{
    (void)state;
    struct router *r = WITH("/a/b", "/p/[v]", "/r/[...v]");
    struct arena none;
    struct match m;
    arena_init(&none, NULL, 0, 0);
    assert_int_equal(router_match(r, STR("/a/b"), &none, &m), ROUTER_FOUND);
    assert_int_equal(router_match(r, STR("/p/x"), &none, &m), ROUTER_FOUND);
    assert_int_equal(router_match(r, STR("/r/x/y"), &none, &m), ROUTER_FOUND);
    assert_int_equal(router_match(r, STR("/none"), &none, &m), ROUTER_NOT_FOUND);
    assert_int_equal(router_match(r, STR("/%61/b"), &none, &m), ROUTER_NOMEM);
    arena_fini(&none);
    router_free(r);
}

/* As many segments as fit into a header list: neither the stack nor the time may grow with them. */
static void Match_LongPaths_JustLong(void **state)
{
    (void)state;
    static char path[200001];
    struct router *r = WITH("/a/a/a", "/a/[x]/a", "/[x]/a/a/a", "/b/[...rest]");
    struct arena a;
    struct match m;
    arena_init(&a, NULL, 0, 1 << 20);
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? 'a' : '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(router_match(r, str_of(path), &a, &m), ROUTER_NOT_FOUND);
    path[1] = 'b';
    assert_int_equal(router_match(r, str_of(path), &a, &m), ROUTER_FOUND);
    assert_int_equal(m.params[0].value.n, sizeof path - 1 - 3);
    arena_fini(&a);
    router_free(r);
}

static void Add_Malformed_SaysWhy(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *problem;
    } cases[] = {
        {"", "does not begin with a slash"},
        {"hello", "does not begin with a slash"},
        {"[id]", "does not begin with a slash"},
        {"//", "has an empty segment"},
        {"/a/", "has an empty segment"},
        {"/a//b", "has an empty segment"},
        {"/.", "has a segment of dots, which no path may have"},
        {"/a/../b", "has a segment of dots, which no path may have"},
        {"/[]", "has a parameter without a name"},
        {"/a/[]/b", "has a parameter without a name"},
        {"/[...]", "has a parameter without a name"},
        {"/[..path]", "has a parameter whose name begins with a dot"},
        {"/[....path]", "has a parameter whose name begins with a dot"},
        {"/[...path]/x", "goes on behind its rest"},
        {"/[...path]/[...more]", "goes on behind its rest"},
        {"/[a]/[a]", "has two parameters of one name"},
        {"/[a]/b/[...a]", "has two parameters of one name"},
        {"/[a", "has a stray bracket"},
        {"/a]", "has a stray bracket"},
        {"/[", "has a stray bracket"},
        {"/][", "has a stray bracket"},
        {"/x[id]", "has a stray bracket"},
        {"/[id]x", "has a stray bracket"},
        {"/[[id]]", "has a stray bracket"},
        {"/[a][b]", "has a stray bracket"},
        {"/[...[a]", "has a stray bracket"},
        {"/[id]:a:b", "has a stray bracket"},
        {"/[id]:[a]", "has a stray bracket"},
        {"/[id]:", "has an empty verb"},
        {"/[...path]:", "has an empty verb"},
        {"/[...?]", "has a parameter without a name"},
        {"/[id]:lock/x", "goes on behind its verb"},
        {"/[...path]:lock/x", "goes on behind its rest"},
    };
    struct router *r = router_new();
    for (size_t i = 0; i < count_of(cases); i++) {
        struct router_fault fault;
        assert_int_equal(router_add(r, str_of(cases[i].pattern), r, &fault), RC_INVALID);
        assert_string_equal(fault.problem, cases[i].problem);
        assert_null(fault.taken_by);
    }
    router_free(r);
}

static void Add_SameShape_NamesTheOther(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"/", "/"},
        {"/a/b", "/a/b"},
        {"/users/[id]", "/users/[name]"},
        {"/f/[...a]", "/f/[...b]"},
        {"/[a]/x/[b]", "/[b]/x/[a]"},
        {"/v/[a]:lock", "/v/[b]:lock"},
        {"/f/[...a]:lock", "/f/[...b?]:lock"},
        {"/f/[...a]", "/f/[...b?]"},
    };
    for (size_t i = 0; i < count_of(pairs); i++) {
        struct router *r = WITH(pairs[i][0]);
        struct router_fault fault;
        assert_int_equal(router_add(r, str_of(pairs[i][1]), r, &fault), RC_INVALID);
        assert_string_equal(fault.problem, "takes the same paths as another");
        assert_ptr_equal(fault.taken_by, pairs[i][0]);
        router_free(r);
    }
}

static void Add_OtherShape_Allowed(void **state)
{
    (void)state;
    static const struct lookup lookups[] = {{"/a", "/a"}, {"/b", "/[p] p=b"},
        {"/b/c", "/[...p] p=b/c"}, {"/a/b", "/a/[...p] p=b"}, {"/b/x", "/[q]/x q=b"}};
    struct router *r = WITH("/[...p]", "/[p]", "/a", "/a/[...p]", "/[q]/x");
    assert_lookups(r, lookups, count_of(lookups));
    router_free(r);
}

static void Add_Parameters_SixteenAtMost(void **state)
{
    (void)state;
    static const char pattern[] =
        "/[a]/[b]/[c]/[d]/[e]/[f]/[g]/[h]/[i]/[j]/[k]/[l]/[m]/[n]/[o]/[p]/[q]";
    struct router *r = router_new();
    struct router_fault fault;
    struct str all = str_of(pattern), sixteen = {pattern, sizeof pattern - 1 - 4};
    assert_int_equal(router_add(r, all, r, &fault), RC_INVALID);
    assert_string_equal(fault.problem, "has more than 16 parameters");
    assert_int_equal(router_add(r, sixteen, (void *)"16", &fault), RC_OK);
    assert_string_equal(look_up(r, STR("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16")),
        "16 a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8 i=9 j=10 k=11 l=12 m=13 n=14 o=15 p=16");
    assert_string_equal(look_up(r, STR("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17")), "404");
    router_free(r);
}

static void Add_PatternGone_StillMatches(void **state)
{
    (void)state;
    char pattern[] = "/users/[id]";
    struct router *r = router_new();
    struct router_fault fault;
    assert_int_equal(router_add(r, str_of(pattern), (void *)"target", &fault), RC_OK);
    memset(pattern, '?', sizeof pattern - 1);
    assert_string_equal(look_up(r, STR("/users/7")), "target id=7");
    router_free(r);
}

static void Add_MemoryRunsOut_RoutesAsTheyWere(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/a/b/c", "/a/[x]/c", "/a/b/[...y]", "/a/b/d"};
    for (uint64_t i = 1, failed = 1; failed; i++) {
        struct router *r = WITH("/a/b");
        failed = 0;
        mem_fail_at(i, 0);
        for (size_t j = 0; j < count_of(patterns); j++) {
            struct router_fault fault;
            enum rc rc = router_add(r, str_of(patterns[j]), (void *)patterns[j], &fault);
            assert_true(rc == RC_OK || rc == RC_NOMEM);
            if (rc && ++failed)
                assert_int_equal(
                    router_add(r, str_of(patterns[j]), (void *)patterns[j], &fault), RC_OK);
        }
        mem_fail_at(0, 0);
        assert_string_equal(look_up(r, STR("/a/b")), "/a/b");
        assert_string_equal(look_up(r, STR("/a/b/d")), "/a/b/d");
        assert_string_equal(look_up(r, STR("/a")), "404");
        router_free(r);
    }
}

static void New_MemoryRunsOut_Null(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 2; i++) {
        mem_fail_at(i, 0);
        assert_null(router_new());
    }
    mem_fail_at(0, 0);
    router_free(NULL);
}

static void join(void *data, struct str pattern, void *target)
{
    char *text = data;
    assert_str(pattern, (const char *)target);
    strncat(text, pattern.p, pattern.n);
    strcat(text, "\n");
}

static void shuffle(const char **list, size_t n)
{
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = check_random() % (i + 1);
        const char *moved = list[i];
        list[i] = list[j];
        list[j] = moved;
    }
}

static void Walk_AnyOrderOfAdding_OneOrder(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/", "/a", "/a/b", "/a/[x]/z", "/a/[...x]", "/ab",
        "/b/c", "/b/caf\xc3\xa9", "/b/d", "/[p]", "/[p]/a", "/[...r]"};
    char expected[500] = "";
    for (size_t i = 0; i < count_of(patterns); i++)
        strcat(strcat(expected, patterns[i]), "\n");
    for (int round = 0; round < 50; round++) {
        char text[500] = "";
        const char *shuffled[count_of(patterns)];
        memcpy(shuffled, patterns, sizeof shuffled);
        shuffle(shuffled, count_of(shuffled));
        struct router *r = with(shuffled, count_of(shuffled));
        router_walk(r, join, text);
        assert_string_equal(text, expected);
        router_free(r);
    }
}

/* Patterns and paths at random, against a search through all patterns. */

static struct str next_segment(struct str *left)
{
    const char *start = left->p + 1, *slash = memchr(start, '/', left->n - 1);
    size_t n = slash ? (size_t)(slash - start) : left->n - 1;
    *left = (struct str){start + n, left->n - 1 - n};
    return (struct str){start, n};
}

static bool ends_with(struct str s, struct str end)
{
    return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

/* Whether a segment of a pattern takes the last one of a path without its verb, so that a rest
 * behind it takes nothing. */
static bool takes_bare(struct str p, struct str s, struct str pattern, struct str path)
{
    if (path.n || !str_eq(pattern, STR("/[...r?]:v")) || !ends_with(s, STR(":v")) || s.n <= 2)
        return false;
    s.n -= 2;
    return p.p[0] == '[' || str_eq(p, s);
}

/* How a pattern takes a path: a letter for each segment, a literal sorting before a parameter
 * before a rest, and each of these with a verb before one without. False where it does not take it.
 */
static bool takes(struct str pattern, struct str path, char *kinds)
{
    const struct str all = path;
    while (pattern.n && path.n) {
        struct str p = next_segment(&pattern), s = next_segment(&path);
        bool rest = str_starts(p, STR("[...")), verb = ends_with(p, STR("]:v"));
        if (takes_bare(p, s, pattern, path)) {
            strcpy(kinds, p.p[0] == '[' ? "24" : "14");
            return true;
        }
        if (p.p[0] != '[' && !str_eq(p, s))
            return false;
        if (verb && (!ends_with(all, STR(":v")) || (!rest && path.n) || ends_with(all, STR("/:v"))))
            return false;
        *kinds++ = p.p[0] != '[' ? '1' : (char)('2' + 2 * rest + !verb);
        *kinds = '\0';
        if (rest)
            return true;
    }
    bool none = str_eq(pattern, STR("/[...r?]"));
    if (none)
        strcpy(kinds, "5");
    return (none || pattern.n == 0) && path.n == 0;
}

static const char *best(char patterns[][32], size_t n, const char *path)
{
    char kinds[16], least[16] = "9";
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (takes(str_of(patterns[i]), str_of(path), kinds) && strcmp(kinds, least) < 0) {
            strcpy(least, kinds);
            found = patterns[i];
        }
    }
    return found;
}

static void make_pattern(char *out)
{
    static const char *const segments[] = {"/a", "/b", "/aa", "/[x]", "/[y]"};
    size_t count = 1 + check_random() % 4;
    *out = '\0';
    for (size_t i = 0; i < count; i++) {
        char segment[8];
        strcpy(segment, segments[check_random() % count_of(segments)]);
        if (segment[1] == '[')
            segment[2] = (char)('k' + i);
        strcat(out, segment);
    }
    if (check_random() % 4 == 0)
        strcat(out, check_random() % 2 ? "/[...r]" : "/[...r?]");
    if (out[strlen(out) - 1] == ']' && check_random() % 3 == 0)
        strcat(out, ":v");
}

static void make_path(char *out)
{
    static const char *const segments[] = {"/a", "/b", "/aa", "/c"};
    static const char *const ends[] = {"", "", ":v", ":w", "/:v", ":v:", "%3Av"};
    size_t count = 1 + check_random() % 5;
    *out = '\0';
    for (size_t i = 0; i < count; i++)
        strcat(out, segments[check_random() % count_of(segments)]);
    strcat(out, ends[check_random() % count_of(ends)]);
}

/* Adds up to n patterns of different shapes; returns how many. */
static size_t add_random(struct router *r, char patterns[][32], size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct router_fault fault;
        make_pattern(patterns[count]);
        enum rc rc = router_add(r, str_of(patterns[count]), patterns[count], &fault);
        if (rc)
            assert_string_equal(fault.problem, "takes the same paths as another");
        else
            count++;
    }
    return count;
}

static void Match_AtRandom_AsTheSearch(void **state)
{
    (void)state;
    struct arena none;
    arena_init(&none, room, sizeof room, 1 << 20);
    for (int round = 0; round < 1000; round++) {
        char patterns[12][32], path[32];
        struct router *r = router_new();
        size_t count = add_random(r, patterns, count_of(patterns));
        for (int i = 0; i < 60; i++) {
            struct match m = {.target = NULL};
            make_path(path);
            enum router_result result = router_match(r, str_of(path), &none, &m);
            const char *expected = best(patterns, count, path);
            assert_int_equal(result, expected ? ROUTER_FOUND : ROUTER_NOT_FOUND);
            assert_ptr_equal(m.target, expected);
        }
        router_free(r);
    }
    arena_fini(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Match_Literals_WholePathOnly),
        checked(Match_NoRoutes_NotFound),
        checked(Match_Parameter_OneSegment),
        checked(Match_Rest_OneOrMoreSegments),
        checked(Match_RestAtRoot_NotTheRoot),
        checked(Match_Precedence_LiteralParameterRest),
        checked(Match_BetterBranchFails_TriesOthers),
        checked(Match_Escapes_DecodedOnce),
        checked(Match_EscapedSlash_StaysAsItIs),
        checked(Match_BadPath_WhateverTheRoutes),
        checked(Match_EmptySegment_NotFound),
        checked(Match_VerbOfARestThatIsNothing_StandsBehindTheSegmentBefore),
        checked(Match_Verb_BeforeTheValueThatHasIt),
        checked(Match_RestThatMayBeNone_BehindAllElse),
        checked(Match_EachByte_AsItsEscape),
        checked(Match_NoEscapes_NoMemory),
        checked(Match_LongPaths_JustLong),
        checked(Add_Malformed_SaysWhy),
        checked(Add_SameShape_NamesTheOther),
        checked(Add_OtherShape_Allowed),
        checked(Add_Parameters_SixteenAtMost),
        checked(Add_PatternGone_StillMatches),
        checked(Add_MemoryRunsOut_RoutesAsTheyWere),
        checked(New_MemoryRunsOut_Null),
        checked(Walk_AnyOrderOfAdding_OneOrder),
        checked(Match_AtRandom_AsTheSearch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
