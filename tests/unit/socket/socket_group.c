#include "socket/socket_group.h"

#include "core/clock.h"
#include "core/list.h"
#include "core/live.h"
#include "tests/unit/check.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A server in the file system, whose side of each connection the test has. */
static struct {
    struct ev_loop *ev;
    struct wire wire;
    struct socket_group all;
    struct socket_order order;
    int listener;
    int states, inputs, rooms;
} w;

static const struct str key = {"key", 3};

static void on_state(struct socket *s)
{
    (void)s;
    w.states++;
}

static void on_input(struct socket *s)
{
    (void)s;
    w.inputs++;
}

static void on_room(struct socket *s)
{
    (void)s;
    w.rooms++;
}

static const struct socket_ops ops = {on_state, on_input, on_room};

static void begin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char why[SOCKET_WHY], url[sizeof address.sun_path + 8];
    memset(&w, 0, sizeof w);
    w.ev = ev_loop_new(EVFLAG_AUTO);
    socket_group_init(&w.all, w.ev);
    socket_group_join(&w.all, &w.wire, NULL);
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/moontrail-%d.sock", getpid());
    snprintf(url, sizeof url, "unix:%s", address.sun_path);
    unlink(address.sun_path);
    w.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(w.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(w.listener, 16), 0);
    assert_int_equal(socket_url_parse(str_of(url), &w.order.url, why), RC_OK);
}

static void turn(void)
{
    ev_run(w.ev, EVRUN_NOWAIT);
    w.all.step.run(&w.all.step);
}

static void end(void)
{
    turn();
    socket_group_fini(&w.all);
    assert_int_equal(live.sockets, 0);
    ev_loop_destroy(w.ev);
    close(w.listener);
    unlink(w.order.url.host);
}

/* One that is connected, and the other side of it. */
static struct socket *dial(int *peer)
{
    char why[SOCKET_WHY];
    struct socket *s;
    int before = w.states;
    assert_int_equal(socket_open(&w.all, &w.order, &ops, &w, &s, why), RC_OK);
    assert_int_equal(socket_set_key(s, key), RC_OK);
    assert_int_equal(w.states, before);
    while (w.states == before)
        ev_run(w.ev, EVRUN_ONCE);
    assert_int_equal(s->state, SOCKET_OPEN);
    *peer = accept(w.listener, NULL, NULL);
    return s;
}

static struct socket *take(void)
{
    return socket_group_take(&w.all, key, &ops, &w);
}

static void Kept_TakenByItsKey_TheLastFirst(void **state)
{
    (void)state;
    int peers[2];
    begin();
    struct socket *a = dial(&peers[0]), *b = dial(&peers[1]);
    assert_true(socket_group_keep(a, 2, 60));
    assert_true(socket_group_keep(b, 2, 60));
    assert_null(socket_group_take(&w.all, STR("other"), &ops, &w));
    assert_ptr_equal(take(), b);
    assert_ptr_equal(take(), a);
    assert_null(take());
    socket_close(a);
    socket_close(b);
    end();
    close(peers[0]);
    close(peers[1]);
}

static void Kept_MoreThanMayBe_TheOldestGoes(void **state)
{
    (void)state;
    int peers[3];
    char byte;
    begin();
    struct socket *first = dial(&peers[0]);
    struct socket *second = dial(&peers[1]), *third = dial(&peers[2]);
    assert_true(socket_group_keep(first, 2, 60));
    assert_true(socket_group_keep(second, 2, 60));
    assert_true(socket_group_keep(third, 2, 60));
    turn();
    assert_int_equal(live.sockets, 2);
    assert_int_equal(recv(peers[0], &byte, 1, 0), 0);
    end();
    for (int i = 0; i < 3; i++)
        close(peers[i]);
}

static void Kept_TurnsReadable_Closed(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        int peer;
        begin();
        assert_true(socket_group_keep(dial(&peer), 2, 60));
        if (ends)
            shutdown(peer, SHUT_WR);
        else
            assert_int_equal(send(peer, "x", 1, 0), 1);
        turn();
        assert_null(take());
        assert_int_equal(live.sockets, 0);
        end();
        close(peer);
    }
}

static void Keep_WhatIsNotIdle_ClosesIt(void **state)
{
    (void)state;
    size_t taken;
    int peers[4];
    begin();
    struct socket *unsent = dial(&peers[0]), *unread = dial(&peers[1]);
    struct socket *ended = dial(&peers[2]), *finished = dial(&peers[3]);
    assert_int_equal(send(peers[1], "x", 1, 0), 1);
    shutdown(peers[2], SHUT_WR);
    turn();
    assert_true(ended->ended);
    assert_int_equal(socket_write(unsent, "abc", 3, &taken), RC_OK);
    socket_finish(finished);
    assert_false(socket_group_keep(unsent, 2, 60));
    assert_false(socket_group_keep(unread, 2, 60));
    assert_false(socket_group_keep(ended, 2, 60));
    assert_false(socket_group_keep(finished, 2, 60));
    assert_null(take());
    turn();
    assert_int_equal(live.sockets, 0);
    char sent[8];
    assert_int_equal(recv(peers[0], sent, sizeof sent, 0), 3);
    end();
    for (int i = 0; i < 4; i++)
        close(peers[i]);
}

static void Close_PeerTakesNothing_EndsInTime(void **state)
{
    (void)state;
    static const char block[SOCKET_QUEUE];
    size_t taken;
    int peer;
    begin();
    struct socket *s = dial(&peer);
    do {
        assert_int_equal(socket_write(s, block, sizeof block, &taken), RC_OK);
        turn();
    } while (taken);
    assert_true(socket_has_unsent(s));
    socket_close(s);
    turn();
    assert_int_equal(live.sockets, 1);
    s->patience.fire(&s->patience);
    turn();
    assert_int_equal(live.sockets, 0);
    end();
    close(peer);
}

static void Input_FillsTheInbox_StopsUntilThereIsRoom(void **state)
{
    (void)state;
    static const char block[INBOX_MAX];
    int peer;
    begin();
    struct socket *s = dial(&peer);
    assert_int_equal(send(peer, block, sizeof block, 0), sizeof block);
    assert_int_equal(send(peer, "more", 4, 0), 4);
    for (int i = 0; i < 64; i++)
        turn();
    assert_int_equal(inbox_content(&s->in).n, INBOX_MAX);
    assert_false(socket_has_room(s));
    socket_consume(s, INBOX_MAX);
    turn();
    assert_int_equal(inbox_content(&s->in).n, 4);
    socket_close(s);
    end();
    close(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Kept_TakenByItsKey_TheLastFirst),
        checked(Kept_MoreThanMayBe_TheOldestGoes),
        checked(Kept_TurnsReadable_Closed),
        checked(Keep_WhatIsNotIdle_ClosesIt),
        checked(Close_PeerTakesNothing_EndsInTime),
        checked(Input_FillsTheInbox_StopsUntilThereIsRoom),
    };
    return cmocka_run_group_tests_name("socket/socket_group", tests, NULL, NULL);
}
