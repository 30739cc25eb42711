/* What agents and sessions must not do with a call. */
#include "tests/unit/death.h"

#include "http/call.h"

static const struct call_host host;
static const struct call_agent agent;
static const struct call_ops ops;

static struct call *made(enum call_state state)
{
    static struct call c;
    call_init(&c, &ops);
    c.state = state;
    return &c;
}

static struct call *held(void)
{
    struct call *c = made(CALL_IDLE);
    call_hold(c, &host, NULL, 10);
    return c;
}

static void free_held(void *unused)
{
    (void)unused;
    call_fini(held());
}

static void engage_held(void *unused)
{
    (void)unused;
    call_engage(held(), &agent, NULL);
}

static void engage_done(void *unused)
{
    (void)unused;
    call_engage(made(CALL_DONE), &agent, NULL);
}

static void hold_twice(void *unused)
{
    (void)unused;
    call_hold(held(), &host, NULL, 10);
}

static void fail_idle(void *unused)
{
    (void)unused;
    call_fail(made(CALL_IDLE), CALL_LOST, "");
}

static void head_without_session(void *unused)
{
    (void)unused;
    (void)!call_receive_head(made(CALL_HELD), "HTTP/2", 200);
}

static void body_behind_end(void *unused)
{
    (void)unused;
    struct call *c = held();
    c->ended = true;
    (void)!call_receive(c, "x", 1);
}

static void end_twice(void *unused)
{
    (void)unused;
    struct call *c = held();
    c->ended = true;
    call_receive_end(c);
}

static void end_without_session(void *unused)
{
    (void)unused;
    call_end(made(CALL_HELD), CALL_LOST, "");
}

static const struct death deaths[] = {
    {free_held, "c->state != CALL_HELD"},
    {engage_held, "!c->agent && !c->host"},
    {engage_done, "state != CALL_HELD || c->state != CALL_DONE"},
    {hold_twice, "!c->host && c->body.len == 0"},
    {fail_idle, "state != CALL_DONE || c->state == CALL_HELD"},
    {head_without_session, "c->host && c->status == 0"},
    {body_behind_end, "c->host && !c->ended"},
    {end_twice, "c->host && !c->ended"},
    {end_without_session, "c->host"},
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
