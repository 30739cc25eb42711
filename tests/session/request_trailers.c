/* ctx:request_trailers: what the client sends after its body. */
#include "support/wire.h"

#define NOT_READ "false the request's trailers come after its body, which is not read to its end\n"

/* Notes the trailers, sorted: a Lua table has no order. */
#define NOTE_TRAILERS \
    "local list = {}\n" \
    "for name, value in pairs(ctx:request_trailers()) do\n" \
    "    list[#list + 1] = name .. '=' .. value\n" \
    "end\n" \
    "table.sort(list) note(#list, table.concat(list, ' '))\n"

static void Trailers_AfterBody_Given(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:body())" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_expect_tasks(w, 1, 1);
    wire_end_with_trailers(w, stream, "x-sum: 12\ngrpc-status: 0");
    wire_expect_notes(w, "body\n2 grpc-status=0 x-sum=12\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void Trailers_AfterReadingToNil_Given(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for piece in ctx.read do note(piece) end\n" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "one", 3);
    wire_expect_notes(w, "one\n");
    wire_send(w, stream, "two", 3);
    wire_end_with_trailers(w, stream, "a: b");
    wire_expect_notes(w, "two\n1 a=b\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void Trailers_WithoutBody_Given(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:read())" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_end_with_trailers(w, stream, "a: b");
    wire_expect_notes(w, "nil\n1 a=b\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void Trailers_None_EmptyTable(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:body()" NOTE_TRAILERS);
    wire_get(w, "/");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_end(w, stream);
    wire_expect_notes(w, "0 \n0 \n");
    wire_expect(w, EMPTY_RESPONSE("1") EMPTY_RESPONSE("3"));
}

static void Trailers_SameNameTwice_Joined(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:body()" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_end_with_trailers(w, stream, "a: 1\nb: 2\na: 3\na: 4");
    wire_expect_notes(w, "2 a=1, 3, 4 b=2\n");
}

/* They are no headers, and those are no trailers. */
static void Trailers_NameOfAHeader_KeptApart(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:body() note(ctx.headers['x-a'], ctx.headers['x-b'])" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "x-a: head");
    wire_end_with_trailers(w, stream, "x-a: trailer\nx-b: 1");
    wire_expect_notes(w, "head nil\n2 x-a=trailer x-b=1\n");
}

/* Whatever says how a message is read, routed or trusted has been acted upon already. */
static void Trailers_ThatMayNotBeAny_Dropped(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:body()" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_end_with_trailers(w, stream,
        "a: 1\ncontent-encoding: gzip\nhost: x\nauthorization: y\ncookie: z\ncontent-type: t\n"
        "trailer: a\nb: 2");
    wire_expect_notes(w, "2 a=1 b=2\n");
}

static void Trailers_ByteByByte_Given(void **state)
{
    (void)state;
    struct wire *w =
        wire_open(&(struct wire_options){.handler = "note(ctx:body())" NOTE_TRAILERS, .grain = 1});
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_end_with_trailers(w, stream, "a: 1\nb: 2");
    wire_expect_notes(w, "body\n2 a=1 b=2\n");
}

static void Trailers_AfterFinish_Given(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish() ctx:body()" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_end_with_trailers(w, stream, "a: b");
    wire_expect_notes(w, "1 a=b\n");
    wire_expect(w, "");
}

static void Trailers_Echoed_AsTrailersOfTheResponse(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "for piece in ctx.read do ctx:write(piece) end\n"
        "for name, value in pairs(ctx:request_trailers()) do ctx:append_trailer(name, value) end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_end_with_trailers(w, stream, "a: b");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=4 'body'\n"
                   "HEADERS stream=1 END_STREAM a=b\n");
}

static void Trailers_BodyStillToCome_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.request_trailers, ctx))\n"
                                  "note(ctx:read()) note(pcall(ctx.request_trailers, ctx))\n"
                                  "ctx:body()" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_notes(w, NOT_READ);
    wire_send(w, stream, "body", 4);
    wire_expect_notes(w, "body\n" NOT_READ);
    wire_end_with_trailers(w, stream, "a: b");
    wire_expect_notes(w, "1 a=b\n");
}

static void Trailers_ArrivedButBodyUnread_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.sleep(0.001) note(pcall(ctx.request_trailers, ctx))\n"
                                  "note(ctx:read(3)) note(pcall(ctx.request_trailers, ctx))\n"
                                  "note(ctx:read(3))" NOTE_TRAILERS);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_end_with_trailers(w, stream, "a: b");
    wire_wait(w);
    wire_expect_notes(w, NOT_READ "bod\n" NOT_READ "y\n1 a=b\n");
}

static void Trailers_AfterAbort_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("pcall(ctx.body, ctx) note(pcall(ctx.request_trailers, ctx))");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, ERROR_CANCEL);
    wire_expect_notes(w, "false request aborted: CANCEL\n");
}

/* A field section after the body's beginning ends the message (RFC 9113 8.1). */
static void Trailers_WithoutEndStream_Reset(void **state)
{
    (void)state;
    static const char block[] = {0x40, 1, 'a', 1, 'b'};
    struct wire *w = wire_handler("note(pcall(ctx.body, ctx))");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_expect_tasks(w, 1, 1);
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, block, sizeof block);
    wire_expect(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
    wire_expect_notes(w, "false request aborted: PROTOCOL_ERROR\n");
    wire_expect_log(w, "");
}

static void Trailers_PseudoField_Reset(void **state)
{
    (void)state;
    static const char block[] = {(char)0x84}; /* :path: / */
    struct wire *w = wire_handler("note(pcall(ctx.body, ctx))");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream,
        block, sizeof block);
    wire_expect(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
    wire_expect_notes(w, "false request aborted: PROTOCOL_ERROR\n");
    wire_expect_log(w, "warn frame refused conn=7 stream=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Trailers_AfterBody_Given),
        wire_test(Trailers_AfterReadingToNil_Given),
        wire_test(Trailers_WithoutBody_Given),
        wire_test(Trailers_None_EmptyTable),
        wire_test(Trailers_SameNameTwice_Joined),
        wire_test(Trailers_NameOfAHeader_KeptApart),
        wire_test(Trailers_ThatMayNotBeAny_Dropped),
        wire_test(Trailers_ByteByByte_Given),
        wire_test(Trailers_AfterFinish_Given),
        wire_test(Trailers_Echoed_AsTrailersOfTheResponse),
        wire_test(Trailers_BodyStillToCome_Raises),
        wire_test(Trailers_ArrivedButBodyUnread_Raises),
        wire_test(Trailers_AfterAbort_Raises),
        wire_test(Trailers_WithoutEndStream_Reset),
        wire_test(Trailers_PseudoField_Reset),
    };
    return cmocka_run_group_tests_name("session/request_trailers", tests, NULL, NULL);
}
