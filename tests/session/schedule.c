/* What scripts do unasked: mt.every, and mt.on_reload. */
#include "lua/scripts/bridge.h"
#include "support/wire.h"

#include <string.h>

#define IDLE "return function() end"

/* Turns until the scripts have noted so many lines, which it returns. */
static struct text notes_after(struct wire *w, size_t lines)
{
    struct text all = {0};
    for (;;) {
        struct text more = stage_take_notes();
        text_add(&all, more.p ? more.p : "", more.n);
        text_clear(&more);
        size_t seen = 0;
        for (const char *at = text_of(&all); (at = strchr(at, '\n')); at++)
            seen++;
        if (seen >= lines)
            return all;
        wire_wait(w);
    }
}

static void expect_first_notes(struct wire *w, size_t lines, const char *expected)
{
    struct text all = notes_after(w, lines);
    bool same = strncmp(text_of(&all), expected, strlen(expected)) == 0;
    if (!same)
        print_error("noted:\n%s", text_of(&all));
    text_clear(&all);
    assert_true(same);
}

static void drain(struct wire *w)
{
    parts_drain(&w->parts);
}

/* mt.every. */

static void Every_Loaded_RunsAfterItsTimeAndAgain(void **state)
{
    (void)state;
    struct wire *w = wire_script("local began, count = mt.now(), 0\n"
                                 "mt.every(0.01, function(...)\n"
                                 "    count = count + 1\n"
                                 "    note(count, mt.now() - began >= 0.0099 * count, ...)\n"
                                 "end)\n" IDLE);
    expect_first_notes(w, 3, "1 true\n2 true\n3 true\n");
}

static void Every_RunTakesLonger_NeverBesideItself(void **state)
{
    (void)state;
    struct wire *w = wire_script("mt.every(0.001, function()\n"
                                 "    note('begins') mt.sleep(0.01) note('ends')\n"
                                 "end)\n" IDLE);
    expect_first_notes(w, 6, "begins\nends\nbegins\nends\nbegins\nends\n");
}

static void Every_Several_EachInItsTime(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("mt.every(0.05, function() note('late') end)\n"
                    "mt.every(0.001, function() note('soon') mt.sleep(1000) end)\n" IDLE);
    expect_first_notes(w, 3, "soon\nlate\nlate\n");
}

static void Every_Fails_IsLoggedAndGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_script("local count = 0\n"
                                 "mt.every(0.001, function()\n"
                                 "    count = count + 1 note(count) error('oh ' .. count, 0)\n"
                                 "end)\n" IDLE);
    expect_first_notes(w, 3, "1\n2\n3\n");
    wire_expect_log(w, "error task failed error=\"oh 1\"");
}

static void Every_NotWhileLoading_Raises(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("local function try() note(select(2, pcall(mt.every, 1, print))) end\n"
                    "mt.spawn(try)\n"
                    "return try");
    wire_get(w, "/");
    wire_expect_notes(w, "mt.every works only while a script loads\n"
                         "mt.every works only while a script loads\n");
}

static void Every_WrongArgument_Raises(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("for _, s in ipairs { 0, -1, 1e9, 0 / 0, 'x' } do\n"
                    "    note((select(2, pcall(mt.every, s, print)):match('%((.*)%)')))\n"
                    "end\n"
                    "note((select(2, pcall(mt.every, 1)):match('%((.*)%)')))\n" IDLE);
    wire_expect_notes(w, "not above 0 seconds, or over 1e8 seconds\n"
                         "not above 0 seconds, or over 1e8 seconds\n"
                         "not above 0 seconds, or over 1e8 seconds\n"
                         "not above 0 seconds, or over 1e8 seconds\n"
                         "number expected, got string\n"
                         "function expected, got no value\n");
}

#define EVERY(word) "mt.every(0.001, function() note('" word "') end)\n"

/* The request keeps the old generation alive, and nothing else of it goes on. */
static void Every_ScriptsLoadedAnew_OldOnesStop(void **state)
{
    (void)state;
    struct wire *w = wire_script(EVERY("old") "return function(ctx) ctx:read() end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_reload(w, EVERY("new") IDLE);
    struct text before = stage_take_notes();
    text_clear(&before);
    expect_first_notes(w, 5, "new\nnew\nnew\nnew\nnew\n");
    wire_end(w, stream);
}

static void Every_RunUnderWayAtReload_GoesOnUntilTheGenerationCloses(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("mt.every(0.001, function()\n"
                    "    note('begins') note(select(2, pcall(mt.sleep, 1000)).reason)\n"
                    "end)\n"
                    "return function(ctx) ctx:read() end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    expect_first_notes(w, 1, "begins\n");
    wire_reload(w, IDLE);
    wire_expect_tasks(w, 2, 2);
    wire_end(w, stream);
    wire_expect_notes(w, "reload\n");
    wire_expect_tasks(w, 0, 0);
}

/* What was begun before the mistake is gone with it. */
static void Every_ScriptDoesNotLoad_NeverRuns(void **state)
{
    (void)state;
    char why[SCRIPT_WHY];
    struct wire *w = wire_script(EVERY("good") IDLE);
    stage_write("handler.lua", EVERY("bad") "error('oh')");
    assert_false(parts_reload(&w->parts, why, sizeof why));
    expect_first_notes(w, 5, "good\ngood\ngood\ngood\ngood\n");
}

static void visit_nothing(void *data, const char *file)
{
    (void)data, (void)file;
}

static void Every_Proved_NeverRuns(void **state)
{
    (void)state;
    char why[SCRIPT_WHY];
    const struct vm_options options = {.load_timeout = 1};
    stage_write("handler.lua", EVERY("proved") "mt.on_reload(note)\n" IDLE);
    assert_int_equal(
        bridge_prove(stage_path("handler.lua"), &options, visit_nothing, NULL, why), RC_OK);
}

/* The test's end looks that nothing is left. */
static void Every_ServerStopsInTheMiddle_ItEnds(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("mt.every(0.001, function() note('begins') mt.sleep(1000) end)\n" IDLE);
    expect_first_notes(w, 1, "begins\n");
    wire_expect_tasks(w, 1, 1);
}

/* mt.on_reload. */

static void OnReload_ScriptsLoadedAnew_EachRunsOnce(void **state)
{
    (void)state;
    struct wire *w = wire_script("mt.on_reload(function(why) note('one', why) end)\n"
                                 "return function()\n"
                                 "    mt.on_reload(function(why) note('two', why) end)\n"
                                 "end");
    wire_get(w, "/");
    wire_expect_notes(w, "");
    wire_reload(w, IDLE);
    wire_expect_notes(w, "one reload\ntwo reload\n");
    wire_reload(w, IDLE);
    drain(w);
    wire_expect_notes(w, "");
}

/* A stream that would never end makes way. */
static void OnReload_LongStream_EndsItself(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("local stop = mt.channel()\n"
                    "mt.on_reload(function() stop:close() end)\n"
                    "return function(ctx)\n"
                    "    ctx:write('begun ') ctx:flush() stop:recv() ctx:write('bye')\n"
                    "end");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=6 'begun '\n");
    wire_reload(w, IDLE);
    wire_expect(w, "DATA stream=1 END_STREAM len=3 'bye'\n");
    wire_expect_log(w, "generation closed live=1");
}

/* There is no request left that would keep the generation. */
static void OnReload_Waits_GenerationStaysUntilItIsDone(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("mt.on_reload(function() mt.sleep(0.001) note('done') end)\n" IDLE);
    wire_reload(w, IDLE);
    wire_expect_tasks(w, 1, 1);
    expect_first_notes(w, 1, "done\n");
    wire_expect_log(w, "generation closed live=1");
}

static void OnReload_NeverDone_EndsWithTheGeneration(void **state)
{
    (void)state;
    struct wire *w = wire_open(
        &(struct wire_options){.script = "mt.on_reload(function()\n"
                                         "    note(select(2, pcall(mt.sleep, 1000)).reason)\n"
                                         "end)\n" IDLE,
            .max_generations = 2});
    wire_reload(w, IDLE);
    wire_expect_tasks(w, 1, 1);
    wire_reload(w, IDLE);
    wire_expect_notes(w, "reload\n");
    wire_expect_tasks(w, 0, 0);
    wire_expect_log(w, "generation aborted limit=max-generations live=3");
}

static void OnReload_WorkerDrains_ToldOfTheShutdown(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("mt.on_reload(function(why) mt.sleep(0.001) note(why) end)\n" IDLE);
    wire_settle(w);
    assert_false(parts_hold(&w->parts));
    drain(w);
    assert_true(parts_hold(&w->parts));
    expect_first_notes(w, 1, "shutdown\n");
    assert_false(parts_hold(&w->parts));
}

static void OnReload_RegisteredLate_RunsAtOnce(void **state)
{
    (void)state;
    struct wire *w = wire_script("return function(ctx)\n"
                                 "    ctx:read() mt.on_reload(note) note('registered')\n"
                                 "end");
    int32_t old = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    wire_reload(w, "return function() mt.on_reload(note) end");
    wire_end(w, old);
    wire_expect_notes(w, "registered\nreload\n");
    drain(w);
    wire_get(w, "/");
    wire_expect_notes(w, "shutdown\n");
    wire_reload(w, "mt.on_reload(note)\n" IDLE);
    wire_expect_notes(w, "shutdown\n");
}

/* Streams that come and go leave nothing behind. */
static void OnReload_Closed_NeverRuns(void **state)
{
    (void)state;
    struct wire *w = wire_script("return function()\n"
                                 "    local hook <close> = mt.on_reload(note)\n"
                                 "    local other = mt.on_reload(note)\n"
                                 "    other:close() other:close()\n"
                                 "end");
    for (int i = 0; i < 3; i++)
        wire_get(w, "/");
    wire_settle(w);
    wire_reload(w, IDLE);
    wire_expect_notes(w, "");
}

static void OnReload_Fails_IsLoggedAndOthersRun(void **state)
{
    (void)state;
    struct wire *w = wire_script("mt.on_reload(function() error('oh no', 0) end)\n"
                                 "mt.on_reload(note)\n" IDLE);
    wire_reload(w, IDLE);
    wire_expect_notes(w, "reload\n");
    wire_expect_log(w, "error task failed error=\"oh no\"");
}

static void OnReload_WrongArgument_Raises(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("note((select(2, pcall(mt.on_reload)):match('%((.*)%)')))\n"
                     "note((select(2, pcall(mt.on_reload(note).close, {})):match('%((.*)%)')))");
    wire_get(w, "/");
    wire_expect_notes(w, "function expected, got no value\nhook expected, got table\n");
}

/* The test's end looks that nothing is left. */
static void OnReload_ServerStopsInTheMiddle_ItEnds(void **state)
{
    (void)state;
    struct wire *w = wire_script("for _ = 1, 3 do\n"
                                 "    mt.on_reload(function()\n"
                                 "        pcall(mt.sleep, 1000)\n"
                                 "        mt.on_reload(function() note('never') end)\n"
                                 "    end)\n"
                                 "end\n" IDLE);
    drain(w);
    wire_expect_tasks(w, 3, 3);
    wire_reload(w, "mt.on_reload(function() mt.sleep(1000) end)\n" IDLE);
    wire_expect_tasks(w, 4, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Every_Loaded_RunsAfterItsTimeAndAgain),
        wire_test(Every_RunTakesLonger_NeverBesideItself),
        wire_test(Every_Several_EachInItsTime),
        wire_test(Every_Fails_IsLoggedAndGoesOn),
        wire_test(Every_NotWhileLoading_Raises),
        wire_test(Every_WrongArgument_Raises),
        wire_test(Every_ScriptsLoadedAnew_OldOnesStop),
        wire_test(Every_RunUnderWayAtReload_GoesOnUntilTheGenerationCloses),
        wire_test(Every_ScriptDoesNotLoad_NeverRuns),
        wire_test(Every_Proved_NeverRuns),
        wire_test(Every_ServerStopsInTheMiddle_ItEnds),
        wire_test(OnReload_ScriptsLoadedAnew_EachRunsOnce),
        wire_test(OnReload_LongStream_EndsItself),
        wire_test(OnReload_Waits_GenerationStaysUntilItIsDone),
        wire_test(OnReload_NeverDone_EndsWithTheGeneration),
        wire_test(OnReload_WorkerDrains_ToldOfTheShutdown),
        wire_test(OnReload_RegisteredLate_RunsAtOnce),
        wire_test(OnReload_Closed_NeverRuns),
        wire_test(OnReload_Fails_IsLoggedAndOthersRun),
        wire_test(OnReload_WrongArgument_Raises),
        wire_test(OnReload_ServerStopsInTheMiddle_ItEnds),
    };
    return cmocka_run_group_tests_name("session/schedule", tests, NULL, NULL);
}
