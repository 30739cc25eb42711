/* What the files of h1/ must not do with each other. */
#include "tests/unit/death.h"

#include "h1/client_private.h"
#include "h1/server_private.h"

static void nothing(struct session_host *host)
{
    (void)host;
}

static void read_anew(void *unused)
{
    (void)unused;
    struct h1_session s = {.input = H1_DEAF};
    h1_set_input(&s, H1_READING);
}

static void two_exchanges(void *unused)
{
    (void)unused;
    struct h1_exchange x;
    struct h1_session s = {.x = &x};
    (void)h1_exchange_new(&s);
}

static void write_over_the_rest(void *unused)
{
    (void)unused;
    struct h1_writer w = {.rest = "x", .rest_len = 1};
    h1_write_text(&w, STR("y"));
}

static void parse_behind_a_fault(void *unused)
{
    (void)unused;
    struct h1_parser p;
    struct str data = STR("x");
    h1_parser_init(&p, H1_SERVER, 100, 10);
    p.state = H1_FAULTY;
    (void)h1_parser_next(&p, &data);
}

static void two_calls(void *unused)
{
    (void)unused;
    struct session *s;
    struct call c;
    static struct session_host host = {.dirty = nothing, .changed = nothing};
    if (h1_client_new(&host, &http_limits_default, &s))
        return;
    ((struct h1_client *)s)->call = &c;
    (void)!s->client->begin(s, &c);
}

static const struct death deaths[] = {
    {read_anew, "input > s->input || (input == H1_READING && s->input == H1_DRAINING)"},
    {two_exchanges, "!s->x"},
    {write_over_the_rest, "w->rest_len == 0"},
    {parse_behind_a_fault, "p->state != H1_FAULTY"},
    {two_calls, "s->state == H1_CLIENT_IDLE && !s->call"},
};

static void Misuse_EachKind_Aborts(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(deaths); i++)
        assert_aborts(deaths[i].run, NULL, deaths[i].condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {checked(Misuse_EachKind_Aborts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
