/* Whether the other server is still there while calls wait for it. */
#include "core/clock.h"
#include "h2/client_private.h"

/* Its answer is waited for this much of the time after which it is asked. */
static const double answer_part = 0.5;
/* What an alarm may be early by. */
static const double slack_seconds = 0.001;

static void set_alarm(struct h2_session *s, double seconds)
{
    s->base.host->alarm(s->base.host, seconds);
}

void h2_keepalive_watch(struct h2_session *s, const struct call *c)
{
    bool is_first = s->legs == 1;
    if (c->keepalive <= 0)
        return;
    if (is_first || s->keepalive.seconds <= 0) {
        s->keepalive.quiet = clock_recent();
        s->keepalive.asked = 0;
    } else if (c->keepalive >= s->keepalive.seconds) {
        return;
    }
    s->keepalive.seconds = c->keepalive;
    if (!s->keepalive.asked)
        set_alarm(s, c->keepalive);
}

void h2_keepalive_hear(struct h2_session *s)
{
    s->keepalive.quiet = clock_recent();
    s->keepalive.asked = 0;
}

/* The shortest time that a call under way asks for; 0 for none. */
static double shortest(const struct h2_session *s)
{
    double seconds = 0;
    for (const struct list *node = s->streams.next; node != &s->streams; node = node->next) {
        const struct call *c = container_of((struct list *)node, struct h2_leg, link)->call;
        if (c && c->keepalive > 0 && (seconds <= 0 || c->keepalive < seconds))
            seconds = c->keepalive;
    }
    return seconds;
}

static void ask(struct h2_session *s)
{
    s->keepalive.asked = clock_recent();
    if (nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL))
        h2_fail(s);
    set_alarm(s, s->keepalive.seconds * answer_part);
    s->base.host->dirty(s->base.host);
}

/* The calls are lost with the connection, to which nothing is sent any more. */
static void leave(struct h2_session *s)
{
    for (struct list *node = s->streams.next, *next; node != &s->streams; node = next) {
        struct h2_leg *leg = container_of(node, struct h2_leg, link);
        next = node->next;
        if (leg->call)
            h2_leg_end(leg, leg->id ? CALL_LOST : CALL_REFUSED, "keepalive");
    }
    h2_abandon(s);
    s->base.host->changed(s->base.host);
    s->base.host->dirty(s->base.host);
}

void h2_keepalive_look(struct h2_session *s)
{
    double seconds = s->keepalive.seconds = shortest(s);
    if (seconds <= 0)
        return;
    double asked = s->keepalive.asked;
    double due = asked > 0 ? asked + seconds * answer_part : s->keepalive.quiet + seconds;
    double left = due - clock_recent();
    if (left > slack_seconds)
        set_alarm(s, left);
    else if (asked > 0)
        leave(s);
    else
        ask(s);
}
