#include "http/filter.h"

#include "tests/unit/check.h"

#include "core/list.h"
#include "http/response.h"

#include <stdio.h>

/* A filter that tells what it sees, and makes so many bytes of one: 0 drops the body, and where it
 * holds, head and body go on with flush or end. */
struct teller {
    struct filter base;
    char name;
    int times; /* 1 leaves the length alone */
    bool holds, has_head, fails;
    size_t held;
};

static char told[1024];
static int freed;

static void tell(const struct teller *t, const char *what, size_t n)
{
    size_t at = strlen(told);
    snprintf(told + at, sizeof told - at, n ? "%c:%s %zu|" : "%c:%s|", t->name, what, n);
}

static struct teller *of(struct filter *f)
{
    return container_of(f, struct teller, base);
}

static enum rc pass_head(struct teller *t, struct outgoing *o)
{
    if (t->times != 1)
        filter_drop_length(o);
    t->has_head = false;
    enum rc rc = outgoing_set_header(o, STR("by"), (struct str){&t->name, 1});
    return rc ? rc : filter_head(t->base.next, o);
}

static enum rc on_head(struct filter *f, struct outgoing *o)
{
    struct teller *t = of(f);
    tell(t, "head", 0);
    t->held = 0;
    t->has_head = true;
    return t->holds ? RC_OK : pass_head(t, o);
}

static enum rc pass_bytes(struct teller *t, struct outgoing *o, size_t n)
{
    static const char bytes[8 * FILTER_PIECE];
    enum rc rc = RC_OK;
    for (int i = 0; !rc && n && i < t->times; i++)
        rc = filter_body(t->base.next, o, bytes, n);
    return rc;
}

static enum rc on_body(struct filter *f, struct outgoing *o, const char *data, size_t n)
{
    struct teller *t = of(f);
    (void)data;
    tell(t, "body", n);
    if (t->fails)
        return RC_NOMEM;
    if (!t->holds)
        return pass_bytes(t, o, n);
    t->held += n;
    return RC_OK;
}

static enum rc let_go(struct teller *t, struct outgoing *o)
{
    enum rc rc = t->has_head ? pass_head(t, o) : RC_OK;
    if (!rc)
        rc = pass_bytes(t, o, t->held);
    t->held = 0;
    return rc;
}

static enum rc on_flush(struct filter *f, struct outgoing *o)
{
    tell(of(f), "flush", 0);
    enum rc rc = let_go(of(f), o);
    return rc ? rc : filter_flush(f->next, o);
}

static enum rc on_end(struct filter *f, struct outgoing *o)
{
    tell(of(f), "end", o->trailers.count);
    enum rc rc = let_go(of(f), o);
    return rc ? rc : filter_end(f->next, o);
}

static void on_free(struct filter *f)
{
    (void)f;
    freed++;
}

static const struct filter_ops ops = {on_head, on_body, on_flush, on_end, on_free};
static const struct filter_ops idle_ops = {.free = on_free};

static struct response response;
static struct arena arena;

static struct outgoing *begin(enum framing framing)
{
    told[0] = '\0';
    freed = 0;
    arena_init(&arena, NULL, 0, 1 << 20);
    response_init(&response, &arena);
    response_answer(&response, STR("GET"));
    response.out.framing = framing;
    return &response.out;
}

static void add(struct teller *t, char name, int times)
{
    *t = (struct teller){.base.ops = &ops, .name = name, .times = times};
    assert_int_equal(outgoing_add_filter(&response.out, &t->base), RC_OK);
}

static void end(void)
{
    response_fini(&response);
    arena_fini(&arena);
}

static void expect(const char *lines)
{
    assert_string_equal(told, lines);
    told[0] = '\0';
}

static void write_bytes(struct outgoing *o, size_t n)
{
    static const char bytes[1 << 17];
    size_t taken;
    assert_int_equal(outgoing_write(o, bytes, n, &taken), RC_OK);
    assert_int_equal(taken, n);
}

static struct str header(const char *name)
{
    const struct field *f = fields_find(&response.out.head, str_of(name));
    return f ? f->value : STR("");
}

static void Write_SeveralFilters_LastAddedSeesItFirst(void **state)
{
    (void)state;
    struct teller a, b;
    struct outgoing *o = begin(FRAMING_OWN);
    struct filter idle = {.ops = &idle_ops};
    add(&a, 'a', 1);
    assert_int_equal(outgoing_add_filter(o, &idle), RC_OK);
    add(&b, 'b', 2);
    write_bytes(o, 10);
    expect("b:head|a:head|b:body 10|a:body 10|a:body 10|");
    assert_str(header("by"), "a");
    assert_int_equal(o->body.len, 20);
    assert_int_equal(outgoing_append_trailer(o, STR("t"), STR("1")), RC_OK);
    assert_int_equal(outgoing_finish(o), RC_OK);
    expect("b:end 1|a:end 1|");
    assert_int_equal(freed, 0);
    end();
    assert_int_equal(freed, 3);
}

/* The queue's limit, and what is sent, are of the bytes that came out. */
static void Write_Doubled_QueueCountsWhatComesOut(void **state)
{
    (void)state;
    static const char bytes[1 << 17];
    size_t taken;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 2);
    assert_int_equal(outgoing_write(o, bytes, sizeof bytes, &taken), RC_OK);
    assert_int_equal(taken, OUTGOING_QUEUE_HIGH / 2);
    assert_int_equal(o->body.len, OUTGOING_QUEUE_HIGH);
    assert_int_equal(outgoing_write(o, bytes, 1, &taken), RC_OK);
    assert_int_equal(taken, 0);
    bytes_drop(&o->body, 1000);
    assert_int_equal(outgoing_sent(o), 1000);
    assert_int_equal(o->written, OUTGOING_QUEUE_HIGH / 2);
    outgoing_abort(o);
    assert_int_equal(outgoing_sent(o), 1000);
    end();
}

static void Write_MoreThanTheSlack_NoMemory(void **state)
{
    (void)state;
    static const char bytes[FILTER_PIECE];
    size_t taken;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 64);
    assert_int_equal(outgoing_write(o, bytes, sizeof bytes, &taken), RC_NOMEM);
    end();
}

static void Length_OfTheWriter_HeldAgainstWhatItWrites(void **state)
{
    (void)state;
    size_t taken;
    struct teller a;
    struct outgoing *o = begin(FRAMING_CHUNKS);
    add(&a, 'a', 2);
    assert_int_equal(outgoing_set_header(o, STR("content-length"), STR("4")), RC_OK);
    write_bytes(o, 3);
    assert_str(header("content-length"), "");
    assert_int_equal(outgoing_finish(o), RC_LIMIT);
    assert_int_equal(outgoing_write(o, "ab", 2, &taken), RC_LIMIT);
    write_bytes(o, 1);
    assert_int_equal(response_take_head(&response), RC_OK);
    assert_int_equal(o->framing, FRAMING_CHUNKS);
    assert_int_equal(outgoing_finish(o), RC_OK);
    assert_int_equal(o->body.len, 8);
    end();
}

static void Length_FilterThatOnlyLooks_Stays(void **state)
{
    (void)state;
    struct teller a;
    struct outgoing *o = begin(FRAMING_CHUNKS);
    add(&a, 'a', 1);
    assert_int_equal(outgoing_set_header(o, STR("content-length"), STR("4")), RC_OK);
    write_bytes(o, 4);
    assert_int_equal(response_take_head(&response), RC_OK);
    assert_int_equal(o->framing, FRAMING_LENGTH);
    assert_str(header("content-length"), "4");
    assert_int_equal(outgoing_finish(o), RC_OK);
    end();
}

static void Length_WholeMessage_OfWhatCameOut(void **state)
{
    (void)state;
    static const int times[] = {0, 1, 2};
    static const char *const lengths[] = {"0", "5", "10"};
    for (size_t i = 0; i < count_of(times); i++) {
        struct teller a;
        struct outgoing *o = begin(FRAMING_CHUNKS);
        add(&a, 'a', times[i]);
        write_bytes(o, 5);
        assert_int_equal(outgoing_finish(o), RC_OK);
        assert_int_equal(response_take_head(&response), RC_OK);
        assert_str(header("content-length"), lengths[i]);
        assert_int_equal(o->framing, FRAMING_LENGTH);
        end();
    }
}

static void Length_Trailers_ChunksInPlaceOfTheDroppedOne(void **state)
{
    (void)state;
    struct teller a;
    struct outgoing *o = begin(FRAMING_CHUNKS);
    o->trailers_accepted = true;
    add(&a, 'a', 2);
    assert_int_equal(outgoing_set_header(o, STR("content-length"), STR("1")), RC_OK);
    assert_false(outgoing_supports_trailers(o));
    write_bytes(o, 1);
    assert_true(outgoing_supports_trailers(o));
    assert_int_equal(outgoing_append_trailer(o, STR("t"), STR("1")), RC_OK);
    assert_int_equal(outgoing_finish(o), RC_OK);
    assert_int_equal(response_take_head(&response), RC_OK);
    assert_int_equal(o->framing, FRAMING_CHUNKS);
    end();
}

/* HEAD has the fields of GET, but a length that nobody has counted. */
static void NoContent_BodyNotTold(void **state)
{
    (void)state;
    static const char *const lengths[] = {"", "5", ""};
    for (int times = 0; times < 3; times++) {
        struct teller a;
        struct outgoing *o = begin(FRAMING_CHUNKS);
        add(&a, 'a', times);
        response_answer(&response, STR("HEAD"));
        write_bytes(o, 5);
        assert_int_equal(outgoing_finish(o), RC_OK);
        expect("a:head|a:end|");
        assert_int_equal(response_take_head(&response), RC_OK);
        assert_str(header("content-length"), lengths[times]);
        assert_str(header("by"), "a");
        assert_int_equal(outgoing_next(o), OUTGOING_END);
        assert_int_equal(outgoing_sent(o), 0);
        end();
    }
}

static void Finish_NothingWritten_HeadAndEnd(void **state)
{
    (void)state;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 1);
    assert_int_equal(outgoing_finish(o), RC_OK);
    expect("a:head|a:end|");
    assert_int_equal(outgoing_next(o), OUTGOING_HEAD_END);
    end();
}

/* What a filter keeps back goes on where the writer waits and nothing is queued, and not before. */
static void Next_NothingQueued_Flushed(void **state)
{
    (void)state;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 1);
    a.holds = true;
    write_bytes(o, 5);
    expect("a:head|a:body 5|");
    assert_int_equal(o->body.len, 0);
    assert_int_equal(outgoing_next(o), OUTGOING_HEAD);
    expect("a:flush|");
    assert_str(header("by"), "a");
    assert_int_equal(response_take_head(&response), RC_OK);
    assert_int_equal(outgoing_next(o), OUTGOING_BODY);
    write_bytes(o, 3);
    assert_int_equal(outgoing_next(o), OUTGOING_BODY);
    expect("a:body 3|");
    bytes_drop(&o->body, 5);
    assert_int_equal(outgoing_next(o), OUTGOING_BODY);
    expect("a:flush|");
    assert_int_equal(o->body.len, 3);
    bytes_drop(&o->body, 3);
    assert_int_equal(outgoing_next(o), OUTGOING_NOTHING);
    expect("");
    end();
}

static void Start_WhatIsHeld_Flushed(void **state)
{
    (void)state;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 1);
    a.holds = true;
    assert_int_equal(outgoing_start(o), RC_OK);
    expect("a:head|a:flush|");
    write_bytes(o, 5);
    assert_int_equal(outgoing_start(o), RC_OK);
    expect("a:body 5|a:flush|");
    assert_int_equal(o->body.len, 5);
    end();
}

static void Restart_HeadComesAgain_FreedOnce(void **state)
{
    (void)state;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 2);
    write_bytes(o, 5);
    assert_int_equal(outgoing_finish(o), RC_OK);
    expect("a:head|a:body 5|a:end|");
    assert_int_equal(response_restart(&response), RC_OK);
    assert_int_equal(freed, 0);
    assert_str(header("by"), "");
    write_bytes(o, 3);
    assert_int_equal(outgoing_finish(o), RC_OK);
    expect("a:head|a:body 3|a:end|");
    assert_int_equal(response_take_head(&response), RC_OK);
    assert_str(header("content-length"), "6");
    end();
    assert_int_equal(freed, 1);
}

static void Fails_NothingMoreIsTaken(void **state)
{
    (void)state;
    size_t taken;
    struct teller a;
    struct outgoing *o = begin(FRAMING_OWN);
    add(&a, 'a', 1);
    write_bytes(o, 1);
    a.fails = true;
    assert_int_equal(outgoing_write(o, "b", 1, &taken), RC_NOMEM);
    a.fails = false;
    assert_int_equal(outgoing_write(o, "b", 1, &taken), RC_NOMEM);
    assert_int_equal(outgoing_finish(o), RC_NOMEM);
    assert_int_equal(outgoing_start(o), RC_NOMEM);
    assert_int_equal(outgoing_next(o), OUTGOING_FAILED);
    assert_int_equal(response_restart(&response), RC_OK);
    write_bytes(o, 1);
    assert_int_equal(outgoing_next(o), OUTGOING_HEAD);
    end();
}

static void Abort_AtAnyPoint_FreedOnce(void **state)
{
    (void)state;
    for (int point = 0; point < 4; point++) {
        struct teller a, b;
        struct outgoing *o = begin(FRAMING_OWN);
        add(&a, 'a', 1);
        add(&b, 'b', 2);
        b.holds = true;
        if (point > 0)
            write_bytes(o, 5);
        if (point > 1)
            assert_int_equal(outgoing_next(o), OUTGOING_HEAD);
        if (point > 2)
            assert_int_equal(outgoing_finish(o), RC_OK);
        outgoing_abort(o);
        assert_int_equal(freed, 2);
        outgoing_abort(o);
        end();
        assert_int_equal(freed, 2);
    }
}

static void Add_StartedOrNoMemory_StaysWithTheCaller(void **state)
{
    (void)state;
    struct filter f = {.ops = &idle_ops};
    struct outgoing *o = begin(FRAMING_OWN);
    mem_fail_at(1, 1);
    assert_int_equal(outgoing_add_filter(o, &f), RC_NOMEM);
    mem_fail_at(0, 0);
    assert_int_equal(outgoing_start(o), RC_OK);
    assert_int_equal(outgoing_add_filter(o, &f), RC_STATE);
    end();
    assert_int_equal(freed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Write_SeveralFilters_LastAddedSeesItFirst),
        checked(Write_Doubled_QueueCountsWhatComesOut),
        checked(Write_MoreThanTheSlack_NoMemory),
        checked(Length_OfTheWriter_HeldAgainstWhatItWrites),
        checked(Length_FilterThatOnlyLooks_Stays),
        checked(Length_WholeMessage_OfWhatCameOut),
        checked(Length_Trailers_ChunksInPlaceOfTheDroppedOne),
        checked(NoContent_BodyNotTold),
        checked(Finish_NothingWritten_HeadAndEnd),
        checked(Next_NothingQueued_Flushed),
        checked(Start_WhatIsHeld_Flushed),
        checked(Restart_HeadComesAgain_FreedOnce),
        checked(Fails_NothingMoreIsTaken),
        checked(Abort_AtAnyPoint_FreedOnce),
        checked(Add_StartedOrNoMemory_StaysWithTheCaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
