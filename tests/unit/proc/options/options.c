#include "proc/options/options.h"

#include "tests/unit/check.h"

#include "proc/options/kind.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

enum { WORDS = 32 };

/* What the file says, that the options are read with. */
static struct {
    const struct setting *settings;
    size_t count;
    const char *name; /* of the file that was read last */
    int reads;
} file;

static enum rc read_settings(
    const char *name, setting_taker *take, void *data, char why[SETTING_WHY])
{
    enum rc rc = RC_OK;
    file.name = name;
    file.reads++;
    for (size_t i = 0; !rc && i < file.count; i++)
        rc = take(data, &file.settings[i], why);
    return rc;
}

/* Parses words, divided by blanks; they are kept until the next call. */
static enum rc parse(const char *line, struct options *o, char why[OPTIONS_WHY])
{
    static char text[1024];
    static char *argv[WORDS + 1];
    int argc = 0;
    snprintf(text, sizeof text, "moontrail %s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    file.reads = 0;
    return options_parse(argc, argv, read_settings, o, why);
}

static void parse_well(const char *line, struct options *o)
{
    char why[OPTIONS_WHY] = "";
    enum rc rc = parse(line, o, why);
    assert_string_equal(why, "");
    assert_int_equal(rc, RC_OK);
}

static void check_refused(const char *line, enum rc expected, const char *problem)
{
    struct options o;
    char why[OPTIONS_WHY];
    assert_int_equal(parse(line, &o, why), expected);
    assert_string_equal(why, problem);
}

#define with_file(...) \
    const struct setting settings_[] = {__VA_ARGS__}; \
    file.settings = settings_; \
    file.count = count_of(settings_)

static struct setting text(const char *name, const char *value)
{
    return (struct setting){.name = name, .kind = SETTING_TEXT, .text = value};
}

static struct setting number(const char *name, double value)
{
    return (struct setting){.name = name, .kind = SETTING_NUMBER, .number = value};
}

static struct setting on(const char *name, bool value)
{
    return (struct setting){.name = name, .kind = SETTING_SWITCH, .on = value};
}

static struct setting texts(const char *name, const char *const *values, size_t count)
{
    return (struct setting){.name = name, .kind = SETTING_TEXTS, .texts = values, .count = count};
}

/* The table. */

static void check_name(const char *name)
{
    assert_true(islower((unsigned char)name[0]));
    for (; *name; name++)
        assert_true(islower((unsigned char)*name) || *name == '-');
}

static void Table_EachEntry_IsWhole(void **state)
{
    (void)state;
    for (int i = 0; i < options_count; i++) {
        const struct definition *d = &options_table[i];
        check_name(d->name);
        assert_ptr_equal(options_find(d->name), d);
        assert_true(strlen(d->help) > 0);
        assert_int_equal(!d->argument, d->kind == OPTIONS_SWITCH);
        assert_int_equal(!!d->choices, d->kind == OPTIONS_CHOICE);
        for (int j = 0; j < i; j++) {
            assert_true(!d->letter || d->letter != options_table[j].letter);
            assert_true(d->offset != options_table[j].offset);
        }
    }
    assert_null(options_find("listener"));
}

static const char *shown(const char *name)
{
    static char out[OPTIONS_SHOWN];
    struct options o;
    options_init(&o);
    const char *value = options_kind_show(&o, options_find(name), out);
    options_fini(&o);
    return value;
}

static void Show_Defaults_AreThoseOfTheStruct(void **state)
{
    (void)state;
    assert_string_equal(shown("scripts"), "scripts");
    assert_string_equal(shown("listen"), "https://127.0.0.1:8443 and http://127.0.0.1:8080");
    assert_string_equal(shown("max-streams"), "128");
    assert_string_equal(shown("max-cpu"), "0.1");
    assert_string_equal(shown("log-level"), "info");
    assert_string_equal(shown("dev"), "");
    assert_string_equal(shown("config"), "");
    assert_string_equal(shown("cert"), "");
}

static void Nearest_Slips_FindTheOptionMeant(void **state)
{
    (void)state;
    assert_string_equal(options_nearest("max-strems")->name, "max-streams");
    assert_string_equal(options_nearest("listne")->name, "listen");
    assert_string_equal(options_nearest("keys")->name, "key");
    assert_string_equal(options_nearest("handshake-timout")->name, "handshake-timeout");
    assert_null(options_nearest("frobnicate"));
    assert_null(options_nearest(""));
    assert_null(options_nearest("x"));
    char name[200];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(options_nearest(name));
}

/* The command line. */

static void Parse_Nothing_GivesDefaults(void **state)
{
    (void)state;
    struct options o;
    parse_well("", &o);
    assert_int_equal(o.listen.count, 2);
    assert_string_equal(o.scripts, "scripts");
    assert_int_equal(o.log_level, LOG_INFO);
    assert_int_equal(o.cert_count, 0);
    assert_null(o.access_log);
    assert_false(options_is_set(&o, "listen"));
    assert_int_equal(file.reads, 0);
    options_fini(&o);
}

static void Parse_EachKind_IsSet(void **state)
{
    (void)state;
    struct options o;
    parse_well("-l http://a:1 --listen http://b:2 --max-streams 7 --grace 1.5 folder "
               "--log-format json --cert c --key k --dev",
        &o);
    assert_int_equal(o.listen.count, 2);
    assert_string_equal(o.listen.items[0], "http://a:1");
    assert_string_equal(o.listen.items[1], "http://b:2");
    assert_int_equal(o.h2.max_streams, 7);
    assert_true(o.grace == 1.5);
    assert_string_equal(o.scripts, "folder");
    assert_int_equal(o.log_format, LOG_JSON);
    assert_int_equal(o.cert_count, 1);
    assert_string_equal(o.certs[0].cert, "c");
    assert_string_equal(o.certs[0].key, "k");
    assert_true(o.dev);
    assert_int_equal(o.log_level, LOG_DEBUG);
    assert_true(options_is_set(&o, "listen") && !options_is_set(&o, "log-level"));
    options_fini(&o);
}

static void Parse_DevWithLevel_KeepsTheLevel(void **state)
{
    (void)state;
    struct options o;
    parse_well("--dev --log-level info", &o);
    assert_int_equal(o.log_level, LOG_INFO);
    options_fini(&o);
}

static void Parse_WrongFlags_AreNamed(void **state)
{
    (void)state;
    check_refused("--max-streams 0", RC_INVALID, "option --max-streams is above 0, not 0");
    check_refused("--max-resets 1.5", RC_INVALID,
        "option --max-resets is a whole number up to 2147483647, not 1.5");
    check_refused("--max-resets 2147483648", RC_INVALID,
        "option --max-resets is a whole number up to 2147483647, not 2147483648");
    check_refused("--max-resets -1", RC_INVALID,
        "option --max-resets is a whole number up to 2147483647, not \"-1\"");
    check_refused(
        "--grace inf", RC_INVALID, "option --grace is a number of seconds, 0 or more, not \"inf\"");
    check_refused("--grace 1.2.3", RC_INVALID,
        "option --grace is a number of seconds, 0 or more, not \"1.2.3\"");
    check_refused("--log-level loud", RC_INVALID,
        "option --log-level is one of debug, info, warn, error, not \"loud\"");
    check_refused("--max-strems 1", RC_INVALID,
        "option \"--max-strems\" is unknown: the nearest is --max-streams");
    check_refused(
        "--scripts x", RC_INVALID, "option \"--scripts\" is unknown: see moontrail --help");
    check_refused("-p 8080", RC_INVALID,
        "option \"-p\" is unknown: here it is --listen http://127.0.0.1:8080");
    check_refused("-p8080", RC_INVALID,
        "option \"-p\" is unknown: here it is --listen http://127.0.0.1:8080");
    check_refused("--port=8080", RC_INVALID,
        "option \"--port=8080\" is unknown: here it is --listen http://127.0.0.1:8080");
    check_refused("--reload", RC_INVALID, "option \"--reload\" is unknown: here it is --watch");
    check_refused("--cert x", RC_INVALID, "cert and key come in pairs: 1 and 0 are given");
    check_refused("a b", RC_INVALID, "one script or folder is served, not \"b\" as well");
}

static void Parse_TooManyListeners_Refused(void **state)
{
    (void)state;
    struct options o;
    static char word[] = "-lhttp://h:1";
    char *argv[OPTIONS_MANY + 3] = {word};
    char why[OPTIONS_WHY];
    for (int i = 1; i <= OPTIONS_MANY + 1; i++)
        argv[i] = word;
    assert_int_equal(options_parse(OPTIONS_MANY + 1, argv, read_settings, &o, why), RC_OK);
    assert_int_equal(o.listen.count, OPTIONS_MANY);
    options_fini(&o);
    assert_int_equal(options_parse(OPTIONS_MANY + 2, argv, read_settings, &o, why), RC_INVALID);
    assert_string_equal(why, "option --listen is at most 16 values, not \"http://h:1\"");
}

/* The file. */

static void File_EachKind_IsSet(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://a:1", "http://b:2", "http://c:3"};
    with_file(texts("listen", urls, 3), number("max-streams", 9), number("grace", 0.25),
        on("dev", true), text("scripts", "there"), text("log-level", "warn"),
        text("access-log-format", "json"), text("cert", "c"), text("key", "k"));
    struct options o;
    parse_well("--config file", &o);
    assert_int_equal(file.reads, 1);
    assert_string_equal(file.name, "file");
    assert_string_equal(o.config, "file");
    assert_int_equal(o.listen.count, 3);
    assert_string_equal(o.listen.items[2], "http://c:3");
    assert_int_equal(o.h2.max_streams, 9);
    assert_true(o.grace == 0.25);
    assert_true(o.dev);
    assert_string_equal(o.scripts, "there");
    assert_int_equal(o.log_level, LOG_WARN);
    assert_int_equal(o.access_log_format, ACCESS_LOG_JSON);
    assert_string_equal(o.certs[0].key, "k");
    options_fini(&o);
}

static void File_AndFlags_FlagsWin(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://a:1", "http://b:2"};
    with_file(texts("listen", urls, 2), number("max-streams", 9), number("max-resets", 10),
        text("scripts", "there"), text("log-level", "warn"), on("dev", true));
    struct options o;
    parse_well("--max-streams 3 -c file here -l http://x:9 --log-level error", &o);
    assert_int_equal(o.listen.count, 1);
    assert_string_equal(o.listen.items[0], "http://x:9");
    assert_int_equal(o.h2.max_streams, 3);
    assert_int_equal(o.h2.a_second[GUARD_RESETS], 10);
    assert_string_equal(o.scripts, "here");
    assert_int_equal(o.log_level, LOG_ERROR);
    assert_true(o.dev);
    options_fini(&o);
}

static void File_Strings_AreCopies(void **state)
{
    (void)state;
    char folder[] = "folder", url[] = "http://a:1";
    const char *const urls[] = {url};
    with_file(text("scripts", folder), texts("listen", urls, 1));
    struct options o;
    parse_well("-c file", &o);
    memset(folder, 'x', sizeof folder - 1);
    memset(url, 'x', sizeof url - 1);
    assert_string_equal(o.scripts, "folder");
    assert_string_equal(o.listen.items[0], "http://a:1");
    options_fini(&o);
}

static void File_ReadAnew_IntoAnotherStruct(void **state)
{
    (void)state;
    struct options was, now;
    {
        with_file(text("scripts", "old"), number("max-streams", 5));
        parse_well("-c file --grace 3", &was);
    }
    {
        with_file(text("scripts", "new"));
        parse_well("-c file --grace 3", &now);
    }
    assert_string_equal(was.scripts, "old");
    assert_int_equal(was.h2.max_streams, 5);
    assert_string_equal(now.scripts, "new");
    assert_int_equal(now.h2.max_streams, 128);
    assert_true(now.grace == 3);
    options_fini(&was);
    options_fini(&now);
}

static void File_HelpAndVersion_DoNotReadIt(void **state)
{
    (void)state;
    struct options o;
    parse_well("-c file --help", &o);
    assert_int_equal(file.reads, 0);
    options_fini(&o);
    parse_well("-c file --version", &o);
    assert_int_equal(file.reads, 0);
    options_fini(&o);
}

static void check_setting(struct setting s, const char *problem)
{
    with_file(s);
    check_refused("-c file", RC_SYSTEM, problem);
}

static void File_WrongSettings_AreNamed(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const two[] = {"a", "b"};
    check_setting(number("max-streams", 0), "max-streams is above 0, not 0");
    check_setting(number("max-streams", 1e300),
        "max-streams is a whole number up to 2147483647, not 1.0000000000000001e+300");
    check_setting(
        number("max-resets", -1), "max-resets is a whole number up to 2147483647, not -1");
    check_setting(
        number("max-resets", NAN), "max-resets is a whole number up to 2147483647, not nan");
    check_setting(
        text("max-resets", "1"), "max-resets is a whole number up to 2147483647, not \"1\"");
    check_setting(on("grace", true), "grace is a number of seconds, 0 or more, not true");
    check_setting(number("grace", INFINITY), "grace is a number of seconds, 0 or more, not inf");
    check_setting(text("dev", "yes"), "dev is true or false, not \"yes\"");
    check_setting(number("scripts", 1), "scripts is a text, not 1");
    check_setting(texts("scripts", two, 2), "scripts is a text, not a list");
    check_setting(texts("listen", none, 0), "listen is a text or a list of texts, not a list");
    check_setting(text("scripts", ""), "scripts is not empty, not \"\"");
    check_setting(text("listen", ""), "listen is not empty, not \"\"");
    check_setting(number("listen", 80), "listen is a text or a list of texts, not 80");
    check_setting(number("log-format", 1), "log-format is one of text, json, not 1");
    check_setting((struct setting){.name = "dev", .kind = SETTING_OTHER, .type = "function"},
        "dev is true or false, not a function");
    check_setting(texts("cert", two, 2), "file: cert and key come in pairs: 2 and 0 are given");
    check_setting(
        number("max-strems", 1), "\"max-strems\" is unknown: the nearest option is max-streams");
    check_setting(number("colour", 1), "\"colour\" is unknown");
    check_setting(
        number("port", 80), "\"port\" is unknown: here it is listen = \"http://127.0.0.1:8080\"");
    check_setting(on("reload", true), "\"reload\" is unknown: here it is watch");
}

static void File_Commands_AreRefused(void **state)
{
    (void)state;
    check_setting(on("help", true), "help is for the command line alone");
    check_setting(on("version", true), "version is for the command line alone");
    check_setting(on("check", true), "check is for the command line alone");
    check_setting(text("config", "other"), "config is for the command line alone");
}

static void File_AllocationFails_NothingIsLost(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://a:1"};
    static char long_text[5000];
    memset(long_text, 'x', sizeof long_text - 1);
    with_file(text("scripts", "there"), texts("listen", urls, 1), text("access-log", long_text));
    struct options o;
    char why[OPTIONS_WHY];
    int failures = 0;
    for (;;) {
        mem_fail_at((uint64_t)failures + 1, 0);
        enum rc rc = parse("-c file", &o, why);
        mem_fail_at(0, 0);
        if (!rc)
            break;
        assert_int_equal(rc, RC_SYSTEM);
        assert_non_null(strstr(why, "is more than memory holds"));
        failures++;
    }
    assert_int_equal(failures, 2);
    options_fini(&o);
}

static void File_MoreThanItsBound_Refused(void **state)
{
    (void)state;
    static char huge[2 << 20];
    memset(huge, 'x', sizeof huge - 1);
    with_file(text("scripts", huge));
    struct options o;
    char why[OPTIONS_WHY];
    assert_int_equal(parse("-c file", &o, why), RC_SYSTEM);
    assert_non_null(strstr(why, "scripts is more than memory holds"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Table_EachEntry_IsWhole),
        checked(Show_Defaults_AreThoseOfTheStruct),
        checked(Nearest_Slips_FindTheOptionMeant),
        checked(Parse_Nothing_GivesDefaults),
        checked(Parse_EachKind_IsSet),
        checked(Parse_DevWithLevel_KeepsTheLevel),
        checked(Parse_WrongFlags_AreNamed),
        checked(Parse_TooManyListeners_Refused),
        checked(File_EachKind_IsSet),
        checked(File_AndFlags_FlagsWin),
        checked(File_Strings_AreCopies),
        checked(File_ReadAnew_IntoAnotherStruct),
        checked(File_HelpAndVersion_DoNotReadIt),
        checked(File_WrongSettings_AreNamed),
        checked(File_Commands_AreRefused),
        checked(File_AllocationFails_NothingIsLost),
        checked(File_MoreThanItsBound_Refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
