/* The listening sockets: one for each worker, kept, shared, passed on. */
#include "proc/worker/sockets.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct sockets none;

static struct options wants(int workers, int count, const char *const *urls)
{
    char why[SETTING_WHY];
    struct options o;
    options_init(&o);
    o.workers = workers;
    o.source = OPTIONS_FLAG;
    for (int i = 0; i < count; i++) {
        const struct setting s = {.name = "listen", .kind = SETTING_TEXT, .text = urls[i]};
        assert_int_equal(options_set(&o, &s, why), RC_OK);
    }
    return o;
}

static struct sockets *open_all(const struct sockets *old, const struct options *o)
{
    char why[SOCKETS_WHY] = "";
    struct sockets *s = calloc(1, sizeof *s);
    if (sockets_open(old, o, s, why))
        fail_msg("%s", why);
    return s;
}

static void close_all(struct sockets *s)
{
    sockets_close(s, NULL);
    free(s);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void note(void *data, int fd, const struct listener_kind *kind)
{
    (void)kind;
    char *list = data;
    snprintf(list + strlen(list), 16, "%d ", fd);
}

/* Compares the sockets that a worker serves with those given, which end in 0. */
static void serves(const struct sockets *s, int worker, int workers, const int *fds)
{
    char list[256] = "", expected[256] = "";
    sockets_of_worker(s, worker, workers, note, list);
    for (; *fds; fds++)
        note(expected, *fds, NULL);
    assert_string_equal(list, expected);
}

#define FDS(...) ((const int[]){__VA_ARGS__, 0})

static const char *const two_urls[] = {"https://127.0.0.1:0", "http://127.0.0.1:0"};

static void Sockets_EachWorker_HasItsOwn(void **state)
{
    const struct options o = wants(2, 2, two_urls);
    struct sockets *s = open_all(&none, &o);
    const int *tls = s->addresses[0].fds, *plain = s->addresses[1].fds;
    (void)state;
    assert_true(s->addresses[0].address.kind->tls && !s->addresses[1].address.kind->tls);
    serves(s, 0, 2, FDS(tls[0], plain[0]));
    serves(s, 1, 2, FDS(tls[1], plain[1]));
    close_all(s);
}

static void Sockets_OfBefore_Kept(void **state)
{
    struct options o = wants(2, 2, two_urls);
    struct sockets *old = open_all(&none, &o);
    o.workers = 3;
    struct sockets *s = open_all(old, &o);
    const int *was = old->addresses[0].fds, *is = s->addresses[0].fds;
    (void)state;
    assert_true(was[0] == is[0] && was[1] == is[1] && s->addresses[0].count == 3);
    assert_string_equal(old->addresses[0].bound, s->addresses[0].bound);
    int kept = old->addresses[1].fds[1];
    sockets_close(old, s);
    assert_true(is_open(kept));
    free(old);
    close_all(s);
    assert_false(is_open(kept));
}

static void Sockets_FewerWorkers_ShareRest(void **state)
{
    struct options o = wants(3, 1, two_urls);
    struct sockets *old = open_all(&none, &o);
    o.workers = 2;
    struct sockets *s = open_all(old, &o);
    const int *fds = s->addresses[0].fds;
    (void)state;
    serves(s, 0, 2, FDS(fds[0], fds[2]));
    serves(s, 1, 2, FDS(fds[1], fds[2]));
    free(old);
    close_all(s);
}

static void Sockets_AddressGone_Closed(void **state)
{
    const struct options both = wants(1, 2, two_urls), one = wants(1, 1, two_urls + 1);
    struct sockets *old = open_all(&none, &both);
    struct sockets *s = open_all(old, &one);
    int gone = old->addresses[0].fds[0], kept = old->addresses[1].fds[0];
    (void)state;
    assert_int_equal(s->addresses[0].fds[0], kept);
    sockets_close(old, s);
    assert_true(!is_open(gone) && is_open(kept));
    free(old);
    close_all(s);
}

static void Sockets_OneFails_OldStayOpen(void **state)
{
    static const char *const bad_urls[] = {
        "https://127.0.0.1:0", "http://127.0.0.1:0", "http://192.0.2.1:0"};
    struct options o = wants(1, 1, two_urls);
    struct sockets *old = open_all(&none, &o), out;
    char why[SOCKETS_WHY];
    (void)state;
    o = wants(1, 3, bad_urls);
    int next = dup(0);
    close(next);
    assert_int_equal(sockets_open(old, &o, &out, why), RC_SYSTEM);
    assert_non_null(strstr(why, "192.0.2.1:0"));
    assert_true(is_open(old->addresses[0].fds[0]) && !is_open(next));
    close_all(old);
}

/* Makes a socket as systemd would have, and lets s have it. */
static int adopt_one(struct sockets *s, bool tls)
{
    struct address a;
    int fd;
    char why[ADDRESS_WHY];
    assert_int_equal(address_parse("http://127.0.0.1:0", &a, why), RC_OK);
    assert_int_equal(address_listen(&a, &fd, why), RC_OK);
    assert_int_equal(sockets_adopt(s, fd, tls ? &listener_https : &listener_http), RC_OK);
    return fd;
}

static void GivenSockets_SeveralWorkers_Shared(void **state)
{
    struct sockets *given = calloc(1, sizeof *given);
    struct options o = wants(2, 0, NULL);
    int fd = adopt_one(given, true);
    struct sockets *s = open_all(given, &o);
    (void)state;
    assert_int_equal(s->count, 1);
    assert_true(s->addresses[0].address.kind->tls);
    serves(s, 0, 2, FDS(fd));
    serves(s, 1, 2, FDS(fd));
    free(given);
    close_all(s);
}

static void GivenSockets_ByAddress_Found(void **state)
{
    struct sockets *given = calloc(1, sizeof *given);
    int fd = adopt_one(given, true);
    char url[ADDRESS_URL];
    (void)state;
    snprintf(url, sizeof url, "http://%s", given->addresses[0].bound);
    const struct options o = wants(2, 1, (const char *const[]){url});
    struct sockets *s = open_all(given, &o);
    assert_int_equal(s->addresses[0].fds[0], fd);
    assert_true(s->addresses[0].shared && !s->addresses[0].address.kind->tls);
    free(given);
    close_all(s);
}

static void Sockets_AsText_PassedOn(void **state)
{
    const struct options o = wants(2, 2, two_urls);
    struct sockets *s = open_all(&none, &o), *got = calloc(1, sizeof *got);
    char before[SOCKETS_TEXT], after[SOCKETS_TEXT];
    adopt_one(s, false);
    char *text = sockets_export(s);
    (void)state;
    assert_int_equal(sockets_import(text, got), RC_OK);
    sockets_format(s, before);
    sockets_format(got, after);
    assert_string_equal(before, after);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(got->addresses[i].count, s->addresses[i].count);
        assert_int_equal(got->addresses[i].fds[0], s->addresses[i].fds[0]);
        assert_int_equal(got->addresses[i].shared, i == 2);
    }
    free(text);
    free(got);
    close_all(s);
}

static void Sockets_BrokenText_Refused(void **state)
{
    static const char *const texts[] = {
        "x", "http://127.0.0.1:1;", "http://127.0.0.1:1 999;", "ftp://127.0.0.1:1 0;"};
    struct sockets *got = calloc(1, sizeof *got);
    (void)state;
    for (size_t i = 0; i < count_of(texts); i++)
        assert_int_equal(sockets_import(texts[i], got), RC_INVALID);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Sockets_EachWorker_HasItsOwn),
        checked(Sockets_OfBefore_Kept),
        checked(Sockets_FewerWorkers_ShareRest),
        checked(Sockets_AddressGone_Closed),
        checked(Sockets_OneFails_OldStayOpen),
        checked(GivenSockets_SeveralWorkers_Shared),
        checked(GivenSockets_ByAddress_Found),
        checked(Sockets_AsText_PassedOn),
        checked(Sockets_BrokenText_Refused),
    };
    return cmocka_run_group_tests_name("proc/sockets", tests, NULL, NULL);
}
