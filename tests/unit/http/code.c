#include "http/code.h"

#include "tests/unit/check.h"

/* RFC 9113 section 7 */
static const char *const names[] = {"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
    "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED"};

static void Name_Registered_ItsName(void **state)
{
    (void)state;
    char out[CODE_NAME_SIZE];
    for (uint32_t code = 0; code < count_of(names); code++)
        assert_string_equal(code_name(code, out), names[code]);
    assert_string_equal(code_name(ERROR_CANCEL, out), "CANCEL");
}

static void Name_Unregistered_Hexadecimal(void **state)
{
    (void)state;
    char out[CODE_NAME_SIZE];
    assert_string_equal(code_name(0xe, out), "0xe");
    assert_string_equal(code_name(0xffffffff, out), "0xffffffff");
}

static void Parse_Names_TheirCodes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < count_of(names); i++) {
        uint32_t code = 99;
        assert_true(code_parse(str_of(names[i]), &code));
        assert_int_equal(code, i);
    }
}

static void Parse_Others_Refused(void **state)
{
    (void)state;
    static const char *const others[] = {"", "cancel", "CANCE", "CANCELS", " CANCEL", "0x8", "8"};
    for (size_t i = 0; i < count_of(others); i++) {
        uint32_t code = 99;
        assert_false(code_parse(str_of(others[i]), &code));
        assert_int_equal(code, 99);
    }
}

static void Phrase_Known_NotEmpty(void **state)
{
    (void)state;
    assert_string_equal(status_phrase(200), "OK");
    assert_string_equal(status_phrase(404), "Not Found");
    assert_string_equal(status_phrase(431), "Request Header Fields Too Large");
}

static void Phrase_Unknown_Empty(void **state)
{
    (void)state;
    static const int unknown[] = {-1, 0, 99, 299, 418, 599, 600, 1000000};
    for (size_t i = 0; i < count_of(unknown); i++)
        assert_string_equal(status_phrase(unknown[i]), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Name_Registered_ItsName),
        checked(Name_Unregistered_Hexadecimal),
        checked(Parse_Names_TheirCodes),
        checked(Parse_Others_Refused),
        checked(Phrase_Known_NotEmpty),
        checked(Phrase_Unknown_Empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
