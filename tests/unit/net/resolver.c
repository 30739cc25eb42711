#include "net/names.h"

#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct ev_loop *ev;
static struct resolver *resolver;
static int told;

/* A name server that knows the IPv4 address of known.test and no other name. */

enum { HEADER = 12, NAME_ERROR = 3 };

static ev_io name_server;
static int code;         /* that it answers instead of what it knows; 0 for that */
static bool drops_type6; /* it does not answer what is asked of IPv6 */
static bool is_empty;    /* it knows the name, and no address of it */

static void on_question(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop, (void)events;
    static const uint8_t question[] = "\005known\004test\000\000\001";
    static const uint8_t answer[] = {0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9};
    uint8_t packet[512];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n =
        recvfrom(io->fd, packet, sizeof packet - sizeof answer, 0, (struct sockaddr *)&from, &len);
    assert_true(n > HEADER);
    bool known = memcmp(packet + HEADER, question, 11) == 0;
    bool is_4 = packet[HEADER + 13] == 1; /* type A */
    bool answers = known && is_4 && !code && !is_empty;
    if (!is_4 && drops_type6)
        return;
    packet[2] = 0x84; /* an answer, of authority */
    packet[3] = (uint8_t)(code ? code : known ? 0 : NAME_ERROR);
    memset(packet + 6, 0, 6);
    packet[7] = answers;
    /* What follows the question, of EDNS, is left out. */
    n = HEADER + (ssize_t)strlen((char *)packet + HEADER) + 1 + 4;
    if (answers) {
        memcpy(packet + n, answer, sizeof answer);
        n += (ssize_t)sizeof answer;
    }
    sendto(io->fd, packet, (size_t)n, 0, (struct sockaddr *)&from, len);
}

static void start_name_server(char servers[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(servers, 32, "127.0.0.1:%d", ntohs(at.sin_port));
    ev_io_init(&name_server, on_question, fd, EV_READ);
    ev_io_start(ev, &name_server);
}

static int start(void **state)
{
    int failed = check_start(state);
    told = code = 0;
    drops_type6 = is_empty = false;
    ev = ev_loop_new(EVFLAG_AUTO);
    char servers[32];
    start_name_server(servers);
    return failed || resolver_new(ev, servers, &resolver);
}

static int stop(void **state)
{
    resolver_free(resolver);
    ev_io_stop(ev, &name_server);
    close(name_server.fd);
    ev_loop_destroy(ev);
    return check_end(state);
}

static void on_done(struct lookup *l, const char *why)
{
    assert_true(l->count > 0 || why);
    told++;
    ev_break(ev, EVBREAK_ALL);
}

static void look_up(struct lookup *l, const char *host)
{
    *l = (struct lookup){.done = on_done};
    assert_int_equal(lookup_start(l, resolver, host, "8080"), RC_OK);
    assert_int_equal(told, 0);
    ev_run(ev, 0);
    assert_int_equal(told, 1);
}

static bool has(const struct lookup *l, const char *address)
{
    for (size_t i = 0; i < l->count; i++) {
        char text[INET6_ADDRSTRLEN];
        const struct sockaddr_storage *ss = &l->list[i];
        const void *at = ss->ss_family == AF_INET
                             ? (const void *)&((const struct sockaddr_in *)ss)->sin_addr
                             : (const void *)&((const struct sockaddr_in6 *)ss)->sin6_addr;
        inet_ntop(ss->ss_family, at, text, sizeof text);
        if (strcmp(text, address) == 0 && ((const struct sockaddr_in *)ss)->sin_port == htons(8080))
            return true;
    }
    return false;
}

static void Address_FoundAsItIs(void **state)
{
    (void)state;
    struct lookup l;
    look_up(&l, "192.0.2.7");
    assert_int_equal(l.count, 1);
    assert_true(has(&l, "192.0.2.7"));
    told = 0;
    look_up(&l, "2001:db8::7");
    assert_true(has(&l, "2001:db8::7"));
}

static void Localhost_Found(void **state)
{
    (void)state;
    struct lookup l;
    look_up(&l, "localhost");
    assert_true(has(&l, "127.0.0.1") || has(&l, "::1"));
}

static void Known_FoundByTheNameServer(void **state)
{
    (void)state;
    struct lookup l;
    look_up(&l, "known.test");
    assert_int_equal(l.count, 1);
    assert_true(has(&l, "192.0.2.9"));
}

/* Again, over what is known already. */
static void look_up_again(struct lookup *l)
{
    told = 0;
    assert_int_equal(lookup_start(l, resolver, "known.test", "8080"), RC_OK);
    assert_int_equal(l->count, 1); /* which stays good meanwhile */
    ev_run(ev, 0);
    assert_int_equal(told, 1);
}

static void Known_ServersCannotSay_Kept(void **state)
{
    (void)state;
    enum { SERVER_FAILURE = 2, REFUSED = 5 };
    struct lookup l;
    look_up(&l, "known.test");
    for (code = SERVER_FAILURE; code <= REFUSED; code += REFUSED - SERVER_FAILURE) {
        look_up_again(&l);
        assert_true(has(&l, "192.0.2.9"));
    }
    code = 0;
    is_empty = true;
    look_up_again(&l);
    assert_true(has(&l, "192.0.2.9"));
    code = NAME_ERROR;
    look_up_again(&l);
    assert_int_equal(l.count, 0);
}

static void Known_OneFamilyDropped_FoundBeforeItsTimeout(void **state)
{
    (void)state;
    struct lookup l;
    drops_type6 = true;
    double began = ev_time();
    look_up(&l, "known.test");
    assert_true(has(&l, "192.0.2.9"));
    double first = ev_time() - began;
    drops_type6 = false;
    code = NAME_ERROR;
    while (ev_time() - began < first) /* what is still asked is answered, and of no consequence */
        ev_run(ev, EVRUN_NOWAIT);
    assert_true(has(&l, "192.0.2.9"));
    assert_true(first < 2); /* seconds, of the name server's first try */
}

static void Unknown_SaysWhy(void **state)
{
    (void)state;
    struct lookup l;
    look_up(&l, "unknown.test");
    assert_int_equal(l.count, 0);
}

static void Servers_NoList_Refused(void **state)
{
    (void)state;
    struct resolver *other;
    assert_int_equal(resolver_new(ev, "no address", &other), RC_INVALID);
}

static void Cancelled_NotTold(void **state)
{
    (void)state;
    struct lookup l = {.done = on_done}, other;
    assert_int_equal(lookup_start(&l, resolver, "192.0.2.7", "80"), RC_OK);
    lookup_cancel(&l);
    look_up(&other, "192.0.2.8");
    lookup_cancel(&l);
}

static void FreedMeanwhile_NothingLeft(void **state)
{
    (void)state;
    struct lookup l = {.done = on_done};
    assert_int_equal(lookup_start(&l, resolver, "unknown.test", "80"), RC_OK);
    lookup_cancel(&l);
}

static void Names_First_MakesTheResolver(void **state)
{
    (void)state;
    struct names names;
    struct lookup l = {.done = on_done};
    names_init(&names, ev);
    assert_null(names.resolver);
    assert_int_equal(names_look_up(&names, &l, "192.0.2.7", "80"), RC_OK);
    assert_non_null(names.resolver);
    while (l.query)
        ev_run(ev, EVRUN_ONCE);
    assert_int_equal(l.count, 1);
    names_fini(&names);
    names_fini(&names);
}

#define resolving(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        resolving(Address_FoundAsItIs),
        resolving(Localhost_Found),
        resolving(Known_FoundByTheNameServer),
        resolving(Known_ServersCannotSay_Kept),
        resolving(Known_OneFamilyDropped_FoundBeforeItsTimeout),
        resolving(Unknown_SaysWhy),
        resolving(Servers_NoList_Refused),
        resolving(Cancelled_NotTold),
        resolving(FreedMeanwhile_NothingLeft),
        resolving(Names_First_MakesTheResolver),
    };
    return cmocka_run_group_tests_name("unit/net/resolver", tests, NULL, NULL);
}
