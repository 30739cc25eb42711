#include "lua/config.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/config.XXXXXX";

/* What was taken: "name=value " for each setting, in any order. */
static struct {
    char said[4096];
    const char *refuses; /* a name; NULL for none */
} taken;

static void describe(const struct setting *s, char *out, size_t size)
{
    size_t n = 0;
    switch (s->kind) {
    case SETTING_TEXT:
        snprintf(out, size, "'%s'", s->text);
        break;
    case SETTING_TEXTS:
        out[0] = '\0';
        for (size_t i = 0; i < s->count; i++)
            n += (size_t)snprintf(out + n, size - n, "[%s]", s->texts[i]);
        break;
    case SETTING_NUMBER:
        snprintf(out, size, "%.17g", s->number);
        break;
    case SETTING_SWITCH:
        snprintf(out, size, "%s", s->on ? "on" : "off");
        break;
    case SETTING_OTHER:
        snprintf(out, size, "%s", s->type);
        break;
    }
}

static enum rc take(void *data, const struct setting *s, char why[SETTING_WHY])
{
    assert_ptr_equal(data, &taken);
    if (taken.refuses && strcmp(s->name, taken.refuses) == 0) {
        snprintf(why, SETTING_WHY, "%s is not welcome", s->name);
        return RC_INVALID;
    }
    char value[1024];
    describe(s, value, sizeof value);
    size_t n = strlen(taken.said);
    snprintf(taken.said + n, sizeof taken.said - n, "%s=%s ", s->name, value);
    return RC_OK;
}

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static enum rc read_text(const char *text, char why[SETTING_WHY])
{
    write_file(text, strlen(text));
    taken.said[0] = '\0';
    return config_read(path, take, &taken, why);
}

static void check_takes(const char *text, const char *said)
{
    char why[SETTING_WHY] = "";
    enum rc rc = read_text(text, why);
    assert_string_equal(why, "");
    assert_int_equal(rc, RC_OK);
    assert_string_equal(taken.said, said);
}

/* In the problem "@" stands for the file's path. */
static void check_fails(const char *text, const char *problem)
{
    char why[SETTING_WHY], expected[SETTING_WHY];
    assert_int_equal(read_text(text, why), RC_INVALID);
    snprintf(expected, sizeof expected, "%s%s", path, problem + 1);
    assert_string_equal(why, expected);
}

static void Read_EachType_IsTold(void **state)
{
    (void)state;
    check_takes("return {}", "");
    check_takes("return { a = 'x' }", "a='x' ");
    check_takes("return { a = '' }", "a='' ");
    check_takes("return { a = 3 }", "a=3 ");
    check_takes("return { a = 0.5 }", "a=0.5 ");
    check_takes("return { a = 2^20 }", "a=1048576 ");
    check_takes("return { a = math.mininteger }", "a=-9.2233720368547758e+18 ");
    check_takes("return { a = true }", "a=on ");
    check_takes("return { a = false }", "a=off ");
    check_takes("return { a = { 'x', 'y' } }", "a=[x][y] ");
    check_takes("return { a = {} }", "a= ");
    check_takes("return { a = print }", "a=function ");
    check_takes("return { a = coroutine.create(print) }", "a=thread ");
}

static void Read_BothSpellings_GiveHyphens(void **state)
{
    (void)state;
    check_takes("return { max_header_bytes = 1 }", "max-header-bytes=1 ");
    check_takes("return { ['max-header-bytes'] = 1 }", "max-header-bytes=1 ");
    check_takes("return { ['max-header_bytes'] = 1 }", "max-header_bytes=1 ");
    check_fails("return { max_streams = 1, ['max-streams'] = 2 }",
        "@: max-streams is given twice, with hyphens and with underscores");
}

static void Read_IsLua(void **state)
{
    (void)state;
    check_takes("local n = 1 << 4\nreturn { a = n, b = nil }", "a=16 ");
    check_takes("return { a = type(os.getenv('PATH')) }", "a='string' ");
    check_takes("#!/usr/bin/lua\nreturn { a = 1 }", "a=1 ");
    check_takes("return setmetatable({ a = 1 }, { __index = error, __pairs = error })", "a=1 ");
    check_takes("local t = {} for i = 1, 9 do t[i] = ('x'):rep(i) end return { a = t }",
        "a=[x][xx][xxx][xxxx][xxxxx][xxxxxx][xxxxxxx][xxxxxxxx][xxxxxxxxx] ");
}

static void Read_WrongTables_AreNamed(void **state)
{
    (void)state;
    check_fails("local a = 1", "@: returns a nil, not a table of options");
    check_fails("return 1", "@: returns a number, not a table of options");
    check_fails("return { 'x' }", "@: the keys are names of options, not a number");
    check_fails("return { [true] = 'x' }", "@: the keys are names of options, not a boolean");
    check_fails("return { a = 'x\\0y' }", "@: a holds a NUL byte");
    check_fails("return { a = { 'x\\0y' } }", "@: a holds a NUL byte");
    check_fails("return { ['a\\0b'] = 1 }", "@: the name of an option holds a NUL byte");
    check_fails("return { a = { 'x', 1 } }", "@: a is a list of texts, and holds a number");
    check_fails("return { a = { 'x', { 'y' } } }", "@: a is a list of texts, and holds a table");
    check_fails("return { a = { x = 'y' } }",
        "@: a is a text, or a list of texts without gaps and other keys");
    check_fails("return { a = { 'x', nil, 'y' } }",
        "@: a is a text, or a list of texts without gaps and other keys");
}

static void Read_BrokenChunks_NameFileAndLine(void **state)
{
    (void)state;
    check_fails("return {\n\n", "@:3: unexpected symbol near <eof>");
    check_fails("\nerror('no luck')", "@:2: no luck");
    check_fails("error('two\\nlines')", "@:1: two lines");
    check_fails("error({})", "@: raises an error that is no string");
    check_fails("return missing.name", "@:1: attempt to index a nil value (global 'missing')");
    check_fails("\n\nos.exit(3)", "@:3: os.exit would end the server");
}

static void Read_Bytecode_Refused(void **state)
{
    (void)state;
    static const char bytes[] = "\x1bLuaT\0\x19\x93\r\n";
    char why[SETTING_WHY];
    write_file(bytes, sizeof bytes);
    assert_int_equal(config_read(path, take, &taken, why), RC_INVALID);
    assert_non_null(strstr(why, "attempt to load a binary chunk"));
}

static void Read_MissingFile_Named(void **state)
{
    (void)state;
    char why[SETTING_WHY];
    assert_int_equal(config_read("/nowhere/at/all.lua", take, &taken, why), RC_INVALID);
    assert_string_equal(why, "cannot open /nowhere/at/all.lua: No such file or directory");
    assert_int_equal(config_read("/tmp", take, &taken, why), RC_INVALID);
    assert_non_null(strstr(why, "/tmp"));
}

static void Read_TakerRefuses_ItsReasonIsGiven(void **state)
{
    (void)state;
    taken.refuses = "b";
    check_fails("return { b = 1 }", "@: b is not welcome");
    check_fails("return { ['b'] = { 'x' } }", "@: b is not welcome");
    taken.refuses = NULL;
}

/* A loop that catches its own errors ends as well. */
static void Read_EndlessLoop_IsEnded(void **state)
{
    (void)state;
    check_fails("local function spin() while true do end end\n"
                "while true do pcall(spin) end",
        "@:2: runs for more than 5 seconds");
}

static void Read_TooMuchMemory_Fails(void **state)
{
    (void)state;
    check_fails("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000000) .. i end",
        "@: not enough memory");
    check_fails("return { a = ('x'):rep(1 << 30) }", "@: not enough memory");
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Read_EachType_IsTold),
        checked(Read_BothSpellings_GiveHyphens),
        checked(Read_IsLua),
        checked(Read_WrongTables_AreNamed),
        checked(Read_BrokenChunks_NameFileAndLine),
        checked(Read_Bytecode_Refused),
        checked(Read_MissingFile_Named),
        checked(Read_TakerRefuses_ItsReasonIsGiven),
        checked(Read_EndlessLoop_IsEnded),
        checked(Read_TooMuchMemory_Fails),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
