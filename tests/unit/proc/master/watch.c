#include "proc/master/watch.h"

#include "tests/unit/check.h"

#include <ev.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    struct ev_loop *ev;
    struct watch *watch;
    char folder[64], outside[64];
    int changes;
} stage;

static void on_change(void *data)
{
    (void)data;
    stage.changes++;
}

static const char *path_in(const char *folder, const char *name)
{
    static char paths[4][PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static const char *at(const char *name)
{
    return path_in(stage.folder, name);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_folder(char *path)
{
    strcpy(path, "/tmp/watch.XXXXXX");
    assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_on(const char *root)
{
    assert_int_equal(watch_new(stage.ev, root, ".lua", on_change, NULL, &stage.watch), RC_OK);
    watch_begin(stage.watch);
    watch_end(stage.watch);
}

static int start(void **state)
{
    memset(&stage, 0, sizeof stage);
    stage.ev = ev_loop_new(EVFLAG_AUTO);
    make_folder(stage.folder);
    make_folder(stage.outside);
    mkdir(at("inner"), 0700);
    put(at("a.lua"), "1");
    put(at("inner/b.lua"), "1");
    return check_start(state);
}

static int stop(void **state)
{
    watch_free(stage.watch);
    remove_tree(stage.folder);
    remove_tree(stage.outside);
    ev_loop_destroy(stage.ev);
    return check_end(state);
}

static void on_time(struct ev_loop *ev, ev_timer *t, int events)
{
    (void)t, (void)events;
    ev_break(ev, EVBREAK_ALL);
}

static void run_for(double seconds)
{
    ev_timer timer;
    ev_now_update(stage.ev);
    ev_timer_init(&timer, on_time, seconds, 0);
    ev_timer_start(stage.ev, &timer);
    ev_run(stage.ev, 0);
}

/* How many changes were told since the last call, once those under way are. */
static void expect_changes(int count)
{
    for (int i = 0; i < 20 && stage.changes < count; i++)
        run_for(0.1);
    run_for(0.12);
    assert_int_equal(stage.changes, count);
    stage.changes = 0;
    watch_begin(stage.watch);
    watch_end(stage.watch);
}

static void File_Written_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    put(at("a.lua"), "2");
    expect_changes(1);
    put(at("inner/b.lua"), "2");
    expect_changes(1);
}

static void File_ReplacedByRename_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    put(at("a.lua~new"), "2");
    expect_changes(0);
    rename(at("a.lua~new"), at("a.lua"));
    expect_changes(1);
    put(path_in(stage.outside, "c.lua"), "2");
    rename(path_in(stage.outside, "c.lua"), at("inner/b.lua"));
    expect_changes(1);
}

static void File_MadeMovedRemoved_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    put(at("c.lua"), "1");
    expect_changes(1);
    rename(at("c.lua"), at("inner/d.lua"));
    expect_changes(1);
    unlink(at("inner/d.lua"));
    expect_changes(1);
    rename(at("a.lua"), path_in(stage.outside, "a.lua"));
    expect_changes(1);
}

static void File_OfNoInterest_NotTold(void **state)
{
    (void)state;
    open_on(stage.folder);
    put(at("notes.txt"), "1");
    put(at(".a.lua.swp"), "1");
    put(at(".#a.lua"), "1");
    put(at("4913"), "1");
    put(path_in(stage.outside, "x.lua"), "1");
    expect_changes(0);
}

static void Folder_MadeFilledRemoved_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    mkdir(at("inner/deep"), 0700);
    expect_changes(1);
    put(at("inner/deep/c.lua"), "1");
    expect_changes(1);
    rename(at("inner/deep"), at("moved"));
    expect_changes(1);
    put(at("moved/c.lua"), "2");
    expect_changes(1);
    remove_tree(at("moved"));
    expect_changes(1);
}

static void Folder_MovedOutside_NoLongerWatched(void **state)
{
    (void)state;
    open_on(stage.folder);
    rename(at("inner"), path_in(stage.outside, "inner"));
    expect_changes(1);
    put(path_in(stage.outside, "inner/b.lua"), "2");
    expect_changes(0);
}

static void Root_RemovedAndMadeAgain_Told(void **state)
{
    (void)state;
    char slashed[80];
    snprintf(slashed, sizeof slashed, "%s//", stage.folder);
    open_on(slashed);
    remove_tree(stage.folder);
    expect_changes(1);
    mkdir(stage.folder, 0700);
    expect_changes(1);
    put(at("new.lua"), "1");
    expect_changes(1);
}

static void Root_IsAFile_OthersNotTold(void **state)
{
    (void)state;
    open_on(at("a.lua"));
    put(at("other.lua"), "1");
    expect_changes(0);
    put(at("a.lua"), "2");
    expect_changes(1);
}

static void Root_IsALink_ThatIsTurned_Told(void **state)
{
    (void)state;
    assert_int_equal(symlink(at("inner"), path_in(stage.outside, "link")), 0);
    open_on(path_in(stage.outside, "link"));
    put(at("inner/b.lua"), "2");
    expect_changes(1);
    assert_int_equal(symlink(stage.folder, path_in(stage.outside, "fresh")), 0);
    rename(path_in(stage.outside, "fresh"), path_in(stage.outside, "link"));
    expect_changes(1);
    put(at("a.lua"), "2");
    expect_changes(1);
}

static void Root_BehindALink_ThatIsTurned_Told(void **state)
{
    (void)state;
    mkdir(path_in(stage.outside, "next"), 0700);
    mkdir(path_in(stage.outside, "next/inner"), 0700);
    assert_int_equal(symlink(stage.folder, path_in(stage.outside, "link")), 0);
    open_on(path_in(stage.outside, "link/inner"));
    put(at("inner/b.lua"), "2");
    expect_changes(1);
    assert_int_equal(symlink("next", path_in(stage.outside, "fresh")), 0);
    rename(path_in(stage.outside, "fresh"), path_in(stage.outside, "link"));
    expect_changes(1);
    put(path_in(stage.outside, "next/inner/c.lua"), "1");
    expect_changes(1);
}

static void Root_NotThere_ToldOfEachFolderOnTheWay(void **state)
{
    (void)state;
    open_on(path_in(stage.outside, "deep/deeper/root"));
    mkdir(path_in(stage.outside, "other"), 0700);
    expect_changes(0);
    mkdir(path_in(stage.outside, "deep"), 0700);
    expect_changes(1);
    mkdir(path_in(stage.outside, "deep/deeper"), 0700);
    expect_changes(1);
    mkdir(path_in(stage.outside, "deep/deeper/root"), 0700);
    expect_changes(1);
}

static void Link_ToAFolder_MadeAndTurned_Told(void **state)
{
    (void)state;
    put(path_in(stage.outside, "x.lua"), "1");
    assert_int_equal(symlink("/dev/null", at("nowhere")), 0);
    open_on(stage.folder);
    assert_int_equal(symlink(stage.outside, at("link")), 0);
    expect_changes(1);
    put(path_in(stage.outside, "x.lua"), "2");
    expect_changes(1);
    unlink(at("link"));
    expect_changes(1);
    put(path_in(stage.outside, "x.lua"), "3");
    expect_changes(0);
}

/* Each of two links doubles the ways at each step down. */
static void Links_ThatLeadRound_EachFolderOnce(void **state)
{
    (void)state;
    assert_int_equal(symlink(stage.folder, at("round")), 0);
    assert_int_equal(symlink(stage.folder, at("inner/round")), 0);
    open_on(stage.folder);
    put(at("inner/b.lua"), "2");
    expect_changes(1);
}

static void File_HalfWritten_ToldOnceItIsClosed(void **state)
{
    (void)state;
    open_on(stage.folder);
    FILE *f = fopen(at("a.lua"), "w");
    assert_non_null(f);
    for (int i = 0; i < 3; i++) {
        fputs("half", f);
        fflush(f);
        run_for(0.05);
    }
    assert_int_equal(stage.changes, 0);
    fclose(f);
    expect_changes(1);
}

static void File_NeverClosed_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    FILE *f = fopen(at("a.lua"), "w");
    assert_non_null(f);
    fputs("whole", f);
    fflush(f);
    expect_changes(1);
    fclose(f);
}

static void FileElsewhere_Kept_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    watch_begin(stage.watch);
    watch_file(stage.watch, path_in(stage.outside, "x.lua"));
    watch_end(stage.watch);
    watch_begin(stage.watch);
    watch_keep(stage.watch);
    put(path_in(stage.outside, "x.lua"), "1");
    expect_changes(1);
}

static void FileElsewhere_Named_Told(void **state)
{
    (void)state;
    const char *path = path_in(stage.outside, "x.proto");
    open_on(stage.folder);
    watch_begin(stage.watch);
    watch_file(stage.watch, path);
    watch_end(stage.watch);
    put(path_in(stage.outside, "y.proto"), "1");
    run_for(0.15);
    assert_int_equal(stage.changes, 0);
    put(path_in(stage.outside, "x.proto"), "1");
    expect_changes(1);
    put(path_in(stage.outside, "x.proto"), "2");
    expect_changes(0); /* it was not named again */
}

static void FileElsewhere_BehindALink_BothTold(void **state)
{
    (void)state;
    put(path_in(stage.outside, "real.lua"), "1");
    mkdir(path_in(stage.outside, "links"), 0700);
    const char *link = path_in(stage.outside, "links/link.lua");
    assert_int_equal(symlink(path_in(stage.outside, "real.lua"), link), 0);
    open_on(stage.folder);
    watch_begin(stage.watch);
    watch_file(stage.watch, path_in(stage.outside, "links/link.lua"));
    watch_end(stage.watch);
    run_for(0.15);
    stage.changes = 0;
    put(path_in(stage.outside, "real.lua"), "2");
    run_for(0.15);
    assert_int_equal(stage.changes, 1);
    unlink(path_in(stage.outside, "links/link.lua"));
    run_for(0.15);
    assert_int_equal(stage.changes, 2);
}

static void FileElsewhere_ChangedBeforeItWasWatched_Told(void **state)
{
    (void)state;
    open_on(stage.folder);
    watch_begin(stage.watch);
    usleep(20000);
    put(path_in(stage.outside, "x.lua"), "1");
    watch_file(stage.watch, path_in(stage.outside, "x.lua"));
    watch_end(stage.watch);
    expect_changes(1);
}

static void Burst_ToldOnce(void **state)
{
    (void)state;
    open_on(stage.folder);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d.lua", i);
        put(at(name), "1");
    }
    expect_changes(1);
}

static void StreamOfWrites_ToldMeanwhile(void **state)
{
    (void)state;
    open_on(stage.folder);
    for (int i = 0; i < 40; i++) {
        put(at("a.lua"), "2");
        run_for(0.01);
    }
    assert_in_range(stage.changes, 2, 20);
}

#define on_stage(test) cmocka_unit_test_setup_teardown(test, start, stop)

/* The folders of a link's text, and a link in the middle of a chain. */
static void turn(const char *link, const char *text)
{
    const char *fresh = path_in(stage.outside, "fresh");
    unlink(fresh);
    assert_int_equal(symlink(text, fresh), 0);
    assert_int_equal(rename(fresh, link), 0);
}

static void make_releases(void)
{
    for (int i = 1; i <= 2; i++) {
        mkdir(path_in(stage.outside, i == 1 ? "one" : "two"), 0700);
        mkdir(path_in(stage.outside, i == 1 ? "one/s" : "two/s"), 0700);
        put(path_in(stage.outside, i == 1 ? "one/s/c.lua" : "two/s/c.lua"), "1");
    }
    symlink("one", path_in(stage.outside, "current"));
}

static void Root_IsALinkThroughAnother_ThatIsTurned_Told(void **state)
{
    (void)state;
    make_releases();
    symlink("current/s", path_in(stage.outside, "s"));
    open_on(path_in(stage.outside, "s"));
    turn(path_in(stage.outside, "current"), "two");
    expect_changes(1);
    put(path_in(stage.outside, "two/s/c.lua"), "2");
    expect_changes(1);
    put(path_in(stage.outside, "one/s/c.lua"), "2");
    expect_changes(0);
}

static void Link_WithinTheFolder_ThroughAnother_ThatIsTurned_Told(void **state)
{
    (void)state;
    char text[PATH_MAX];
    make_releases();
    snprintf(
        text, sizeof text, "%s/../%s/current/s", stage.outside, strrchr(stage.outside, '/') + 1);
    symlink(text, at("sub"));
    snprintf(text, sizeof text, "%s/current/s/c.lua", stage.outside);
    symlink(text, at("c.lua"));
    open_on(stage.folder);
    turn(path_in(stage.outside, "current"), "two");
    expect_changes(1);
    put(path_in(stage.outside, "two/s/c.lua"), "2");
    expect_changes(1);
}

/* As Kubernetes mounts a map of files. */
static void Link_ThroughOneOfAHiddenName_ThatIsTurned_Told(void **state)
{
    (void)state;
    mkdir(at("..1"), 0700);
    mkdir(at("..2"), 0700);
    put(at("..1/k.lua"), "1");
    put(at("..2/k.lua"), "2");
    symlink("..1", at("..data"));
    symlink("..data/k.lua", at("k.lua"));
    open_on(stage.folder);
    turn(at("..data"), "..2");
    expect_changes(1);
}

static void Link_WhoseMiddleIsMissing_MadeAgain_Told(void **state)
{
    (void)state;
    make_releases();
    symlink(path_in(stage.outside, "current/s"), at("sub"));
    unlink(path_in(stage.outside, "current"));
    open_on(stage.folder);
    symlink("two", path_in(stage.outside, "current"));
    expect_changes(1);
}

static void Folder_AboveTheRoot_ReplacedByRename_Told(void **state)
{
    (void)state;
    make_releases();
    open_on(path_in(stage.outside, "one/s/c.lua"));
    rename(path_in(stage.outside, "one"), path_in(stage.outside, "old"));
    rename(path_in(stage.outside, "two"), path_in(stage.outside, "one"));
    expect_changes(1);
    put(path_in(stage.outside, "one/note"), "1");
    expect_changes(0);
}

static void File_DeepDownWhereNothingIs_ToldOnceItsFirstFolderIsMade(void **state)
{
    (void)state;
    enum { DEEP = 2000 };
    char path[2 * DEEP + 96];
    int n = snprintf(path, sizeof path, "%s/", stage.outside);
    for (int i = 0; i < DEEP; i++)
        n += snprintf(path + n, sizeof path - (size_t)n, i % 7 ? "q/" : "/");
    strcpy(path + n, "x");
    assert_int_equal(watch_new(stage.ev, stage.folder, ".lua", on_change, NULL, &stage.watch), 0);
    watch_begin(stage.watch);
    watch_file(stage.watch, path);
    watch_end(stage.watch);
    mkdir(path_in(stage.outside, "q"), 0700);
    expect_changes(1);
}

static void File_OfANameTooLong_Ignored(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    open_on(stage.folder);
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    watch_begin(stage.watch);
    watch_file(stage.watch, path);
    path[PATH_MAX - 1] = '\0';
    watch_file(stage.watch, path);
    watch_file(stage.watch, "");
    watch_end(stage.watch);
    expect_changes(0);
}

static void Files_MoreThanNamesAreKept_AllTold(void **state)
{
    (void)state;
    char name[32];
    assert_int_equal(watch_new(stage.ev, stage.folder, ".lua", on_change, NULL, &stage.watch), 0);
    watch_begin(stage.watch);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "file%d", i);
        watch_file(stage.watch, path_in(stage.outside, name));
    }
    watch_end(stage.watch);
    put(path_in(stage.outside, "file4999"), "1");
    expect_changes(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_stage(File_Written_Told),
        on_stage(File_ReplacedByRename_Told),
        on_stage(File_MadeMovedRemoved_Told),
        on_stage(File_OfNoInterest_NotTold),
        on_stage(Folder_MadeFilledRemoved_Told),
        on_stage(Folder_MovedOutside_NoLongerWatched),
        on_stage(Root_RemovedAndMadeAgain_Told),
        on_stage(Root_IsAFile_OthersNotTold),
        on_stage(Root_IsALink_ThatIsTurned_Told),
        on_stage(Root_BehindALink_ThatIsTurned_Told),
        on_stage(Root_NotThere_ToldOfEachFolderOnTheWay),
        on_stage(Link_ToAFolder_MadeAndTurned_Told),
        on_stage(Links_ThatLeadRound_EachFolderOnce),
        on_stage(Root_IsALinkThroughAnother_ThatIsTurned_Told),
        on_stage(Link_WithinTheFolder_ThroughAnother_ThatIsTurned_Told),
        on_stage(Link_ThroughOneOfAHiddenName_ThatIsTurned_Told),
        on_stage(Link_WhoseMiddleIsMissing_MadeAgain_Told),
        on_stage(Folder_AboveTheRoot_ReplacedByRename_Told),
        on_stage(File_DeepDownWhereNothingIs_ToldOnceItsFirstFolderIsMade),
        on_stage(File_OfANameTooLong_Ignored),
        on_stage(Files_MoreThanNamesAreKept_AllTold),
        on_stage(File_HalfWritten_ToldOnceItIsClosed),
        on_stage(File_NeverClosed_Told),
        on_stage(FileElsewhere_Kept_Told),
        on_stage(FileElsewhere_Named_Told),
        on_stage(FileElsewhere_BehindALink_BothTold),
        on_stage(FileElsewhere_ChangedBeforeItWasWatched_Told),
        on_stage(Burst_ToldOnce),
        on_stage(StreamOfWrites_ToldMeanwhile),
    };
    return cmocka_run_group_tests_name("unit/proc/watch", tests, NULL, NULL);
}
