/* Listen addresses: their text, and sockets that share one. */
#include "net/address.h"
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static struct address parse(const char *url)
{
    struct address a;
    char why[ADDRESS_WHY];
    assert_int_equal(address_parse(url, &a, why), RC_OK);
    return a;
}

static void Url_EachForm_ReadAndWritten(void **state)
{
    static const char *const urls[] = {"https://127.0.0.1:8443", "http://localhost:80",
        "https://[::1]:0", "http://[fe80::1%lo]:1"};
    (void)state;
    for (size_t i = 0; i < count_of(urls); i++) {
        char text[ADDRESS_URL];
        struct address a = parse(urls[i]);
        address_url(&a, text);
        assert_string_equal(text, urls[i]);
    }
}

static void Url_Unreadable_CauseNamed(void **state)
{
    static const struct {
        const char *url, *cause;
    } cases[] = {
        {"ftp://a:1", "the scheme is http or https: it reads https://HOST:PORT or http://HOST"},
        {"httpss://a:1", "the scheme is http or https"},
        {"ws://a:1", "the scheme is http or https"},
        {"h2c://a:1", "the scheme is http or https"},
        {"http:/a:1", "has no scheme: it reads https://HOST:PORT or http://HOST:PORT"},
        {"127.0.0.1:80", "has no scheme"},
        {"", "has no scheme"},
        {"http://a:1/api", "a listen address has no path"},
        {"http://a/api", "a listen address has no path"},
        {"http://[::1]:1/api?a", "a listen address has no path"},
        {"http://a:1?b", "a listen address has no query"},
        {"http://a:1/?b", "a listen address has no query"},
        {"http://a:1#b", "a listen address has no fragment"},
        {"http://me@a:1", "a listen address has no user"},
        {"http://me:secret@a:1/api", "a listen address has no user"},
        {"http://a", "has no port"},
        {"http://a:x", "has a port that is no number"},
    };
    (void)state;
    for (size_t i = 0; i < count_of(cases); i++) {
        struct address a;
        char why[ADDRESS_WHY];
        assert_int_equal(address_parse(cases[i].url, &a, why), RC_INVALID);
        if (!strstr(why, cases[i].cause))
            fail_msg("%s: %s", cases[i].url, why);
    }
}

static void Url_EachScheme_ItsKind(void **state)
{
    (void)state;
    assert_ptr_equal(parse("https://a:1").kind, &listener_https);
    assert_ptr_equal(parse("http://a:1").kind, &listener_http);
    assert_ptr_equal(parse("HTTPS://a:1/").kind, &listener_https);
    assert_ptr_equal(parse("Http://a:1").kind, &listener_http);
}

static void Text_WithoutScheme_Split(void **state)
{
    struct address a;
    (void)state;
    assert_int_equal(address_split("[::1]:443", &a), RC_OK);
    assert_string_equal(a.host, "::1");
    assert_string_equal(a.port, "443");
    assert_int_equal(address_split("unknown", &a), RC_INVALID);
}

static void Name_Known_Resolved(void **state)
{
    char text[ADDRESS_TEXT];
    struct address a = parse("http://127.0.0.1:80");
    (void)state;
    assert_int_equal(address_resolve(&a, text), RC_OK);
    assert_string_equal(text, "127.0.0.1:80");
    a = parse("http://name.invalid:80");
    assert_int_equal(address_resolve(&a, text), RC_SYSTEM);
}

static int listen_at(struct address *a)
{
    int fd;
    char why[ADDRESS_WHY];
    assert_int_equal(address_listen(a, &fd, why), RC_OK);
    return fd;
}

static void Listen_AddressTwice_Refused(void **state)
{
    struct address a = parse("http://127.0.0.1:0");
    char text[ADDRESS_TEXT], why[ADDRESS_WHY];
    int second, first = listen_at(&a);
    (void)state;
    address_of_socket(first, text);
    assert_int_equal(address_split(text, &a), RC_OK);
    assert_int_equal(address_listen(&a, &second, why), RC_SYSTEM);
    assert_non_null(strstr(why, "Address already in use"));
    close(first);
}

static int connect_to(const char *text)
{
    struct address a;
    assert_int_equal(address_split(text, &a), RC_OK);
    struct sockaddr_in in = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(a.port)),
        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static int accept_all(int fd)
{
    int count = 0, taken;
    while ((taken = accept(fd, NULL, NULL)) >= 0) {
        close(taken);
        count++;
    }
    return count;
}

/* Nothing is lost in the queue of a socket that nobody serves yet. */
static void Listen_OneMoreSocket_TakesItsShare(void **state)
{
    enum { CONNECTIONS = 60 };
    struct address a = parse("http://127.0.0.1:0");
    char text[ADDRESS_TEXT], why[ADDRESS_WHY];
    int conns[CONNECTIONS], second, first = listen_at(&a);
    (void)state;
    address_of_socket(first, text);
    assert_int_equal(address_bind_again(first, &second, why), RC_OK);
    for (int i = 0; i < CONNECTIONS; i++)
        close(connect_to(text));
    assert_int_equal(accept_all(first), CONNECTIONS);
    assert_int_equal(listen(second, SOMAXCONN), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        conns[i] = connect_to(text);
    int share = accept_all(second);
    assert_in_range(share, 1, CONNECTIONS - 1);
    assert_int_equal(accept_all(first), CONNECTIONS - share);
    for (int i = 0; i < CONNECTIONS; i++)
        close(conns[i]);
    close(first);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Url_EachForm_ReadAndWritten),
        checked(Url_Unreadable_CauseNamed),
        checked(Url_EachScheme_ItsKind),
        checked(Text_WithoutScheme_Split),
        checked(Name_Known_Resolved),
        checked(Listen_AddressTwice_Refused),
        checked(Listen_OneMoreSocket_TakesItsShare),
    };
    return cmocka_run_group_tests_name("net/address", tests, NULL, NULL);
}
