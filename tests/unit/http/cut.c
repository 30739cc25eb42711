#include "http/cut.h"

#include "tests/unit/check.h"

static void Text_OfEachCause_AsScriptsAndLogsSeeIt(void **state)
{
    (void)state;
    char out[CODE_NAME_SIZE];
    static const struct {
        struct cut cut;
        const char *text;
    } cases[] = {
        {{CUT_NOT, 0}, ""},
        {{CUT_BY_PEER, ERROR_CANCEL}, "CANCEL"},
        {{CUT_BY_PEER, 0x63}, "0x63"},
        {{CUT_BY_US, ERROR_PROTOCOL_ERROR}, "PROTOCOL_ERROR"},
        {{CUT_BY_HANDLER, 0}, "reset"},
        {{CUT_TIMEOUT, 0}, "timeout"},
        {{CUT_LOST, 0}, "connection lost"},
        {{CUT_CLOSED, 0}, "connection closed"},
        {{CUT_SHUTDOWN, 0}, "shutdown"},
        {{CUT_RELOAD, 0}, "reload"},
    };
    for (size_t i = 0; i < count_of(cases); i++)
        assert_string_equal(cut_text(cases[i].cut, out), cases[i].text);
}

static void Cut_AllZero_IsNone(void **state)
{
    (void)state;
    struct cut cut = {0};
    assert_int_equal(cut.cause, CUT_NOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Text_OfEachCause_AsScriptsAndLogsSeeIt),
        checked(Cut_AllZero_IsNone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
