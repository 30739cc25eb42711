/* Connections over socket pairs, with sessions and transports that fail when they are told to. */
#include "net/conn_private.h"

#include "tests/unit/death.h"

#include "core/log.h"
#include "http/handler.h"

#include <fcntl.h>
#include <netinet/in.h>

enum { CONNS = 2 };

/* A session that has pieces to send, each the byte over and over. */
struct piece_session {
    struct session base;
    char byte;
    int pieces;
    size_t piece;
};

static struct {
    struct ev_loop *ev;
    struct loop loop;
    struct conn *conns[CONNS];
    struct piece_session sessions[CONNS];
    int peers[CONNS]; /* the other end of each socket */
    int seals;        /* that go well before one fails */
} w;

static const struct handler_ops handler_ops = {0};
static struct handler handler = {.ops = &handler_ops};

static size_t fill(struct session *base, uint8_t *out, size_t room)
{
    struct piece_session *s = container_of(base, struct piece_session, base);
    if (s->pieces == 0)
        return 0;
    s->pieces--;
    memset(out, s->byte, s->piece <= room ? s->piece : room);
    return s->piece;
}

static bool no(const struct session *s)
{
    (void)s;
    return false;
}

static void nothing(struct session *s)
{
    (void)s;
}

static void no_free(struct session *s, struct cut cut)
{
    (void)s, (void)cut;
}

static const struct session_ops session_ops = {
    .fill = fill,
    .wants_input = no,
    .is_over = no,
    .reap = nothing,
    .free = no_free,
};

static enum rc failing_seal(struct transport *t, const uint8_t *data, size_t n)
{
    if (w.seals == 0)
        return RC_NOMEM;
    w.seals--;
    memcpy(t->wire->out + t->wire->out_len, data, n);
    t->wire->out_len += n;
    return RC_OK;
}

/* Its connection, open, with nothing to send. */
static void open_conn(int i)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    w.peers[i] = fds[1];
    assert_int_equal(
        conn_open(&w.loop, fds[0], NULL, (const struct sockaddr *)&address, sizeof address), RC_OK);
    struct conn *c = conn_of_link(w.loop.conns.prev);
    w.conns[i] = c;
    w.sessions[i] = (struct piece_session){
        .base = {&session_ops, NULL, &c->host, false}, .byte = (char)('a' + i)};
    c->session = &w.sessions[i].base;
    conn_set_state(c, CONN_OPEN);
}

static void open_world(void)
{
    memset(&w, 0, sizeof w);
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    w.ev = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(loop_init(&w.loop, w.ev, &handler, &net_limits_default), RC_OK);
    for (int i = 0; i < CONNS; i++)
        open_conn(i);
}

static void close_world(void)
{
    loop_fini(&w.loop);
    ev_loop_destroy(w.ev);
    for (int i = 0; i < CONNS; i++)
        close(w.peers[i]);
    assert_int_equal(live.conns, 0);
}

static void have(int i, int pieces, size_t piece)
{
    w.sessions[i].pieces = pieces;
    w.sessions[i].piece = piece;
    conn_mark_dirty(w.conns[i]);
}

/* All that the peer receives is n times its connection's byte. */
static void expect_received(int i, size_t n)
{
    char buffer[4096];
    size_t received = 0;
    ssize_t got;
    while ((got = recv(w.peers[i], buffer, sizeof buffer, 0)) > 0) {
        for (ssize_t k = 0; k < got; k++)
            assert_int_equal(buffer[k], 'a' + i);
        received += (size_t)got;
    }
    assert_int_equal(received, n);
}

static void Turn_PiecesOfTwo_EachToItsPeer(void **state)
{
    (void)state;
    open_world();
    have(0, 3, 100);
    have(1, 2, 70);
    loop_turn(&w.loop);
    expect_received(0, 300);
    expect_received(1, 140);
    close_world();
}

/* What was sealed before is not sent to another's peer. */
static void Turn_SecondSealFails_NextUnharmed(void **state)
{
    (void)state;
    open_world();
    struct transport_ops failing = *w.conns[0]->transport.ops;
    failing.seal = failing_seal;
    w.conns[0]->transport.ops = &failing;
    w.seals = 1;
    have(0, 2, 100);
    have(1, 1, 70);
    loop_turn(&w.loop);
    assert_int_equal(w.loop.wire->out_len, 0);
    expect_received(0, 0);
    expect_received(1, 70);
    close_world();
}

/* What must hold. */

static void greet_again(void *c)
{
    conn_set_state(c, CONN_GREETING);
}

static void State_Backwards_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(greet_again, w.conns[0], "greets || state > c->state");
    close_world();
}

static void free_alive(void *c)
{
    conn_free(c);
}

static void Free_NotDead_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(free_alive, w.conns[0], "c->state == CONN_DEAD");
    close_world();
}

static void leave_in_the_wire(void *c)
{
    w.loop.wire->out_len = 1;
    ((struct conn *)c)->state = CONN_LINGERING;
    conn_turn(c);
}

static void Turn_WireLeftFull_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(leave_in_the_wire, w.conns[0], "c->loop->wire->out_len == 0");
    close_world();
}

static void fill_too_much(void *c)
{
    (void)c;
    w.sessions[0].piece = sizeof w.loop.wire->plain + 1;
    w.sessions[0].pieces = 1;
    conn_pump(w.conns[0]);
}

static void Fill_MoreThanRoom_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(fill_too_much, NULL, "n <= sizeof w->plain");
    close_world();
}

static bool run_a_turn(struct part *p)
{
    (void)p;
    loop_turn(&w.loop);
    return false;
}

static void turn_within_turn(void *unused)
{
    (void)unused;
    static const struct part_ops nesting = {.run = run_a_turn};
    static struct part part = {.ops = &nesting};
    parts_add(&w.loop.parts, &part);
    loop_turn(&w.loop);
}

static void Turn_WithinTurn_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(turn_within_turn, NULL, "!l->turning");
    close_world();
}

static void shut_down_twice(void *unused)
{
    (void)unused;
    w.loop.going = true;
    loop_shut_down(&w.loop);
}

static void ShutDown_Twice_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(shut_down_twice, NULL, "!l->going");
    close_world();
}

static void fire_alarm(void *c)
{
    struct conn *conn = c;
    conn->session = NULL;
    conn->alarm.fire(&conn->alarm);
}

static void Alarm_WithoutSession_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(fire_alarm, w.conns[0], "c->session");
    close_world();
}

static void open_twice(void *c)
{
    ((struct conn *)c)->state = CONN_GREETING;
    conn_open_session(c, PROTOCOL_HTTP_1);
}

static void OpenSession_Twice_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(open_twice, w.conns[0], "!c->session");
    close_world();
}

static void seal_too_much(void *c)
{
    struct conn *conn = c;
    static const uint8_t data[WIRE_RECORD + 1];
    (void)!conn->transport.ops->seal(&conn->transport, data, sizeof data);
}

static void Seal_MoreThanARecord_Aborts(void **state)
{
    (void)state;
    open_world();
    assert_aborts(seal_too_much, w.conns[0], "n <= WIRE_RECORD");
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Turn_PiecesOfTwo_EachToItsPeer),
        checked(Turn_SecondSealFails_NextUnharmed),
        checked(State_Backwards_Aborts),
        checked(Free_NotDead_Aborts),
        checked(Turn_WireLeftFull_Aborts),
        checked(Fill_MoreThanRoom_Aborts),
        checked(Turn_WithinTurn_Aborts),
        checked(ShutDown_Twice_Aborts),
        checked(Alarm_WithoutSession_Aborts),
        checked(OpenSession_Twice_Aborts),
        checked(Seal_MoreThanARecord_Aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
