#include "http/rpc.h"

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

static void ProtocolOf_ByMethodAndType(void **state)
{
    (void)state;
    static const struct {
        const char *method, *type;
        enum rpc_protocol protocol;
    } cases[] = {
        {"POST", "application/grpc", RPC_GRPC},
        {"POST", "application/grpc+proto", RPC_GRPC},
        {"POST", "application/grpc+json", RPC_GRPC},
        {"POST", "application/grpcx", RPC_GRPC},
        {"POST", "Application/gRPC;charset=utf-8", RPC_GRPC},
        {"GET", "application/grpc", RPC_NONE},
        {"POST", "application/grpc-web", RPC_GRPC_WEB},
        {"POST", "application/grpc-web-text+proto", RPC_GRPC_WEB},
        {"POST", "application/connect+proto", RPC_CONNECT_STREAM},
        {"POST", "application/connect", RPC_NONE},
        {"POST", "application/proto", RPC_CONNECT},
        {"POST", "application/proto ; a=b", RPC_CONNECT},
        {"POST", "application/protox", RPC_NONE},
        {"GET", "application/proto", RPC_NONE},
        {"POST", "application/json", RPC_NONE},
        {"POST", "application/grp", RPC_NONE},
        {"POST", "", RPC_NONE},
        {"POST", NULL, RPC_NONE},
    };
    for (size_t i = 0; i < count_of(cases); i++) {
        struct arena arena;
        arena_init(&arena, NULL, 0, 4096);
        struct request r = make_request(&arena, cases[i].method, cases[i].type);
        assert_int_equal(rpc_protocol_of(&r), cases[i].protocol);
        assert_int_equal(
            rpc_is_stream(&r), cases[i].protocol != RPC_NONE && cases[i].protocol != RPC_CONNECT);
        arena_fini(&arena);
    }
}

static void ProtocolOf_NamedVersion_IsConnect(void **state)
{
    (void)state;
    static const char *const types[] = {NULL, "application/json", "application/grpc"};
    static const enum rpc_protocol expected[] = {RPC_CONNECT, RPC_CONNECT, RPC_GRPC};
    for (size_t i = 0; i < count_of(types); i++) {
        struct arena arena;
        arena_init(&arena, NULL, 0, 4096);
        struct request r = make_request(&arena, "POST", types[i]);
        assert_int_equal(
            fields_add(&r.fields, &arena, STR("connect-protocol-version"), STR("1")), RC_OK);
        assert_int_equal(rpc_protocol_of(&r), expected[i]);
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
        assert_int_equal(
            rpc_respond(&r, &call, cases[i].http, STR("100% \xc3\xa9\n"), NULL), RC_OK);
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
        assert_int_equal(
            rpc_respond(&responses[i], requests[i], 404, STR("Not Found\n"), NULL), RC_OK);
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
    assert_int_equal(rpc_respond(&r, &call, 500, (struct str){text, sizeof text}, NULL), RC_OK);
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
    assert_int_equal(rpc_respond(&r, &call, 503, STR("\n"), NULL), RC_OK);
    assert_null(header(&r, STR("grpc-message")).p);
    response_fini(&r);
    arena_fini(&arena);
}

/* The body of a response that is whole. */
static struct str body_of(struct response *r)
{
    size_t n;
    const char *p = bytes_front(&r->out.body, &n);
    return (struct str){p, n};
}

static void Respond_ToConnect_IsJsonWithTheStatus(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    struct field list[] = {{STR("allow"), STR("GET")}};
    const struct fields more = {.list = list, .count = 1};
    arena_init(&arena, NULL, 0, 16384);
    response_init(&r, &arena);
    const struct request request = make_request(&arena, "POST", "application/proto");
    assert_int_equal(rpc_respond(&r, &request, 405, STR("a \"b\" \\ \xc3\n"), &more), RC_OK);
    assert_int_equal(r.status, 405);
    assert_str(header(&r, STR("allow")), "GET");
    assert_str(header(&r, STR("content-type")), "application/json");
    assert_str(
        body_of(&r), "{\"code\":\"unimplemented\",\"message\":\"a \\\"b\\\" \\\\ \\u00c3\"}");
    response_fini(&r);
    arena_fini(&arena);
}

static void Respond_ToAStreamOfConnect_IsItsLastMessage(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    arena_init(&arena, NULL, 0, 16384);
    response_init(&r, &arena);
    const struct request request = make_request(&arena, "POST", "application/connect+json;a=b");
    assert_int_equal(rpc_respond(&r, &request, 503, STR(""), NULL), RC_OK);
    assert_int_equal(r.status, 200);
    assert_str(header(&r, STR("content-type")), "application/connect+json");
    struct str body = body_of(&r);
    assert_memory_equal(body.p, "\2\0\0\0\x20", 5);
    assert_str(((struct str){body.p + 5, body.n - 5}), "{\"error\":{\"code\":\"unavailable\"}}");
    response_fini(&r);
    arena_fini(&arena);
}

static void Respond_ToGrpcWeb_IsTrailersOnly(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    arena_init(&arena, NULL, 0, 16384);
    response_init(&r, &arena);
    const struct request request = make_request(&arena, "POST", "application/grpc-web-text");
    assert_int_equal(rpc_respond(&r, &request, 413, STR(""), NULL), RC_OK);
    assert_int_equal(outgoing_next(&r.out), OUTGOING_HEAD_END);
    assert_str(header(&r, STR("content-type")), "application/grpc-web-text");
    assert_str(header(&r, STR("grpc-status")), "8");
    response_fini(&r);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(ProtocolOf_ByMethodAndType),
        checked(ProtocolOf_NamedVersion_IsConnect),
        checked(Respond_StatusOfHttp_BecomesOneOfGrpc),
        checked(Respond_NotFound_NamesTheMethod),
        checked(Respond_LongMessage_IsCut),
        checked(Respond_EmptyMessage_IsLeftOut),
        checked(Respond_ToConnect_IsJsonWithTheStatus),
        checked(Respond_ToAStreamOfConnect_IsItsLastMessage),
        checked(Respond_ToGrpcWeb_IsTrailersOnly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
