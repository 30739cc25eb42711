#include "http/grpc.h"

#include "tests/unit/check.h"

#include "http/response.h"

/* A request of that method and content-type, whose fields are in the arena. */
static struct request make_request(struct arena *a, const char *method, const char *type)
{
    struct request r = {.method = str_of(method)};
    if (type)
        assert_int_equal(fields_add(&r.fields, a, STR("content-type"), str_of(type)), RC_OK);
    return r;
}

static void IsCall_ByMethodAndType(void **state)
{
    (void)state;
    static const struct {
        const char *method, *type;
        bool is_call;
    } cases[] = {
        {"POST", "application/grpc", true},
        {"POST", "application/grpc+proto", true},
        {"POST", "Application/gRPC;charset=utf-8", true},
        {"GET", "application/grpc", false},
        {"POST", "application/grpc-web", false},
        {"POST", "application/grpc-web+proto", false},
        {"POST", "application/grp", false},
        {"POST", "", false},
        {"POST", NULL, false},
    };
    for (size_t i = 0; i < count_of(cases); i++) {
        struct arena arena;
        arena_init(&arena, NULL, 0, 4096);
        struct request r = make_request(&arena, cases[i].method, cases[i].type);
        assert_int_equal(grpc_is_call(&r), cases[i].is_call);
        arena_fini(&arena);
    }
}

static const struct request call = {.path = STR("/test.Calls/Nón%65")};

static struct str header(const struct response *r, struct str name)
{
    const struct field *f = fields_find(&r->out.head, name);
    return f ? f->value : (struct str){NULL, 0};
}

static void Respond_StatusOfHttp_BecomesOneOfGrpc(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *grpc;
    } cases[] = {
        {405, "12"}, {400, "12"}, {413, "8"}, {431, "8"}, {503, "14"}, {500, "2"}, {501, "2"}};
    for (size_t i = 0; i < count_of(cases); i++) {
        struct arena arena;
        struct response r;
        arena_init(&arena, NULL, 0, 16384);
        response_init(&r, &arena);
        assert_int_equal(grpc_respond(&r, &call, cases[i].http, STR("100% \xc3\xa9\n")), RC_OK);
        assert_int_equal(r.status, 200);
        assert_int_equal(outgoing_next(&r.out), OUTGOING_HEAD_END);
        assert_str(header(&r, STR("content-type")), "application/grpc");
        assert_str(header(&r, STR("grpc-status")), cases[i].grpc);
        assert_str(header(&r, STR("grpc-message")), "100%25 %C3%A9");
        response_fini(&r);
        arena_fini(&arena);
    }
}

static void Respond_NotFound_NamesTheMethod(void **state)
{
    (void)state;
    char path[2000];
    memset(path, 'p', sizeof path);
    const struct request far = {.path = {path, sizeof path}};
    const struct request *requests[] = {&call, &far};
    struct str messages[2];
    struct arena arena;
    struct response responses[2];
    arena_init(&arena, NULL, 0, 16384);
    for (size_t i = 0; i < 2; i++) {
        response_init(&responses[i], &arena);
        assert_int_equal(grpc_respond(&responses[i], requests[i], 404, STR("Not Found\n")), RC_OK);
        assert_str(header(&responses[i], STR("grpc-status")), "12");
        messages[i] = header(&responses[i], STR("grpc-message"));
        response_fini(&responses[i]);
    }
    assert_str(messages[0], "there is no method /test.Calls/N%C3%B3n%2565");
    assert_int_equal(messages[1].n, 1023);
    arena_fini(&arena);
}

static void Respond_LongMessage_IsCut(void **state)
{
    (void)state;
    char text[5000];
    struct arena arena;
    struct response r;
    memset(text, '%', sizeof text);
    arena_init(&arena, NULL, 0, 16384);
    response_init(&r, &arena);
    assert_int_equal(grpc_respond(&r, &call, 500, (struct str){text, sizeof text}), RC_OK);
    assert_int_equal(header(&r, STR("grpc-message")).n, 3 * 1024);
    response_fini(&r);
    arena_fini(&arena);
}

static void Respond_EmptyMessage_IsLeftOut(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    arena_init(&arena, NULL, 0, 4096);
    response_init(&r, &arena);
    assert_int_equal(grpc_respond(&r, &call, 503, STR("\n")), RC_OK);
    assert_null(header(&r, STR("grpc-message")).p);
    response_fini(&r);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(IsCall_ByMethodAndType),
        checked(Respond_StatusOfHttp_BecomesOneOfGrpc),
        checked(Respond_NotFound_NamesTheMethod),
        checked(Respond_LongMessage_IsCut),
        checked(Respond_EmptyMessage_IsLeftOut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
