/* Which response goes first when the client's window is too small for all (RFC 9218). */
#include "support/wire.h"

#include <string.h>

enum { CONNECTION = 65535 }; /* the window that every connection begins with */

static void submit_settings(struct wire *w, uint32_t window)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, &entry, 1), 0);
}

/* Opens a connection whose window a first response has used up: later ones wait with their bodies,
 * of as many bytes as the query says. */
static struct wire *open_full(void)
{
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:write(('x'):rep(math.tointeger(ctx.query)))", .window = 1, .bare = true});
    submit_settings(w, 1 << 20);
    int32_t first = wire_get(w, "/?65535");
    wire_expect_body(w, first, 'x', CONNECTION);
    return w;
}

static void get(struct wire *w, const char *path, const char *priority)
{
    struct text field = {0};
    if (priority)
        text_print(&field, "priority: %s", priority);
    wire_end(w, wire_begin(w, "GET", path, text_of(&field)));
    text_clear(&field);
}

/* Two responses of ten bytes wait. */
static struct wire *open_two(const char *first, const char *second)
{
    struct wire *w = open_full();
    get(w, "/?10", first);
    get(w, "/?10", second);
    wire_expect(w, "HEADERS stream=3 :status=200 date=now content-length=10\n"
                   "HEADERS stream=5 :status=200 date=now content-length=10\n");
    return w;
}

static void update(struct wire *w, int32_t stream, const char *priority)
{
    assert_int_equal(nghttp2_submit_priority_update(w->client, NGHTTP2_FLAG_NONE, stream,
                         (const uint8_t *)priority, strlen(priority)),
        0);
}

#define TEN(stream) "DATA stream=" stream " END_STREAM len=10 'xxxxxxxxxx'\n"

static void Settings_AnnounceNoRfc7540Priorities(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .bare = true});
    submit_settings(w, CONNECTION);
    wire_settle(w);
    assert_non_null(strstr(text_of(&w->frames.lines), " NO_RFC7540_PRIORITIES=1\n"));
    assert_int_equal(
        nghttp2_session_get_remote_settings(w->client, NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES), 1);
}

static void Header_LaterIsMoreUrgent_GoesFirst(void **state)
{
    (void)state;
    struct wire *w = open_two("u=7", "u=0");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") TEN("3"));
}

static void Header_EarlierIsMoreUrgent_GoesFirst(void **state)
{
    (void)state;
    struct wire *w = open_two("u=0", "u=7");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("3") TEN("5"));
}

/* Urgency is 3 unless the client says otherwise. */
static void Header_None_UrgencyIsThree(void **state)
{
    (void)state;
    struct wire *w = open_two(NULL, "u=2");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") TEN("3"));
    wire_close(w);
    w = open_two("u=4", NULL);
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") TEN("3"));
}

static void Header_Malformed_Ignored(void **state)
{
    (void)state;
    struct wire *w = open_two("u=4", "u=99, ;;");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") TEN("3"));
}

/* Credit for a part goes to the more urgent one, and the rest follows. */
static void Header_CreditByCredit_UrgentToItsEnd(void **state)
{
    (void)state;
    struct wire *w = open_two("u=7", "u=0");
    wire_credit(w, 0, 6);
    wire_expect(w, "DATA stream=5 len=6 'xxxxxx'\n");
    wire_credit(w, 0, 6);
    wire_expect(w, "DATA stream=5 END_STREAM len=4 'xxxx'\n"
                   "DATA stream=3 len=2 'xx'\n");
    wire_credit(w, 0, 100);
    wire_expect(w, "DATA stream=3 END_STREAM len=8 'xxxxxxxx'\n");
}

static void PriorityUpdate_Later_GoesFirst(void **state)
{
    (void)state;
    struct wire *w = open_two(NULL, NULL);
    update(w, 3, "u=7");
    update(w, 5, "u=0");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") TEN("3"));
}

/* It counts more than the header, whichever comes last (RFC 9218 section 7). */
static void PriorityUpdate_AgainstHeader_Wins(void **state)
{
    (void)state;
    struct wire *w = open_two("u=7", "u=0");
    update(w, 3, "u=0");
    update(w, 5, "u=7");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("3") TEN("5"));
}

static void PriorityUpdate_MidBody_TakesEffect(void **state)
{
    (void)state;
    struct wire *w = open_two("u=1", "u=2");
    wire_credit(w, 0, 4);
    wire_expect(w, "DATA stream=3 len=4 'xxxx'\n");
    update(w, 5, "u=0");
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") "DATA stream=3 END_STREAM len=6 'xxxxxx'\n");
}

static void PriorityUpdate_BeforeItsRequest_Kept(void **state)
{
    (void)state;
    struct wire *w = open_full();
    wire_frame(w, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\5u=0", 7);
    get(w, "/?10", "u=1");
    get(w, "/?10", NULL);
    wire_settle(w);
    text_clear(&w->frames.lines);
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("5") TEN("3"));
}

#define PIECE(stream) "DATA stream=" stream " len=16384\n"

#define LAST(stream) "DATA stream=" stream " END_STREAM len=16384\n"

/* Two responses of three frames. */
static struct wire *open_long(const char *first, const char *second)
{
    struct wire *w = open_full();
    get(w, "/?49152", first);
    get(w, "/?49152", second);
    wire_settle(w);
    text_clear(&w->frames.lines);
    wire_credit(w, 0, 1 << 20);
    return w;
}

static void Incremental_SameUrgency_Interleaved(void **state)
{
    (void)state;
    struct wire *w = open_long("u=3, i", "u=3, i");
    wire_expect(w, PIECE("3") PIECE("5") PIECE("3") PIECE("5") LAST("3") LAST("5"));
}

static void NotIncremental_SameUrgency_OneAfterTheOther(void **state)
{
    (void)state;
    struct wire *w = open_long("u=3", "u=3");
    wire_expect(w, PIECE("3") PIECE("3") LAST("3") PIECE("5") PIECE("5") LAST("5"));
}

static void Incremental_LessUrgent_GoesLast(void **state)
{
    (void)state;
    struct wire *w = open_long("u=5, i", "u=1, i");
    wire_expect(w, PIECE("5") PIECE("5") LAST("5") PIECE("3") PIECE("3") LAST("3"));
}

/* RFC 7540's frames are read, and change nothing. */
static void PriorityFrames_NoEffect(void **state)
{
    (void)state;
    struct wire *w = open_two(NULL, NULL);
    wire_frame(w, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\5\0", 5); /* depends on 5, with weight 1 */
    wire_frame(w, NGHTTP2_PRIORITY, 0, 5, "\0\0\0\0\xff", 5);
    wire_credit(w, 0, 100);
    wire_expect(w, TEN("3") TEN("5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Settings_AnnounceNoRfc7540Priorities),
        wire_test(Header_LaterIsMoreUrgent_GoesFirst),
        wire_test(Header_EarlierIsMoreUrgent_GoesFirst),
        wire_test(Header_None_UrgencyIsThree),
        wire_test(Header_Malformed_Ignored),
        wire_test(Header_CreditByCredit_UrgentToItsEnd),
        wire_test(PriorityUpdate_Later_GoesFirst),
        wire_test(PriorityUpdate_AgainstHeader_Wins),
        wire_test(PriorityUpdate_MidBody_TakesEffect),
        wire_test(PriorityUpdate_BeforeItsRequest_Kept),
        wire_test(Incremental_SameUrgency_Interleaved),
        wire_test(NotIncremental_SameUrgency_OneAfterTheOther),
        wire_test(Incremental_LessUrgent_GoesLast),
        wire_test(PriorityFrames_NoEffect),
    };
    return cmocka_run_group_tests_name("session/priority", tests, NULL, NULL);
}
