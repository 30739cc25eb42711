#include "core/log.h"

#include "tests/unit/check.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { TIME_LEN = 24, ROOM = 1 << 17 };

static char captured[ROOM];
static int saved_stderr, pipe_end;

/* From here to end_capture, stderr goes into a pipe that holds more than the longest line. */
static void begin_capture(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[0], F_SETPIPE_SZ, ROOM) >= ROOM);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_end = ends[0];
}

static const char *end_capture(void)
{
    size_t len = 0;
    ssize_t n;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    while ((n = read(pipe_end, captured + len, ROOM - 1 - len)) > 0)
        len += (size_t)n;
    close(pipe_end);
    captured[len] = '\0';
    return captured;
}

/* The line that an event with these fields makes. */
static const char *line_of(
    enum log_format format, const char *event, const struct log_field *fields, size_t n)
{
    log_configure(LOG_DEBUG, format);
    begin_capture();
    log_write(LOG_INFO, event, fields, n);
    log_configure(LOG_INFO, LOG_TEXT);
    return end_capture();
}

/* What a text line says of a field with the key k. */
static const char *text_of(struct log_field field)
{
    const char *line = line_of(LOG_TEXT, "e", &field, 1);
    assert_memory_equal(line + TIME_LEN, " info e k=", 10);
    return line + TIME_LEN + 10;
}

/* What a JSON line says of it. */
static const char *json_of(struct log_field field)
{
    static const char before[] = "\",\"level\":\"info\",\"event\":\"e\",\"k\":";
    const char *line = line_of(LOG_JSON, "e", &field, 1);
    assert_memory_equal(line, "{\"time\":\"", 9);
    line += 9 + TIME_LEN;
    assert_memory_equal(line, before, sizeof before - 1);
    return line + sizeof before - 1;
}

static void assert_time(const char *t)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < TIME_LEN; i++) {
        if (form[i] == 'd')
            assert_in_range(t[i], '0', '9');
        else
            assert_int_equal(t[i], form[i]);
    }
}

static void Text_NoFields_TimeLevelEvent(void **state)
{
    (void)state;
    const char *line = line_of(LOG_TEXT, "stream reset", NULL, 0);
    assert_time(line);
    assert_string_equal(line + TIME_LEN, " info stream reset\n");
}

static void Text_Fields_KeyAndValue(void **state)
{
    (void)state;
    const struct log_field fields[] = {log_int("conn", 7), log_str("code", "CANCEL"),
        log_num("took", 0.25), log_bool("tls", true), log_str("none", NULL)};
    const char *line = line_of(LOG_TEXT, "stream reset", fields, count_of(fields));
    assert_string_equal(
        line + TIME_LEN, " info stream reset conn=7 code=CANCEL took=0.25 tls=true none=\"\"\n");
}

static void Json_Fields_KeyAndValue(void **state)
{
    (void)state;
    const struct log_field fields[] = {log_int("conn", 7), log_str("code", "CANCEL"),
        log_num("took", 0.25), log_bool("tls", false), log_str("none", NULL)};
    const char *line = line_of(LOG_JSON, "stream reset", fields, count_of(fields));
    assert_time(line + 9);
    assert_string_equal(line + 9 + TIME_LEN,
        "\",\"level\":\"info\",\"event\":\"stream reset\",\"conn\":7,\"code\":\"CANCEL\","
        "\"took\":0.25,\"tls\":false,\"none\":\"\"}\n");
}

static void Values_Strings_QuotedWhereNeeded(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text, *json;
    } cases[] = {
        {"plain/1.0;x", "plain/1.0;x", "\"plain/1.0;x\""},
        {"two words", "\"two words\"", "\"two words\""},
        {"a=b", "\"a=b\"", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "\"back\\\\slash\"", "\"back\\\\slash\""},
        {"a\nb\rc\td", "\"a\\nb\\rc\\td\"", "\"a\\nb\\rc\\td\""},
        {"\x1b[31m\x7f", "\"\\u001b[31m\\u007f\"", "\"\\u001b[31m\\u007f\""},
        {"na\xc3\xafve \xf0\x9f\x8c\x99", "\"na\xc3\xafve \xf0\x9f\x8c\x99\"",
            "\"na\xc3\xafve \xf0\x9f\x8c\x99\""},
    };
    char expected[100];
    for (size_t i = 0; i < count_of(cases); i++) {
        snprintf(expected, sizeof expected, "%s\n", cases[i].text);
        assert_string_equal(text_of(log_str("k", cases[i].value)), expected);
        snprintf(expected, sizeof expected, "%s}\n", cases[i].json);
        assert_string_equal(json_of(log_str("k", cases[i].value)), expected);
    }
}

static void Values_Nul_Escaped(void **state)
{
    (void)state;
    assert_string_equal(text_of(log_bytes("k", "a\0b", 3)), "\"a\\u0000b\"\n");
    assert_string_equal(json_of(log_bytes("k", "a\0b", 3)), "\"a\\u0000b\"}\n");
}

static void Values_NotUtf8_EachByteEscaped(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\xff",
        "\xc3",
        "\xc0\x80",
        "\x80",
        "\xed\xa0\x80",
        "\xe0\x80\x80",
        "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xe2\x82",
    };
    for (size_t i = 0; i < count_of(cases); i++) {
        char expected[100] = "\"";
        for (const char *c = cases[i]; *c; c++)
            snprintf(expected + strlen(expected), 20, "\\u%04x", (unsigned char)*c);
        strcat(expected, "\"}\n");
        assert_string_equal(json_of(log_str("k", cases[i])), expected);
    }
}

static void Values_Numbers_ReadBack(void **state)
{
    (void)state;
    assert_string_equal(json_of(log_int("k", INT64_MIN)), "-9223372036854775808}\n");
    assert_string_equal(json_of(log_int("k", INT64_MAX)), "9223372036854775807}\n");
    assert_string_equal(json_of(log_num("k", -1.5)), "-1.5}\n");
    assert_string_equal(json_of(log_num("k", 1e300)), "1e+300}\n");
    assert_string_equal(json_of(log_num("k", NAN)), "null}\n");
    assert_string_equal(json_of(log_num("k", INFINITY)), "null}\n");
}

static void Event_ControlCharacters_StayOnOneLine(void **state)
{
    (void)state;
    const struct log_field field = log_int("key\nforged", 1);
    const char *line = line_of(LOG_TEXT, "one\ntwo\x1b", &field, 1);
    assert_string_equal(line + TIME_LEN, " info one\\ntwo\\u001b key\\nforged=1\n");
    line = line_of(LOG_JSON, "one\ntwo\"", &field, 1);
    assert_string_equal(line + 9 + TIME_LEN,
        "\",\"level\":\"info\",\"event\":\"one\\ntwo\\\"\",\"key\\nforged\":1}\n");
}

static void Line_TooLong_CutAndSaysSo(void **state)
{
    (void)state;
    static char value[ROOM];
    memset(value, 'x', sizeof value - 1);
    const struct log_field fields[] = {log_str("k", value), log_int("behind", 1)};
    const char *line = line_of(LOG_TEXT, "e", fields, 2);
    size_t len = strlen(line);
    assert_in_range(len, 65000, 65536);
    assert_string_equal(line + len - 5, "x...\n");
}

/* Cut as it is, it must read as JSON: the last string is closed and so is the object. */
static void assert_cut_json(const char *line)
{
    size_t len = strlen(line);
    assert_in_range(len, 65000, 65536);
    assert_string_equal(line + len - 13, ",\"cut\":true}\n");
    char before = line[len - 14];
    assert_true(before == '"' || (before >= '0' && before <= '9'));
}

static void Json_TooLong_StillJson(void **state)
{
    (void)state;
    static char value[ROOM];
    for (size_t n = 65300; n < 65536; n++) {
        memset(value, 'x', n);
        const struct log_field fields[] = {
            log_bytes("k", value, n), log_int("behind", 123456), log_str("last", "0123456789012")};
        const char *line = line_of(LOG_JSON, "e", fields, 3);
        static const char end[] = ",\"behind\":123456,\"last\":\"0123456789012\"}\n";
        if (strstr(line, "\"cut\""))
            assert_cut_json(line);
        else
            assert_string_equal(line + strlen(line) - sizeof end + 1, end);
    }
}

static void Json_EscapesCut_StillJson(void **state)
{
    (void)state;
    static char value[ROOM];
    for (size_t shift = 0; shift < 7; shift++) {
        memset(value, '\x01', sizeof value);
        memset(value, 'x', shift);
        const char *line =
            line_of(LOG_JSON, "e", (struct log_field[]){log_bytes("k", value, sizeof value)}, 1);
        assert_cut_json(line);
        size_t len = strlen(line);
        assert_memory_equal(line + len - 20, "\\u0001\"", 7);
    }
    memset(value, 'e', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_cut_json(line_of(LOG_JSON, value, NULL, 0));
}

static int evaluated;

static int64_t count_evaluation(void)
{
    return ++evaluated;
}

static void Levels_BelowThreshold_NotEvaluated(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    for (size_t threshold = 0; threshold < count_of(levels); threshold++) {
        for (size_t level = 0; level < count_of(levels); level++) {
            log_configure(levels[threshold], LOG_TEXT);
            evaluated = 0;
            begin_capture();
            log_event(levels[level], "e", log_int("n", count_evaluation()));
            bool written = *end_capture() != '\0';
            assert_int_equal(written, level >= threshold);
            assert_int_equal(evaluated, written);
            assert_int_equal(log_enabled(levels[level]), written);
        }
    }
    log_configure(LOG_INFO, LOG_TEXT);
}

static void Levels_Each_HasItsName(void **state)
{
    (void)state;
    static const char *const names[] = {" debug e\n", " info e\n", " warn e\n", " error e\n"};
    for (size_t level = 0; level < count_of(names); level++) {
        begin_capture();
        log_write((enum log_level)level, "e", NULL, 0);
        assert_string_equal(end_capture() + TIME_LEN, names[level]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Text_NoFields_TimeLevelEvent),
        checked(Text_Fields_KeyAndValue),
        checked(Json_Fields_KeyAndValue),
        checked(Values_Strings_QuotedWhereNeeded),
        checked(Values_Nul_Escaped),
        checked(Values_NotUtf8_EachByteEscaped),
        checked(Values_Numbers_ReadBack),
        checked(Event_ControlCharacters_StayOnOneLine),
        checked(Line_TooLong_CutAndSaysSo),
        checked(Json_TooLong_StillJson),
        checked(Json_EscapesCut_StillJson),
        checked(Levels_BelowThreshold_NotEvaluated),
        checked(Levels_Each_HasItsName),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
