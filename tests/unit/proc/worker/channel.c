/* The channel between master and worker. */
#include "proc/worker/channel.h"
#include "tests/unit/check.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct channel left, right;
static enum message kinds[8];
static char texts[8][CHANNEL_TEXT + 1];
static size_t sizes[8];
static int count;
static bool ended;

static void on_message(struct channel *ch, enum message kind, const char *text, size_t n)
{
    assert_ptr_equal(ch, &right);
    kinds[count] = kind;
    sizes[count] = n;
    memcpy(texts[count++], text, n + 1);
}

static void on_end(struct channel *ch)
{
    ev_io_stop(loop, &ch->readable);
    ended = true;
}

static int open_both(void **state)
{
    int fds[2];
    check_start(state);
    count = 0;
    ended = false;
    loop = ev_loop_new(EVFLAG_AUTO);
    left.on_message = right.on_message = on_message;
    left.on_end = right.on_end = on_end;
    assert_int_equal(channel_pair(fds), RC_OK);
    channel_start(&left, loop, fds[0]);
    channel_start(&right, loop, fds[1]);
    return 0;
}

static int close_both(void **state)
{
    channel_stop(&left);
    channel_stop(&right);
    ev_loop_destroy(loop);
    return check_end(state);
}

static void say(enum message kind, const char *text)
{
    assert_int_equal(channel_send(&left, kind, text, strlen(text)), RC_OK);
}

static void Message_Several_ArriveInOrder(void **state)
{
    (void)state;
    say(ORDER_DRAIN, "");
    say(REPLY_FAILED, "line 1\nline 2");
    while (count < 2)
        ev_run(loop, EVRUN_ONCE);
    assert_int_equal(kinds[0], ORDER_DRAIN);
    assert_int_equal(kinds[1], REPLY_FAILED);
    assert_int_equal(sizes[0], 0);
    assert_string_equal(texts[1], "line 1\nline 2");
}

static void Message_LongText_Cut(void **state)
{
    static char text[CHANNEL_TEXT + 100];
    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(channel_send(&left, ORDER_FAULT, text, sizeof text), RC_OK);
    channel_take_all(&right);
    assert_int_equal(sizes[0], CHANNEL_TEXT);
    assert_int_equal(strlen(texts[0]), CHANNEL_TEXT);
}

static void Message_BeforeEnd_Heard(void **state)
{
    (void)state;
    say(REPLY_FAILED, "last words");
    shutdown(left.readable.fd, SHUT_RDWR);
    channel_take_all(&right);
    assert_string_equal(texts[0], "last words");
    assert_false(ended);
    while (!ended)
        ev_run(loop, EVRUN_ONCE);
    assert_int_equal(channel_send(&right, ORDER_STOP, NULL, 0), RC_CLOSED);
}

static void Message_TakenByNobody_Seen(void **state)
{
    static const char text[CHANNEL_TEXT];
    enum rc rc = RC_OK;
    (void)state;
    for (int i = 0; !rc && i < 100000; i++)
        rc = channel_send(&left, ORDER_FAULT, text, sizeof text);
    assert_int_equal(rc, RC_AGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(Message_Several_ArriveInOrder),
        TEST(Message_LongText_Cut),
        TEST(Message_BeforeEnd_Heard),
        TEST(Message_TakenByNobody_Seen),
    };
    return cmocka_run_group_tests_name("proc/channel", tests, NULL, NULL);
}
