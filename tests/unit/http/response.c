#include "http/response.h"

#include "tests/unit/check.h"

#include "core/clock.h"

enum { STATES = OUTGOING_ABORTED + 1 };

/* A response and what it borrows. */
struct fixture {
    struct response r;
    struct arena arena;
    char first[4096];
};

static struct response *begin(struct fixture *f)
{
    arena_init(&f->arena, f->first, sizeof f->first, 1 << 20);
    response_init(&f->r, &f->arena);
    return &f->r;
}

static void end(struct fixture *f)
{
    response_fini(&f->r);
    arena_fini(&f->arena);
}

static enum rc write_all(struct response *r, const char *text)
{
    size_t taken, n = strlen(text);
    enum rc rc = outgoing_write(&r->out, text, n, &taken);
    assert_int_equal(taken, rc ? 0 : n);
    return rc;
}

static void assert_header(const struct response *r, const char *name, const char *value)
{
    struct field *f = fields_find(&r->out.head, str_of(name));
    if (!value) {
        assert_null(f);
        return;
    }
    assert_non_null(f);
    assert_str(f->value, value);
}

/* Operation × state. */

static enum rc set_status(struct response *r)
{
    return response_set_status(r, 404);
}

static enum rc set_header(struct response *r)
{
    return outgoing_set_header(&r->out, STR("x"), STR("1"));
}

static enum rc add_header(struct response *r)
{
    return outgoing_add_header(&r->out, STR("x"), STR("1"));
}

static enum rc remove_header(struct response *r)
{
    return outgoing_remove_header(&r->out, STR("x"));
}

static enum rc declare_trailer(struct response *r)
{
    return outgoing_declare_trailer(&r->out, STR("x"));
}

static enum rc append_trailer(struct response *r)
{
    return outgoing_append_trailer(&r->out, STR("x"), STR("1"));
}

static enum rc write_some(struct response *r)
{
    return write_all(r, "body");
}

static enum rc write_nothing(struct response *r)
{
    return write_all(r, "");
}

static enum rc set_bad_header(struct response *r)
{
    return outgoing_set_header(&r->out, STR("a b"), STR("1"));
}

static enum rc append_bad_trailer(struct response *r)
{
    return outgoing_append_trailer(&r->out, STR("date"), STR("1"));
}

static enum rc start(struct response *r)
{
    return outgoing_start(&r->out);
}

static enum rc finish(struct response *r)
{
    return outgoing_finish(&r->out);
}

static enum rc do_abort(struct response *r)
{
    response_abort(r);
    return RC_OK;
}

/* For each state that the operation is tried in, in the order of the enum: the initial of the state
 * that it leads to, or how it is refused: ! RC_STATE, ? RC_INVALID. */
static const struct {
    const char *name;
    enum rc (*run)(struct response *r);
    const char *in;
} operations[] = {
    {"set_status", set_status, "O!!!!"},
    {"set_header", set_header, "O!!!!"},
    {"add_header", add_header, "O!!!!"},
    {"remove_header", remove_header, "O!!!!"},
    {"declare_trailer", declare_trailer, "O!!!!"},
    {"append_trailer", append_trailer, "OS!!!"},
    {"start", start, "SS!!!"},
    {"write", write_some, "SS!!!"},
    {"write nothing", write_nothing, "SS!!!"},
    {"finish", finish, "FF!!!"},
    {"restart", response_restart, "OOO!!"},
    {"abort", do_abort, "AAAAA"},
    {"set_header, malformed", set_bad_header, "?????"},
    {"append_trailer, forbidden", append_bad_trailer, "?????"},
};

static enum rc expected_rc(char outcome)
{
    return outcome == '!' ? RC_STATE : outcome == '?' ? RC_INVALID : RC_OK;
}

static int expected_state(char outcome, int from)
{
    switch (outcome) {
    case 'O':
        return OUTGOING_OPEN;
    case 'S':
        return OUTGOING_STARTED;
    case 'F':
        return OUTGOING_FINISHED;
    case 'A':
        return OUTGOING_ABORTED;
    default:
        return from;
    }
}

/* Brings a new response into a state, by the ways that handlers and sessions have. */
static void reach(struct response *r, enum outgoing_state wanted)
{
    if (wanted == OUTGOING_STARTED)
        assert_int_equal(outgoing_start(&r->out), RC_OK);
    if (wanted == OUTGOING_FINISHED || wanted == OUTGOING_SENT)
        assert_int_equal(outgoing_finish(&r->out), RC_OK);
    if (wanted == OUTGOING_SENT)
        r->out.state = OUTGOING_SENT;
    if (wanted == OUTGOING_ABORTED)
        response_abort(r);
    assert_int_equal(r->out.state, wanted);
}

static void Operations_EachState_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(operations); i++) {
        for (int from = 0; from < STATES; from++) {
            struct fixture f;
            struct response *r = begin(&f);
            char outcome = operations[i].in[from];
            reach(r, (enum outgoing_state)from);
            enum rc rc = operations[i].run(r);
            if (rc != expected_rc(outcome) || (int)r->out.state != expected_state(outcome, from))
                fail_msg("%s in state %d: rc %d, state %d", operations[i].name, from, (int)rc,
                    (int)r->out.state);
            end(&f);
        }
    }
}

static void Refused_EachState_NothingChanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(operations); i++) {
        for (int from = 0; from < STATES; from++) {
            if (expected_rc(operations[i].in[from]) == RC_OK)
                continue;
            struct fixture f;
            struct response *r = begin(&f);
            reach(r, (enum outgoing_state)from);
            struct response before;
            memcpy(&before, r, sizeof before);
            assert_int_not_equal(operations[i].run(r), RC_OK);
            assert_memory_equal(r, &before, sizeof before);
            end(&f);
        }
    }
}

static void Over_EachState_SentAndAborted(void **state)
{
    (void)state;
    for (int from = 0; from < STATES; from++) {
        struct fixture f;
        struct response *r = begin(&f);
        reach(r, (enum outgoing_state)from);
        assert_int_equal(outgoing_over(&r->out), from >= OUTGOING_SENT);
        if (from == OUTGOING_OPEN || from >= OUTGOING_SENT)
            assert_int_equal(outgoing_next(&r->out), OUTGOING_NOTHING);
        else
            assert_int_not_equal(outgoing_next(&r->out), OUTGOING_NOTHING);
        end(&f);
    }
}

/* What goes out. */

/* Takes what there is to send, as a session does, and writes a letter for each step: H head,
 * h head that ends, B body, T trailers, E end. */
static char *drain(struct response *r, char *steps)
{
    static const char letters[] = "?HhBTE";
    enum outgoing_step step;
    while ((step = outgoing_next(&r->out)) != OUTGOING_NOTHING) {
        *steps++ = letters[step];
        if (step == OUTGOING_HEAD || step == OUTGOING_HEAD_END)
            assert_int_equal(response_take_head(r), RC_OK);
        if (step == OUTGOING_BODY)
            bytes_drop(&r->out.body, r->out.body.len);
        if (step == OUTGOING_HEAD_END || step == OUTGOING_TRAILERS || step == OUTGOING_END)
            r->out.state = OUTGOING_SENT;
    }
    *steps = '\0';
    return steps;
}

struct decision {
    enum { GET, HEAD, NO_CONTENT, NOT_MODIFIED } kind;
    const char *body, *trailer, *length; /* what the handler gives, or NULL */
    const char *whole;                   /* the steps where it ends before the head goes */
    const char *whole_length;            /* the content-length that then goes out */
    const char *streamed;                /* the steps where the head goes first */
};

static const struct decision decisions[] = {
    {GET, NULL, NULL, NULL, "h", "0", "HE"},
    {GET, NULL, NULL, "0", "h", "0", "HE"},
    {GET, NULL, "t", NULL, "HT", NULL, "HT"},
    {GET, NULL, "t", "0", "HT", "0", "HT"},
    {GET, "body", NULL, NULL, "HBE", "4", "HBE"},
    {GET, "body", NULL, "4", "HBE", "4", "HBE"},
    {GET, "body", "t", NULL, "HBT", NULL, "HBT"},
    {GET, "body", "t", "4", "HBT", "4", "HBT"},
    {HEAD, NULL, NULL, NULL, "h", NULL, "HE"},
    {HEAD, NULL, NULL, "4", "h", "4", "HE"},
    {HEAD, NULL, "t", NULL, "h", NULL, "HE"},
    {HEAD, NULL, "t", "4", "h", "4", "HE"},
    {HEAD, "body", NULL, NULL, "h", "4", "HE"},
    {HEAD, "body", NULL, "4", "h", "4", "HE"},
    {HEAD, "body", "t", NULL, "h", NULL, "HE"},
    {HEAD, "body", "t", "4", "h", "4", "HE"},
    {NO_CONTENT, NULL, NULL, NULL, "h", NULL, "HE"},
    {NO_CONTENT, NULL, NULL, "4", "h", NULL, "HE"},
    {NO_CONTENT, NULL, "t", NULL, "h", NULL, "HE"},
    {NO_CONTENT, NULL, "t", "4", "h", NULL, "HE"},
    {NO_CONTENT, "body", NULL, NULL, "h", NULL, "HE"},
    {NO_CONTENT, "body", NULL, "4", "h", NULL, "HE"},
    {NO_CONTENT, "body", "t", NULL, "h", NULL, "HE"},
    {NO_CONTENT, "body", "t", "4", "h", NULL, "HE"},
    {NOT_MODIFIED, NULL, NULL, NULL, "h", NULL, "HE"},
    {NOT_MODIFIED, NULL, NULL, "4", "h", "4", "HE"},
    {NOT_MODIFIED, NULL, "t", NULL, "h", NULL, "HE"},
    {NOT_MODIFIED, NULL, "t", "4", "h", "4", "HE"},
    {NOT_MODIFIED, "body", NULL, NULL, "h", NULL, "HE"},
    {NOT_MODIFIED, "body", NULL, "4", "h", "4", "HE"},
    {NOT_MODIFIED, "body", "t", NULL, "h", NULL, "HE"},
    {NOT_MODIFIED, "body", "t", "4", "h", "4", "HE"},
};

static void give_head(struct response *r, const struct decision *d)
{
    response_answer(r, d->kind == HEAD ? STR("HEAD") : STR("GET"));
    if (d->kind == NO_CONTENT || d->kind == NOT_MODIFIED)
        assert_int_equal(response_set_status(r, d->kind == NO_CONTENT ? 204 : 304), RC_OK);
    if (d->length)
        assert_int_equal(
            outgoing_set_header(&r->out, STR("content-length"), str_of(d->length)), RC_OK);
}

static void give_rest(struct response *r, const struct decision *d)
{
    if (d->body)
        assert_int_equal(write_all(r, d->body), RC_OK);
    if (d->trailer)
        assert_int_equal(outgoing_append_trailer(&r->out, str_of(d->trailer), STR("1")), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
}

static void assert_sent(const struct response *r, size_t row, const char *steps,
    const char *expected, const char *length)
{
    const struct field *f = fields_find(&r->out.head, STR("content-length"));
    bool same = f && length ? str_eq(f->value, str_of(length)) : !f && !length;
    if (strcmp(steps, expected) != 0 || !same)
        fail_msg("decision %zu: %s, not %s; or content-length", row, steps, expected);
    assert_int_equal(r->out.state, OUTGOING_SENT);
}

static void Next_WholeBeforeHead_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(decisions); i++) {
        struct fixture f;
        struct response *r = begin(&f);
        char steps[16];
        give_head(r, &decisions[i]);
        give_rest(r, &decisions[i]);
        drain(r, steps);
        assert_sent(r, i, steps, decisions[i].whole, decisions[i].whole_length);
        end(&f);
    }
}

static void Next_HeadFirst_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(decisions); i++) {
        const struct decision *d = &decisions[i];
        struct fixture f;
        struct response *r = begin(&f);
        char steps[16];
        give_head(r, d);
        assert_int_equal(outgoing_start(&r->out), RC_OK);
        char *behind = drain(r, steps);
        give_rest(r, d);
        drain(r, behind);
        assert_sent(r, i, steps, d->streamed, d->kind == NO_CONTENT ? NULL : d->length);
        end(&f);
    }
}

static void Next_BodyBeforeEnd_ThenWaits(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    char steps[16];
    assert_int_equal(write_all(r, "one"), RC_OK);
    char *behind = drain(r, steps);
    assert_int_equal(write_all(r, "two"), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("t"), STR("1")), RC_OK);
    behind = drain(r, behind);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    drain(r, behind);
    assert_string_equal(steps, "HBBT");
    assert_header(r, "content-length", NULL);
    end(&f);
}

static void Next_PartlyTaken_BodyGoesOn(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(write_all(r, "body"), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("t"), STR("1")), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    assert_int_equal(response_take_head(r), RC_OK);
    bytes_drop(&r->out.body, 3);
    assert_int_equal(outgoing_next(&r->out), OUTGOING_BODY);
    bytes_drop(&r->out.body, 1);
    assert_int_equal(outgoing_next(&r->out), OUTGOING_TRAILERS);
    end(&f);
}

static void Next_AbortedWithBody_Nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(write_all(r, "body"), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("t"), STR("1")), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    response_abort(r);
    assert_int_equal(outgoing_next(&r->out), OUTGOING_NOTHING);
    assert_int_equal(r->out.body.len, 0);
    assert_int_equal(r->out.trailers.count, 0);
    end(&f);
}

/* The body. */

static char large[OUTGOING_QUEUE_HIGH + 1000];

static void Write_PastQueue_TakesWhatFits(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    size_t taken;
    assert_int_equal(outgoing_write(&r->out, large, 65000, &taken), RC_OK);
    assert_int_equal(taken, 65000);
    assert_int_equal(outgoing_write(&r->out, large, sizeof large, &taken), RC_OK);
    assert_int_equal(taken, OUTGOING_QUEUE_HIGH - 65000);
    assert_int_equal(outgoing_write(&r->out, large, 1, &taken), RC_OK);
    assert_int_equal(taken, 0);
    assert_int_equal(r->out.body.len, OUTGOING_QUEUE_HIGH);
    bytes_drop(&r->out.body, 10);
    assert_int_equal(outgoing_write(&r->out, large, sizeof large, &taken), RC_OK);
    assert_int_equal(taken, 10);
    assert_int_equal(r->out.written, OUTGOING_QUEUE_HIGH + 10);
    end(&f);
}

static void Write_WithoutContent_TakenAndDropped(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    size_t taken;
    response_answer(r, STR("HEAD"));
    assert_int_equal(outgoing_write(&r->out, large, sizeof large, &taken), RC_OK);
    assert_int_equal(taken, sizeof large);
    assert_int_equal(r->out.body.len, 0);
    end(&f);
}

static void Write_MemoryRunsOut_NothingTaken(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    mem_fail_at(1, 0);
    assert_int_equal(write_all(r, "body"), RC_NOMEM);
    assert_int_equal(r->out.written, 0);
    assert_int_equal(r->out.body.len, 0);
    assert_int_equal(write_all(r, "body"), RC_OK);
    end(&f);
}

static void Length_TooMuch_Refused(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_set_header(&r->out, STR("Content-Length"), STR("5")), RC_OK);
    assert_int_equal(write_all(r, "123456"), RC_LIMIT);
    assert_int_equal(write_all(r, "123"), RC_OK);
    assert_int_equal(write_all(r, "456"), RC_LIMIT);
    assert_int_equal(r->out.body.len, 3);
    assert_int_equal(write_all(r, "45"), RC_OK);
    assert_int_equal(write_all(r, ""), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    end(&f);
}

static void Length_TooLittle_NotFinished(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_set_header(&r->out, STR("content-length"), STR("5")), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_LIMIT);
    assert_int_equal(r->out.state, OUTGOING_OPEN);
    assert_int_equal(write_all(r, "1234"), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_LIMIT);
    assert_int_equal(r->out.state, OUTGOING_STARTED);
    assert_int_equal(write_all(r, "5"), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    end(&f);
}

static void Length_NoNumber_Invalid(void **state)
{
    (void)state;
    static const char *const values[] = {
        "", "-1", "+1", "1 2", "1,1", "0x1", "1.0", "1234567890123456789", "four"};
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_set_header(&r->out, STR("content-length"), STR("7")), RC_OK);
    for (size_t i = 0; i < count_of(values); i++) {
        struct str value = str_of(values[i]);
        assert_int_equal(outgoing_set_header(&r->out, STR("content-length"), value), RC_INVALID);
        assert_int_equal(outgoing_add_header(&r->out, STR("Content-Length"), value), RC_INVALID);
    }
    assert_header(r, "content-length", "7");
    assert_int_equal(r->out.length, 7);
    end(&f);
}

static void Length_Added_ReplacesTheOther(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_set_header(&r->out, STR("content-length"), STR("5")), RC_OK);
    assert_int_equal(outgoing_add_header(&r->out, STR("content-length"), STR(" 3 ")), RC_OK);
    assert_int_equal(r->out.head.count, 1);
    assert_header(r, "content-length", "3");
    assert_int_equal(write_all(r, "1234"), RC_LIMIT);
    end(&f);
}

static void Length_Removed_NoLongerChecked(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    char steps[16];
    assert_int_equal(outgoing_set_header(&r->out, STR("content-length"), STR("5")), RC_OK);
    assert_int_equal(outgoing_remove_header(&r->out, STR("Content-Length")), RC_OK);
    assert_int_equal(write_all(r, "123"), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    drain(r, steps);
    assert_header(r, "content-length", "3");
    end(&f);
}

/* An operation that ran out of memory must not leave a length that no field states. */
static void Length_MemoryRunsOut_LengthAndFieldAgree(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 4; i++) {
        struct fixture f;
        begin(&f);
        arena_init(&f.arena, NULL, 0, 1 << 20);
        mem_fail_at(i, 0);
        enum rc rc = outgoing_set_header(&f.r.out, STR("content-length"), STR("5"));
        mem_fail_at(0, 0);
        assert_int_equal(f.r.out.length_set, rc == RC_OK);
        assert_header(&f.r, "content-length", rc ? NULL : "5");
        end(&f);
    }
}

/* The head. */

static void Status_Range_Final(void **state)
{
    (void)state;
    static const int refused[] = {-1, 0, 100, 103, 199, 600, 1000};
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(r->status, 200);
    for (size_t i = 0; i < count_of(refused); i++)
        assert_int_equal(response_set_status(r, refused[i]), RC_INVALID);
    assert_int_equal(r->status, 200);
    assert_int_equal(response_set_status(r, 599), RC_OK);
    assert_int_equal(response_set_status(r, 200), RC_OK);
    end(&f);
}

static void Header_Set_LowerTrimmedReplaced(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_add_header(&r->out, STR("X-A"), STR("1")), RC_OK);
    assert_int_equal(outgoing_add_header(&r->out, STR("x-a"), STR("2")), RC_OK);
    assert_int_equal(r->out.head.count, 2);
    assert_int_equal(outgoing_set_header(&r->out, STR("X-a"), STR(" \tthree ")), RC_OK);
    assert_int_equal(r->out.head.count, 1);
    assert_str(r->out.head.list[0].name, "x-a");
    assert_header(r, "x-a", "three");
    assert_int_equal(outgoing_set_header(&r->out, STR("x-a"), (struct str){NULL, 0}), RC_OK);
    assert_header(r, "x-a", "");
    assert_int_equal(outgoing_remove_header(&r->out, STR("X-A")), RC_OK);
    assert_int_equal(r->out.head.count, 0);
    end(&f);
}

static void Header_Set_Copied(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    char name[] = "x-a", value[] = "one";
    assert_int_equal(outgoing_set_header(&r->out, str_of(name), str_of(value)), RC_OK);
    memset(name, '?', 3);
    memset(value, '?', 3);
    assert_header(r, "x-a", "one");
    end(&f);
}

static void Header_BreaksRules_Invalid(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } cases[] = {{"", "1"}, {":status", "200"}, {"a b", "1"}, {"connection", "close"},
        {"Transfer-Encoding", "chunked"}, {"x", "a\r\nb: c"}, {"x", "\n"}};
    struct fixture f;
    struct response *r = begin(&f);
    for (size_t i = 0; i < count_of(cases); i++) {
        struct str name = str_of(cases[i].name), value = str_of(cases[i].value);
        assert_int_equal(outgoing_set_header(&r->out, name, value), RC_INVALID);
        assert_int_equal(outgoing_add_header(&r->out, name, value), RC_INVALID);
        assert_int_equal(outgoing_append_trailer(&r->out, name, value), RC_INVALID);
    }
    assert_int_equal(outgoing_set_header(&r->out, STR("x"), (struct str){"a\0b", 3}), RC_INVALID);
    assert_int_equal(r->out.head.count + r->out.trailers.count, 0);
    end(&f);
}

static void TakeHead_Date_AddedUnlessSet(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_start(&r->out), RC_OK);
    assert_int_equal(response_take_head(r), RC_OK);
    assert_int_equal(fields_find(&r->out.head, STR("date"))->value.n, CLOCK_DATE_LEN);
    end(&f);
    r = begin(&f);
    assert_int_equal(outgoing_set_header(&r->out, STR("Date"), STR("mine")), RC_OK);
    assert_int_equal(outgoing_start(&r->out), RC_OK);
    assert_int_equal(response_take_head(r), RC_OK);
    assert_header(r, "date", "mine");
    assert_int_equal(r->out.head.count, 1);
    end(&f);
}

static void TakeHead_MemoryRunsOut_NotTaken(void **state)
{
    (void)state;
    for (uint64_t i = 1, failed = 1; failed; i++) {
        struct fixture f;
        struct response *r = begin(&f);
        arena_init(&f.arena, NULL, 0, 1 << 20);
        assert_int_equal(outgoing_finish(&r->out), RC_OK);
        mem_fail_at(i, 0);
        failed = response_take_head(r) == RC_NOMEM;
        mem_fail_at(0, 0);
        assert_int_equal(r->out.head_taken, !failed);
        end(&f);
    }
}

/* Trailers. */

static void Trailer_Appended_InOrderAndRepeated(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("B"), STR(" 1 ")), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("a"), STR("2")), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("b"), STR("3")), RC_OK);
    assert_int_equal(r->out.trailers.count, 3);
    assert_str(r->out.trailers.list[0].name, "b");
    assert_str(r->out.trailers.list[0].value, "1");
    assert_str(r->out.trailers.list[1].name, "a");
    assert_str(r->out.trailers.list[2].value, "3");
    end(&f);
}

static void Trailer_Declared_OnceInTheField(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("Grpc-Status")), RC_OK);
    assert_header(r, "trailer", "grpc-status");
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("x-sum")), RC_OK);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("GRPC-STATUS")), RC_OK);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("X-Sum")), RC_OK);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("x")), RC_OK);
    assert_header(r, "trailer", "grpc-status, x-sum, x");
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("content-length")), RC_INVALID);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("")), RC_INVALID);
    assert_header(r, "trailer", "grpc-status, x-sum, x");
    end(&f);
}

static void Trailer_DeclaredBesideHeader_Joined(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(outgoing_set_header(&r->out, STR("Trailer"), STR("A ,b")), RC_OK);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("a")), RC_OK);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("b")), RC_OK);
    assert_int_equal(outgoing_declare_trailer(&r->out, STR("c")), RC_OK);
    assert_header(r, "trailer", "A ,b, c");
    end(&f);
}

/* Starting over. */

static void Restart_HeadNotTaken_EmptyAgain(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    char steps[16];
    response_answer(r, STR("HEAD"));
    assert_int_equal(response_set_status(r, 404), RC_OK);
    assert_int_equal(outgoing_set_header(&r->out, STR("content-length"), STR("4")), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("t"), STR("1")), RC_OK);
    assert_int_equal(write_all(r, "body"), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    assert_int_equal(response_restart(r), RC_OK);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->out.head.count + r->out.trailers.count + r->out.body.len, 0);
    assert_true(r->answers_head);
    assert_int_equal(write_all(r, "longer than it was"), RC_OK);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    drain(r, steps);
    assert_string_equal(steps, "h");
    assert_header(r, "content-length", "18");
    end(&f);
}

static void Restart_HeadTaken_Refused(void **state)
{
    (void)state;
    struct fixture f;
    struct response *r = begin(&f);
    assert_int_equal(write_all(r, "body"), RC_OK);
    assert_int_equal(response_take_head(r), RC_OK);
    assert_int_equal(response_restart(r), RC_STATE);
    assert_int_equal(r->out.body.len, 4);
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    assert_int_equal(response_restart(r), RC_STATE);
    assert_int_equal(r->out.state, OUTGOING_FINISHED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Operations_EachState_AsTheTable),
        checked(Refused_EachState_NothingChanges),
        checked(Over_EachState_SentAndAborted),
        checked(Next_WholeBeforeHead_AsTheTable),
        checked(Next_HeadFirst_AsTheTable),
        checked(Next_BodyBeforeEnd_ThenWaits),
        checked(Next_PartlyTaken_BodyGoesOn),
        checked(Next_AbortedWithBody_Nothing),
        checked(Write_PastQueue_TakesWhatFits),
        checked(Write_WithoutContent_TakenAndDropped),
        checked(Write_MemoryRunsOut_NothingTaken),
        checked(Length_TooMuch_Refused),
        checked(Length_TooLittle_NotFinished),
        checked(Length_NoNumber_Invalid),
        checked(Length_Added_ReplacesTheOther),
        checked(Length_Removed_NoLongerChecked),
        checked(Length_MemoryRunsOut_LengthAndFieldAgree),
        checked(Status_Range_Final),
        checked(Header_Set_LowerTrimmedReplaced),
        checked(Header_Set_Copied),
        checked(Header_BreaksRules_Invalid),
        checked(TakeHead_Date_AddedUnlessSet),
        checked(TakeHead_MemoryRunsOut_NotTaken),
        checked(Trailer_Appended_InOrderAndRepeated),
        checked(Trailer_Declared_OnceInTheField),
        checked(Trailer_DeclaredBesideHeader_Joined),
        checked(Restart_HeadNotTaken_EmptyAgain),
        checked(Restart_HeadTaken_Refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
