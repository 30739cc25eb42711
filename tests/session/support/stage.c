#include "stage.h"

#include "core/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sanitizer/common_interface_defs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    char folder[32];
    int stderr_kept; /* the real one */
} stage;

static const char prelude[] = "local mt, note = require 'moontrail', require '_note' ";

static const char note_module[] =
    "local _, file = ...\n"
    "local out = assert(io.open((file:gsub('_note.lua$', 'notes')), 'a'))\n"
    "out:setvbuf('no')\n"
    "return function(...)\n"
    "    local words = table.pack(...)\n"
    "    for i = 1, words.n do words[i] = tostring(words[i]) end\n"
    "    out:write(table.concat(words, ' '), '\\n')\n"
    "end\n";

const char *stage_path(const char *inner)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", stage.folder, inner);
    return path;
}

static void make_folders(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", stage_path(path));
    for (char *slash = folder + strlen(stage.folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(folder, 0700);
        *slash = '/';
    }
}

static void write_file(const char *path, const char *first, const char *second)
{
    make_folders(path);
    FILE *f = fopen(stage_path(path), "w");
    if (!f || fputs(first, f) < 0 || fputs(second, f) < 0 || fclose(f))
        abort();
}

void stage_write(const char *path, const char *script)
{
    write_file(path, prelude, script);
}

static struct text read_file(const char *path)
{
    char buffer[4096];
    size_t n;
    struct text t = {0};
    FILE *f = fopen(stage_path(path), "r");
    while (f && (n = fread(buffer, 1, sizeof buffer, f)) > 0)
        text_add(&t, buffer, n);
    if (f)
        fclose(f);
    return t;
}

/* Leaves the folder's own name out, which is another in each run. */
static void shorten_paths(struct text *t)
{
    char folder[sizeof stage.folder + 1];
    size_t n = (size_t)snprintf(folder, sizeof folder, "%s/", stage.folder);
    for (char *at = t->p; at && (at = strstr(at, folder));)
        memmove(at, at + n, (t->n -= n) - (size_t)(at - t->p) + 1);
}

/* What is written to an open file afterwards goes to its start: it was opened to append. */
static struct text take_file(const char *path)
{
    struct text t = read_file(path);
    shorten_paths(&t);
    if (truncate(stage_path(path), 0))
        abort();
    return t;
}

struct text stage_take_notes(void)
{
    return take_file("notes");
}

struct text stage_take_log(void)
{
    return take_file("log");
}

static void give_stderr_back(void)
{
    fflush(stderr);
    dup2(stage.stderr_kept, STDERR_FILENO);
    close(stage.stderr_kept);
    __sanitizer_set_report_fd((void *)(intptr_t)STDERR_FILENO);
}

void stage_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vdprintf(stage.stderr_kept, format, args);
    va_end(args);
    dprintf(stage.stderr_kept, "\n");
    fail();
    abort();
}

/* What assert() said is in the log. */
static void on_abort(int signal_number)
{
    struct text log = read_file("log");
    give_stderr_back();
    fputs(text_of(&log), stderr);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void take_stderr(void)
{
    int fd = open(stage_path("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    stage.stderr_kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0 || stage.stderr_kept < 0)
        abort();
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    close(fd);
    __sanitizer_set_report_fd((void *)(intptr_t)stage.stderr_kept);
    signal(SIGABRT, on_abort);
}

void stage_open(void)
{
    snprintf(stage.folder, sizeof stage.folder, "/tmp/moontrail.XXXXXX");
    if (!mkdtemp(stage.folder))
        abort();
    write_file("_note.lua", note_module, "");
    write_file("notes", "", "");
    log_settle(true); /* the lines of the test before count for nothing in this one */
    take_stderr();
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

void stage_close(void)
{
    give_stderr_back();
    signal(SIGABRT, SIG_DFL);
    if (nftw(stage.folder, on_entry, 8, FTW_DEPTH | FTW_PHYS))
        abort();
}
