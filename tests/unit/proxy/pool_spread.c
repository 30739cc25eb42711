/* Calls that go round the addresses of a name, over real sockets: a name server, servers on
 * addresses of their own, and a pool, in one loop. */
#include "tests/unit/check.h"

#include "core/clock.h"
#include "core/log.h"
#include "http/handler.h"
#include "net/loop.h"
#include "proxy/pool.h"
#include "proxy/site.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 3, CALLS = 12, HEADER = 12 };

/* A server of HTTP/1.1 that says 204 to whatever comes in one piece. */
struct server {
    ev_io listening;
    ev_io conns[CALLS];
    int count; /* of connections */
    int requests;
};

static struct world {
    struct ev_loop *ev;
    struct loop loop;
    struct net_limits net;
    struct pool_limits limits;
    struct pool *pool;
    struct origin origin;
    ev_io name_server;
    uint8_t names[SERVERS]; /* the last byte of each address that it knows */
    int name_count;
    in_port_t port; /* of all servers, in network order */
    struct server servers[SERVERS];
    int done;
    enum call_end ends[CALLS];
} w;

/* The name server. */

static void on_question(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop, (void)events;
    uint8_t packet[512];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(io->fd, packet, 256, 0, (struct sockaddr *)&from, &len);
    assert_true(n > HEADER);
    n = HEADER + (ssize_t)strlen((char *)packet + HEADER) + 1 + 4;
    bool is_4 = packet[n - 3] == 1; /* type A */
    packet[2] = 0x84;               /* an answer, of authority */
    packet[3] = 0;
    memset(packet + 6, 0, 6);
    for (int i = 0; is_4 && i < w.name_count; i++, packet[7]++) {
        const uint8_t answer[] = {
            0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, w.names[i]};
        memcpy(packet + n, answer, sizeof answer);
        n += (ssize_t)sizeof answer;
    }
    sendto(io->fd, packet, (size_t)n, 0, (struct sockaddr *)&from, len);
}

static int open_socket(int type, int last, in_port_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
        .sin_port = *port,
        .sin_addr.s_addr = htonl(0x7f000000 + (uint32_t)last)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    *port = at.sin_port;
    return fd;
}

static void start_name_server(void)
{
    char servers[32];
    in_port_t port = 0;
    int fd = open_socket(SOCK_DGRAM, 1, &port);
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(port));
    ev_io_init(&w.name_server, on_question, fd, EV_READ);
    ev_io_start(w.ev, &w.name_server);
    assert_int_equal(resolver_new(w.ev, servers, &w.pool->resolver), RC_OK);
}

/* The servers. */

static void close_io(ev_io *io)
{
    if (ev_is_active(io)) {
        ev_io_stop(w.ev, io);
        close(io->fd);
    }
}

static void on_request(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop, (void)events;
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    char request[4096];
    struct server *s = io->data;
    if (read(io->fd, request, sizeof request) <= 0) {
        close_io(io);
        return;
    }
    s->requests++;
    assert_int_equal(write(io->fd, answer, sizeof answer - 1), sizeof answer - 1);
}

static void on_connection(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    struct server *s = io->data;
    assert_true(s->count < CALLS);
    ev_io *conn = &s->conns[s->count++];
    ev_io_init(conn, on_request, accept(io->fd, NULL, NULL), EV_READ);
    conn->data = s;
    ev_io_start(loop, conn);
}

static void start_server(int i)
{
    struct server *s = &w.servers[i];
    int fd = open_socket(SOCK_STREAM, i + 1, &w.port);
    assert_int_equal(listen(fd, 16), 0);
    ev_io_init(&s->listening, on_connection, fd, EV_READ);
    s->listening.data = s;
    ev_io_start(w.ev, &s->listening);
}

static void stop_server(int i)
{
    close_io(&w.servers[i].listening);
    for (int k = 0; k < w.servers[i].count; k++)
        close_io(&w.servers[i].conns[k]);
}

/* The world: a name with as many addresses as there are servers, which run. */

static void open_world(int servers)
{
    static struct handler none;
    char url[64], why[ORIGIN_WHY];
    struct str target;
    memset(&w, 0, sizeof w);
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    w.ev = ev_loop_new(EVFLAG_AUTO);
    w.net = net_limits_default;
    w.limits = pool_limits_default;
    assert_int_equal(loop_init(&w.loop, w.ev, &none, &w.net), RC_OK);
    assert_int_equal(pool_new(&w.loop, &w.limits, &w.pool), RC_OK);
    start_name_server();
    for (int i = 0; i < servers; i++) {
        start_server(i);
        w.names[w.name_count++] = (uint8_t)(i + 1);
    }
    snprintf(url, sizeof url, "http://known.test:%d", ntohs(w.port));
    assert_int_equal(origin_parse(str_of(url), &w.origin, &target, why), RC_OK);
}

static void close_world(void)
{
    pool_free(w.pool);
    loop_fini(&w.loop);
    for (int i = 0; i < SERVERS; i++)
        stop_server(i);
    close_io(&w.name_server);
    ev_loop_destroy(w.ev);
}

/* Calls, one after the other. */

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    (void)c, (void)status, (void)fields;
}

static void on_event(struct call *c)
{
    (void)c;
}

static void on_done(struct call *c, enum call_end end, const char *why)
{
    (void)c, (void)why;
    w.ends[w.done++] = end;
}

static const struct call_ops ops = {on_interim, on_event, on_event, on_event, on_done};

static enum call_end get(void)
{
    static struct call call;
    struct call_options options = call_options_default;
    int before = w.done;
    options.spread = true;
    call_init(&call, &ops);
    assert_int_equal(call_aim(&call, STR("GET"), STR("http"), STR("known.test"), STR("/")), RC_OK);
    assert_int_equal(call_finish(&call), RC_OK);
    assert_int_equal(pool_call(w.pool, &w.origin, &options, &call), RC_OK);
    double end = clock_monotonic() + 20;
    while (w.done == before && clock_monotonic() < end)
        ev_run(w.ev, EVRUN_ONCE);
    assert_int_equal(w.done, before + 1);
    call_fini(&call);
    return w.ends[before];
}

/* Turns until each server that runs has a connection: the first call goes to the first to answer.
 */
static void await_connections(int servers)
{
    double end = clock_monotonic() + 20;
    for (int i = 0; i < servers; i++)
        while (ev_is_active(&w.servers[i].listening) && w.servers[i].count == 0 &&
               clock_monotonic() < end)
            ev_run(w.ev, EVRUN_ONCE);
}

static void Calls_SeveralAddresses_GoRound(void **state)
{
    (void)state;
    open_world(3);
    assert_int_equal(get(), CALL_WHOLE);
    await_connections(3);
    for (int i = 1; i < 12; i++)
        assert_int_equal(get(), CALL_WHOLE);
    for (int i = 0; i < 3; i++) {
        assert_true(w.servers[i].requests >= 3 && w.servers[i].requests <= 5);
        assert_int_equal(w.servers[i].count, 1);
    }
    close_world();
}

static void Calls_OneAddressDead_OthersServe(void **state)
{
    (void)state;
    open_world(3);
    stop_server(1);
    assert_int_equal(get(), CALL_WHOLE);
    await_connections(3);
    for (int i = 1; i < 9; i++)
        assert_int_equal(get(), CALL_WHOLE);
    assert_int_equal(w.servers[1].requests, 0);
    assert_true(w.servers[0].requests >= 3 && w.servers[2].requests >= 3);
    close_world();
}

/* One that dies between calls: those that were kept to it are gone, and no call is lost. */
static void Calls_AddressDies_OthersServe(void **state)
{
    (void)state;
    open_world(2);
    assert_int_equal(get(), CALL_WHOLE);
    await_connections(2);
    assert_int_equal(get(), CALL_WHOLE);
    stop_server(0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(get(), CALL_WHOLE);
    assert_true(w.servers[1].requests >= 6);
    close_world();
}

static void Calls_AllDead_Told(void **state)
{
    (void)state;
    open_world(2);
    stop_server(0);
    stop_server(1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(), CALL_UNREACHABLE);
    close_world();
}

static void Calls_NoAddress_Told(void **state)
{
    (void)state;
    open_world(1);
    w.name_count = 0;
    assert_int_equal(get(), CALL_UNREACHABLE);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Calls_SeveralAddresses_GoRound),
        checked(Calls_OneAddressDead_OthersServe),
        checked(Calls_AddressDies_OthersServe),
        checked(Calls_AllDead_Told),
        checked(Calls_NoAddress_Told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
