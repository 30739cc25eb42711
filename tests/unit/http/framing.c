/* How a response of HTTP/1.x is framed, and where it supports trailers. */
#include "http/response.h"

#include "tests/unit/check.h"

struct row {
    enum framing able; /* what the session does for an unknown length */
    bool accepted;     /* TE: trailers */
    bool head;         /* answers HEAD */
    int status;
    const char *length;      /* content-length that the handler sets, or NULL */
    bool flushed;            /* the head goes before the end is known */
    bool trailer;            /* a trailer is declared, and appended where that is supported */
    enum framing framing;    /* expected */
    const char *sent_length; /* content-length that goes out, or NULL */
    bool sent_trailers;      /* trailers go out */
};

static const struct row rows[] = {
    {FRAMING_CHUNKS, false, false, 200, NULL, false, false, FRAMING_LENGTH, "5", false},
    {FRAMING_CHUNKS, false, false, 200, NULL, true, false, FRAMING_CHUNKS, NULL, false},
    {FRAMING_CHUNKS, false, false, 200, "5", true, false, FRAMING_LENGTH, "5", false},
    {FRAMING_CHUNKS, false, false, 200, NULL, false, true, FRAMING_LENGTH, "5", false},
    {FRAMING_CHUNKS, true, false, 200, NULL, false, false, FRAMING_LENGTH, "5", false},
    {FRAMING_CHUNKS, true, false, 200, NULL, false, true, FRAMING_CHUNKS, NULL, true},
    {FRAMING_CHUNKS, true, false, 200, NULL, true, true, FRAMING_CHUNKS, NULL, true},
    {FRAMING_CHUNKS, true, false, 200, "5", false, true, FRAMING_LENGTH, "5", false},
    {FRAMING_CHUNKS, true, true, 200, NULL, false, true, FRAMING_LENGTH, NULL, false},
    {FRAMING_CHUNKS, false, true, 200, NULL, false, false, FRAMING_LENGTH, "5", false},
    {FRAMING_CHUNKS, false, true, 200, NULL, true, false, FRAMING_LENGTH, NULL, false},
    {FRAMING_CHUNKS, true, false, 204, NULL, true, true, FRAMING_LENGTH, NULL, false},
    {FRAMING_CHUNKS, true, false, 304, NULL, false, true, FRAMING_LENGTH, NULL, false},
    {FRAMING_CLOSE, false, false, 200, NULL, false, false, FRAMING_LENGTH, "5", false},
    {FRAMING_CLOSE, true, false, 200, NULL, true, true, FRAMING_CLOSE, NULL, false},
    {FRAMING_CLOSE, false, false, 200, "5", true, false, FRAMING_LENGTH, "5", false},
    {FRAMING_OWN, false, false, 200, NULL, true, true, FRAMING_OWN, NULL, true},
    {FRAMING_OWN, false, false, 200, NULL, false, false, FRAMING_OWN, "5", false},
};

static void answer(struct response *r, const struct row *row)
{
    size_t taken;
    if (row->trailer)
        assert_int_equal(outgoing_declare_trailer(&r->out, STR("sum")), RC_OK);
    if (row->flushed) {
        assert_int_equal(outgoing_start(&r->out), RC_OK);
        assert_int_equal(response_take_head(r), RC_OK);
    }
    assert_int_equal(outgoing_write(&r->out, "Hello", 5, &taken), RC_OK);
    if (row->trailer) {
        enum rc rc = outgoing_supports_trailers(&r->out) ? RC_OK : RC_STATE;
        assert_int_equal(outgoing_append_trailer(&r->out, STR("sum"), STR("1")), rc);
    }
    assert_int_equal(outgoing_finish(&r->out), RC_OK);
    if (!row->flushed)
        assert_int_equal(response_take_head(r), RC_OK);
}

static bool is_as_expected(const struct response *r, const struct row *row)
{
    const struct field *length = fields_find(&r->out.head, STR("content-length"));
    bool same = length && row->sent_length ? str_eq(length->value, str_of(row->sent_length))
                                           : !length && !row->sent_length;
    return same && r->out.framing == row->framing;
}

/* The steps behind the head. */
static bool sends_trailers(struct response *r)
{
    if (outgoing_next(&r->out) == OUTGOING_BODY)
        bytes_drop(&r->out.body, r->out.body.len);
    return outgoing_next(&r->out) == OUTGOING_TRAILERS;
}

static void Framing_EachCase_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(rows); i++) {
        struct arena arena;
        struct response r;
        arena_init(&arena, NULL, 0, 1 << 16);
        response_init(&r, &arena);
        r.out.framing = rows[i].able;
        r.out.trailers_accepted = rows[i].accepted;
        response_answer(&r, rows[i].head ? STR("HEAD") : STR("GET"));
        assert_int_equal(response_set_status(&r, rows[i].status), RC_OK);
        if (rows[i].length)
            assert_int_equal(
                outgoing_set_header(&r.out, STR("content-length"), str_of(rows[i].length)), RC_OK);
        answer(&r, &rows[i]);
        if (!is_as_expected(&r, &rows[i]) || sends_trailers(&r) != rows[i].sent_trailers)
            fail_msg("row %zu", i);
        response_fini(&r);
        arena_fini(&arena);
    }
}

static void Restart_Kept_WhatTheSessionSet(void **state)
{
    (void)state;
    struct arena arena;
    struct response r;
    arena_init(&arena, NULL, 0, 1 << 16);
    response_init(&r, &arena);
    r.out.framing = FRAMING_CHUNKS;
    r.out.trailers_accepted = true;
    assert_int_equal(response_restart(&r), RC_OK);
    assert_int_equal(r.out.framing, FRAMING_CHUNKS);
    assert_true(outgoing_supports_trailers(&r.out));
    response_fini(&r);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Framing_EachCase_AsTheTable),
        checked(Restart_Kept_WhatTheSessionSet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
