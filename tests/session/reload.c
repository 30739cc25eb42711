/* Generations: what a reload replaces, what goes on as it was, and what it ends. */
#include "http/handler.h"
#include "lua/scripts/bridge.h"
#include "support/wire.h"

#define SAYS(word)  "return function(ctx) ctx:write('" word "') end"
#define READS(word) "return function(ctx) ctx:read() ctx:write('" word "') end"
#define ANSWER(stream, word) \
    "HEADERS stream=" stream " :status=200 date=now content-length=3\n" \
    "DATA stream=" stream " END_STREAM len=3 '" word "'\n"

static void Reload_NextRequest_NewScript(void **state)
{
    (void)state;
    struct wire *w = wire_script(SAYS("old"));
    wire_get(w, "/");
    wire_expect(w, ANSWER("1", "old"));
    wire_reload(w, SAYS("new"));
    wire_get(w, "/");
    wire_expect(w, ANSWER("3", "new"));
}

static void Reload_RequestUnderWay_EndsOnTheOldScript(void **state)
{
    (void)state;
    struct wire *w = wire_script(READS("old"));
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "");
    wire_reload(w, SAYS("new"));
    wire_get(w, "/");
    wire_expect(w, ANSWER("3", "new"));
    wire_end(w, stream);
    wire_expect(w, ANSWER("1", "old"));
    wire_expect_log(w, "generation closed live=1");
}

static void Reload_FiftyTimes_LongStreamGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_script("local number = 0\n"
                                 "return function(ctx)\n"
                                 "    while ctx:read() do number = number + 1 end\n"
                                 "    note(number)\n"
                                 "end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    for (int i = 0; i < 50; i++) {
        wire_send(w, stream, "x", 1);
        wire_settle(w);
        wire_reload(w, SAYS("new"));
        wire_settle(w);
        assert_int_equal(live.tasks, 1);
    }
    wire_expect_log(w, "generation loaded number=51 live=3");
    wire_end(w, stream);
    wire_expect_notes(w, "50\n");
}

/* The second hundred takes no more memory than the first. */
static void Reload_Often_NothingLeft(void **state)
{
    (void)state;
    struct wire *w = wire_script(SAYS("old"));
    uint64_t blocks = 0;
    for (int i = 0; i < 200; i++) {
        if (i == 100)
            blocks = mem_stats()->blocks;
        wire_reload(w, SAYS("new"));
        wire_settle(w);
    }
    assert_int_equal(mem_stats()->blocks, blocks);
}

static void expect_broken(struct wire *w, const char *script, const char *part)
{
    char why[SCRIPT_WHY];
    stage_write("handler.lua", script);
    assert_false(parts_reload(&w->parts, why, sizeof why));
    if (!strstr(why, part))
        stage_fail("expected %s, but it is %s", part, why);
}

static void Reload_Broken_OldStays(void **state)
{
    (void)state;
    struct wire *w = wire_script(SAYS("old"));
    expect_broken(w, "return function(ctx", "handler.lua:1:");
    expect_broken(w, "error('oops')", "handler.lua:1: oops");
    expect_broken(w, "return require('_missing')", "_missing");
    expect_broken(w, "while true do end", "takes longer than 1.0 s to load");
    expect_broken(w, "while true do pcall(error) end", "takes longer than 1.0 s to load");
    expect_broken(w, "return 7", "returns a number");
    wire_get(w, "/");
    wire_expect(w, ANSWER("1", "old"));
}

static void Reload_SpawnedTask_AbortedWithTheLastRequest(void **state)
{
    (void)state;
    struct wire *w = wire_script("return function(ctx)\n"
                                 "    mt.spawn(function() note(pcall(mt.sleep, 1000)) end)\n"
                                 "    ctx:read()\n"
                                 "end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    wire_reload(w, SAYS("new"));
    wire_expect_tasks(w, 2, 2);
    wire_expect_notes(w, "");
    wire_end(w, stream);
    wire_expect_notes(w, "false task cancelled: reload\n");
    wire_expect_tasks(w, 0, 0);
}

static void Reload_TooManyAlive_OldestAborted(void **state)
{
    (void)state;
    struct wire *w =
        wire_open(&(struct wire_options){.script = "return function(ctx)\n"
                                                   "    ctx:on_abort(note) ctx:read()\n"
                                                   "end",
            .max_generations = 2});
    wire_begin(w, "POST", "/", "");
    wire_settle(w);
    wire_reload(w, READS("new"));
    wire_begin(w, "POST", "/", "");
    wire_expect(w, "");
    wire_reload(w, SAYS("new"));
    wire_expect_log(w, "generation aborted limit=max-generations live=3 requests=1");
    wire_expect(w, "HEADERS stream=1 :status=503 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=20\n"
                   "DATA stream=1 END_STREAM len=20 'Service Unavailable\\n'\n"
                   "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_notes(w, "reload\n");
    wire_expect_tasks(w, 1, 1);
}

#define PAGE(stream, status, extra, length, text) \
    "HEADERS stream=" stream " :status=" status " content-type='text/plain; charset=utf-8' " extra \
    "date=now content-length=" length "\n" \
    "DATA stream=" stream " END_STREAM len=" length " '" text "\\n'\n"

static void Fault_WithDev_EachResponseSaysSo(void **state)
{
    (void)state;
    stage_write("index.lua", "return function(ctx) ctx:write(tostring(mt.load_error())) end");
    stage_write("fails.lua", "return function(ctx) error({}) end");
    struct wire *w = wire_open(&(struct wire_options){.folder = true, .dev = true});
    parts_set_fault(&w->parts, "a.lua:1:\n\xc3\xa4"
                               "x");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 moontrail-fault=a.lua:1:???x date=now "
                   "content-length=12\n"
                   "DATA stream=1 END_STREAM len=12 'a.lua:1:???x'\n");
    wire_get(w, "/missing");
    wire_expect(w, "HEADERS stream=3 :status=404 content-type='text/plain; charset=utf-8' "
                   "moontrail-fault=a.lua:1:???x date=now content-length=61\n"
                   "DATA stream=3 END_STREAM len=61\n");
    parts_set_fault(&w->parts, NULL);
    wire_get(w, "/missing");
    wire_expect(w, PAGE("5", "404", "", "10", "Not Found"));
}

static void Fault_WithoutDev_OnlyForScripts(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write(mt.load_error())");
    parts_set_fault(&w->parts, "oh!");
    wire_get(w, "/");
    wire_expect(w, ANSWER("1", "oh!"));
}

static void Memory_Filled_GenerationRetired(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .script = "local leak = {}\n"
                  "return function(ctx)\n"
                  "    while true do leak[#leak + 1] = ('x'):rep(10000) .. #leak end\n"
                  "end",
        .max_memory = 2 << 20});
    for (int i = 0; i < 5; i++) {
        wire_get(w, "/");
        wire_settle(w);
    }
    wire_expect_log(w, "scripts retired limit=max-vm-memory");
    wire_expect_log(w, "");
}

/* One string too large is no reason to load anew. */
static void Memory_OneLargeValue_GenerationStays(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "note(pcall(string.rep, 'x', 1 << 30))", .max_memory = 2 << 20});
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "false not enough memory\n");
}

static void count_file(void *data, const char *file)
{
    static const char *const names[] = {
        "handler.lua", "_module.lua", "_done.lua", "_loaded.lua", "_watched.txt", "_broken.lua"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(file, names[i]))
            ((int *)data)[i]++;
}

static void Prove_VisitsEachFile(void **state)
{
    (void)state;
    char why[SCRIPT_WHY];
    int seen[6] = {0};
    const struct vm_options options = {.load_timeout = 1};
    stage_write("_module.lua", "return {}");
    stage_write("_broken.lua", "return {");
    stage_write("_done.lua", "return 1");
    stage_write("_loaded.lua", "return 1");
    stage_write("handler.lua",
        "local here = debug.getinfo(1).source:match('@(.*)handler')\n"
        "require('_module') assert(dofile(here .. '_done.lua') == 1)\n"
        "assert(loadfile(here .. '_loaded.lua')) mt.watch(here .. '_watched.txt')\n"
        "mt.spawn(function() mt.sleep(1) end)\n"
        "require('_broken')");
    assert_int_equal(
        bridge_prove(stage_path("handler.lua"), &options, count_file, seen, why), RC_INVALID);
    assert_non_null(strstr(why, "_broken.lua:1:"));
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        assert_int_equal(seen[i], 1);
}

static void Require_Bytecode_Refused(void **state)
{
    (void)state;
    wire_expect_unloadable("local f = io.open(package.path:match('^(.-)%?') .. '_code.lua', 'w')\n"
                           "f:write(string.dump(function() end)) f:close()\n"
                           "require '_code'",
        "attempt to load a binary chunk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Reload_NextRequest_NewScript),
        wire_test(Reload_RequestUnderWay_EndsOnTheOldScript),
        wire_test(Reload_FiftyTimes_LongStreamGoesOn),
        wire_test(Reload_Often_NothingLeft),
        wire_test(Reload_Broken_OldStays),
        wire_test(Reload_SpawnedTask_AbortedWithTheLastRequest),
        wire_test(Reload_TooManyAlive_OldestAborted),
        wire_test(Fault_WithDev_EachResponseSaysSo),
        wire_test(Fault_WithoutDev_OnlyForScripts),
        wire_test(Memory_Filled_GenerationRetired),
        wire_test(Memory_OneLargeValue_GenerationStays),
        wire_test(Prove_VisitsEachFile),
        wire_test(Require_Bytecode_Refused),
    };
    return cmocka_run_group_tests_name("session/reload", tests, NULL, NULL);
}
