/* A listener gives what it accepts to its kind. */
#include "net/listener.h"

#include "tests/unit/check.h"

#include "core/log.h"
#include "net/address.h"
#include "net/listener_kind.h"
#include "net/loop.h"

#include <errno.h>
#include <unistd.h>

static struct {
    struct ev_loop *ev;
    struct loop loop;
    struct listener listener;
    struct sockaddr_storage at;
    socklen_t at_len;
    enum rc answer; /* of accepted */
    int accepted;
    char remote[ADDRESS_TEXT];
} w;

static enum rc on_accepted(struct listener *ls, int fd, const struct sockaddr *sa, socklen_t len)
{
    assert_ptr_equal(ls, &w.listener);
    address_format(sa, len, w.remote);
    w.accepted++;
    close(fd);
    return w.answer;
}

static const struct listener_kind kind = {.scheme = {"test", 4}, .accepted = on_accepted};

static void open_world(void)
{
    struct address a;
    char why[ADDRESS_WHY];
    int fd;
    memset(&w, 0, sizeof w);
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    w.ev = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(loop_init(&w.loop, w.ev, NULL, &net_limits_default), RC_OK);
    assert_int_equal(address_parse("http://127.0.0.1:0", &a, why), RC_OK);
    assert_int_equal(address_listen(&a, &fd, why), RC_OK);
    w.at_len = sizeof w.at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&w.at, &w.at_len), 0);
    listener_start(&w.listener, &kind, &w.loop, fd, NULL);
}

static void close_world(void)
{
    listener_stop(&w.listener);
    loop_fini(&w.loop);
    ev_loop_destroy(w.ev);
}

static int connect_client(char local[ADDRESS_TEXT])
{
    int fd = socket(w.at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&w.at, w.at_len), 0);
    address_of_socket(fd, local);
    return fd;
}

static void Accepted_EachSocket_GivenToTheKind(void **state)
{
    (void)state;
    char local[ADDRESS_TEXT];
    open_world();
    for (int i = 1; i <= 3; i++) {
        int client = connect_client(local);
        while (w.accepted < i)
            ev_run(w.ev, EVRUN_ONCE);
        assert_string_equal(w.remote, local);
        close(client);
    }
    close_world();
}

static void Accepted_Limit_GoesOn(void **state)
{
    (void)state;
    char local[ADDRESS_TEXT];
    open_world();
    w.answer = RC_LIMIT;
    int first = connect_client(local), second = connect_client(local);
    while (w.accepted < 2)
        ev_run(w.ev, EVRUN_ONCE);
    assert_true(ev_is_active(&w.listener.readable));
    close(first);
    close(second);
    close_world();
}

static void Accepted_NoMemory_Pauses(void **state)
{
    (void)state;
    char local[ADDRESS_TEXT];
    open_world();
    w.answer = RC_NOMEM;
    int client = connect_client(local);
    while (w.accepted < 1)
        ev_run(w.ev, EVRUN_ONCE);
    assert_false(ev_is_active(&w.listener.readable));
    close(client);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Accepted_EachSocket_GivenToTheKind),
        checked(Accepted_Limit_GoesOn),
        checked(Accepted_NoMemory_Pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
