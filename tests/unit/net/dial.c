/* Dialling: addresses in turn, from the first attempt to a session or to nothing. */
#include "net/dial.h"

#include "tests/unit/death.h"

#include "core/clock.h"
#include "core/log.h"
#include "http/handler.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    struct ev_loop *ev;
    struct loop loop;
    struct dial dial;
    int opened, closed;
    char why[128];
} w;

static struct handler handler; /* nothing comes */

static void on_opened(struct dial *d)
{
    assert_non_null(d->session);
    w.opened++;
}

static void on_changed(struct dial *d)
{
    (void)d;
}

static void on_closed(struct dial *d, const char *why)
{
    assert_null(d->session);
    w.closed++;
    snprintf(w.why, sizeof w.why, "%s", why);
}

static const struct dial_ops ops = {on_opened, on_changed, on_closed};

static void open_world(void)
{
    memset(&w, 0, sizeof w);
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    w.ev = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(loop_init(&w.loop, w.ev, &handler, &net_limits_default), RC_OK);
    dial_init(&w.dial, &w.loop, &ops);
    w.dial.to.protocol = PROTOCOL_HTTP_1;
}

static void close_world(void)
{
    dial_cancel(&w.dial, cut_of(CUT_CLOSED));
    loop_fini(&w.loop);
    ev_loop_destroy(w.ev);
    assert_int_equal(live.conns, 0);
}

/* A socket bound to a free port, which listens where backlog is not below 0; its address is among
 * those to be dialled. */
static int add_address(int backlog)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&w.dial.to.addresses[w.dial.to.count++];
    socklen_t len = sizeof *in;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)in, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)in, &len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

/* One that takes no connection and refuses none: its queue is full. */
static int add_silent(int fillers[2])
{
    int fd = add_address(0);
    const struct sockaddr *sa = (const struct sockaddr *)&w.dial.to.addresses[w.dial.to.count - 1];
    for (int i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], sa, sizeof(struct sockaddr_in));
    }
    usleep(20000);
    return fd;
}

static double await(void)
{
    double start = clock_monotonic(), end = start + 10;
    while (!w.opened && !w.closed && clock_monotonic() < end)
        ev_run(w.ev, EVRUN_ONCE);
    return clock_monotonic() - start;
}

static void Dial_OneListens_Opened(void **state)
{
    (void)state;
    open_world();
    int fd = add_address(1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    assert_int_equal(w.opened, 0);
    await();
    assert_int_equal(w.opened, 1);
    assert_int_equal(w.closed, 0);
    close_world();
    assert_int_equal(w.closed, 0); /* who cancels knows */
    close(fd);
}

static void Dial_FirstRefuses_NextAtOnce(void **state)
{
    (void)state;
    open_world();
    int refuses = add_address(-1), listens = add_address(1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    assert_true(await() < 0.2);
    assert_int_equal(w.opened, 1);
    close_world();
    close(refuses);
    close(listens);
}

static void Dial_FirstIsSilent_NextAfterAWhile(void **state)
{
    (void)state;
    open_world();
    int fillers[2];
    int silent = add_silent(fillers), listens = add_address(1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    assert_true(await() > 0.2);
    assert_int_equal(w.opened, 1);
    close_world();
    close(silent);
    close(listens);
    close(fillers[0]);
    close(fillers[1]);
}

static void Dial_AllRefuse_ClosedOnce(void **state)
{
    (void)state;
    open_world();
    int fds[CONNECTING_ADDRESSES];
    for (size_t i = 0; i < count_of(fds); i++)
        fds[i] = add_address(-1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    await();
    assert_int_equal(w.opened, 0);
    assert_int_equal(w.closed, 1);
    assert_string_equal(w.why, "Connection refused");
    close_world();
    for (size_t i = 0; i < count_of(fds); i++)
        close(fds[i]);
}

static void Dial_NobodyAnswersInTime_Closed(void **state)
{
    (void)state;
    open_world();
    int fillers[2], silent = add_silent(fillers);
    w.dial.to.timeout = 0.1;
    assert_int_equal(dial_start(&w.dial), RC_OK);
    assert_true(await() < 5);
    assert_int_equal(w.closed, 1);
    assert_string_equal(w.why, "connect-timeout");
    close_world();
    close(silent);
    close(fillers[0]);
    close(fillers[1]);
}

static void Dial_ServerCloses_ClosedOnce(void **state)
{
    (void)state;
    open_world();
    int fd = add_address(1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    await();
    close(accept(fd, NULL, NULL));
    w.opened = 0;
    await();
    assert_int_equal(w.closed, 1);
    assert_int_equal(dial_start(&w.dial), RC_OK); /* it may be used again */
    w.closed = 0;
    await();
    assert_int_equal(w.opened, 1);
    close_world();
    close(fd);
}

static void Dial_MemoryRunsOut_NothingIsLeft(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 8; i++) {
        open_world();
        int fd = add_address(1);
        mem_fail_at(i, 1);
        if (dial_start(&w.dial) == RC_OK)
            await();
        mem_fail_at(0, 0);
        close_world();
        close(fd);
    }
}

/* What must hold. */

static void start(void *d)
{
    (void)!dial_start(d);
}

static void Start_WithoutAddress_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(start, &w.dial, "d->to.count > 0 && d->to.count <= CONNECTING_ADDRESSES");
    close_world();
}

static void Start_WhileDialling_Aborts(void **state)
{
    (void)state;
    open_world();
    int fd = add_address(1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    assert_aborts(start, &w.dial, "state == DIAL_IDLE || state == d->state + 1");
    close_world();
    close(fd);
}

static void open_without_session(void *d)
{
    dial_opened(d, NULL);
}

static void Opened_WithoutSession_Aborts(void **state)
{
    (void)state;
    open_world();
    int fd = add_address(1);
    assert_int_equal(dial_start(&w.dial), RC_OK);
    assert_aborts(open_without_session, &w.dial, "(state == DIAL_OPEN) == (d->session != NULL)");
    close_world();
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Dial_OneListens_Opened),
        checked(Dial_FirstRefuses_NextAtOnce),
        checked(Dial_FirstIsSilent_NextAfterAWhile),
        checked(Dial_AllRefuse_ClosedOnce),
        checked(Dial_NobodyAnswersInTime_Closed),
        checked(Dial_ServerCloses_ClosedOnce),
        checked(Dial_MemoryRunsOut_NothingIsLeft),
        checked(Start_WithoutAddress_Aborts),
        checked(Start_WhileDialling_Aborts),
        checked(Opened_WithoutSession_Aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
