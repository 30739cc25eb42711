#include "h2/frames.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

#define PREFACE        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS       "\0\0\6\4\0\0\0\0\0\0\4\0\0\377\377"
#define HEADERS        "\0\0\3\1\1\0\0\0\1abc"
#define CONTINUATION   "\0\0\2\11\4\0\0\0\1de"
#define PRIORITY       "\0\0\5\2\0\200\0\0\3\200\0\0\7\20"
#define SHORT_PRIORITY "\0\0\1\2\0\0\0\0\3x"
#define EMPTY_DATA     "\0\0\0\0\1\0\0\0\5"
#define PING           "\0\0\10\6\0\0\0\0\00012345678"

static const char all[] =
    PREFACE SETTINGS HEADERS CONTINUATION PRIORITY SHORT_PRIORITY EMPTY_DATA PING;

/* "type.flags@stream" of each frame, and what PRIORITY depends on, from pieces of a size. */
static void cut(size_t piece, char *out, size_t room)
{
    struct frames f;
    frames_init(&f, true);
    *out = 0;
    for (size_t at = 0; at < sizeof all - 1;) {
        size_t n = sizeof all - 1 - at < piece ? sizeof all - 1 - at : piece;
        bool begins;
        size_t taken = frames_cut(&f, (const uint8_t *)all + at, n, &begins);
        assert_in_range(taken, 1, n);
        at += taken;
        if (!begins)
            continue;
        size_t len = strlen(out);
        snprintf(out + len, room - len, "%u.%u@%d>%d ", f.last.type, f.last.flags, f.last.stream,
            f.last.depends_on);
    }
    assert_int_equal(f.payload, 0);
    assert_int_equal(f.seen_len, 0);
}

static void Cut_PiecesOfAnySize_SameFrames(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof all; piece++) {
        char out[256];
        cut(piece, out, sizeof out);
        assert_string_equal(out, "4.0@0>0 1.1@1>0 9.4@1>0 2.0@3>7 2.0@3>0 0.1@5>0 6.0@0>0 ");
    }
}

static void Cut_StopsAtEachHead(void **state)
{
    (void)state;
    struct frames f;
    bool begins;
    frames_init(&f, true);
    assert_int_equal(frames_cut(&f, (const uint8_t *)all, sizeof all - 1, &begins), 24 + 9);
    assert_true(begins);
    assert_int_equal(f.payload, 6);
}

static void InBlock_UntilLastByteOfLastFrame(void **state)
{
    (void)state;
    static const char bytes[] = HEADERS CONTINUATION EMPTY_DATA;
    const size_t begun = 9, ended = 9 + 3 + 9 + 2;
    struct frames f = {.payload = 0};
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        bool begins;
        assert_int_equal(frames_cut(&f, (const uint8_t *)bytes + i, 1, &begins), 1);
        assert_int_equal(frames_in_block(&f), i + 1 >= begun && i + 1 < ended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Cut_PiecesOfAnySize_SameFrames),
        checked(Cut_StopsAtEachHead),
        checked(InBlock_UntilLastByteOfLastFrame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
