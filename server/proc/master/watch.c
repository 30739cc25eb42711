#include "proc/master/watch.h"

#include "core/clock.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/timer.h"
#include "proc/master/steps.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PASSAGE_EVENTS =
        IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD,
    EVENTS = PASSAGE_EVENTS | IN_CLOSE_WRITE | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF,
    DEPTH_MAX = 32,
    FOLDERS_MAX = 8192,
    NAMES_MAX = 4096, /* in a folder */
};

/* Changes are reported after a pause without any, and within the patience at the latest. A file
 * that is being written gets longer, since half a file is useless. */
static const double pause_seconds = 0.02;
static const double patience_seconds = 0.08;
static const double half_written_seconds = 0.5;

/* A file that matters in a folder where not every file does. */
struct name {
    struct name *next;
    bool used;
    char text[];
};

struct folder {
    struct list link;
    int wd;
    bool used;
    bool whole; /* all folders, and all files with the suffix, matter */
    bool any;   /* there are so many names that every file is taken to matter */
    struct name *names;
    size_t name_count;
    char *path;
};

struct watch {
    struct ev_loop *ev;
    ev_io readable;
    struct timer gather;
    char root[PATH_MAX];
    const char *suffix;
    void (*changed)(void *data);
    void *data;
    struct list folders;
    size_t folder_count;
    double first;         /* time of the first change since the last report; 0 for none */
    struct timespec read; /* when the scripts were last read */
    bool stale;           /* a file changed after the reading began, but before it was watched */
    bool refused;         /* a refusal by the system was logged */
};

/* Folders. */

static struct folder *find_folder(const struct watch *w, int wd)
{
    for (struct list *node = w->folders.next; node != &w->folders; node = node->next) {
        struct folder *f = container_of(node, struct folder, link);
        if (f->wd == wd)
            return f;
    }
    return NULL;
}

static void log_refusal(struct watch *w, const char *path, const char *reason)
{
    if (w->refused)
        return;
    w->refused = true;
    log_event(LOG_WARN, "folder not watched", log_str("path", path), log_str("reason", reason));
}

static void log_error(struct watch *w, const char *path, int error)
{
    if (error == ENOSPC)
        log_refusal(w, path, "no more watches: see fs.inotify.max_user_watches");
    else if (error != ENOENT && error != ENOTDIR)
        log_refusal(w, path, strerror(error));
}

/* Makes the folder of a new watch; NULL if that fails. */
static struct folder *new_folder(struct watch *w, const char *path, int wd)
{
    struct folder *f = w->folder_count < FOLDERS_MAX ? mem_get_zeroed(sizeof *f) : NULL;
    if (!f) {
        log_refusal(w, path, "too many folders");
        inotify_rm_watch(w->readable.fd, wd);
        return NULL;
    }
    list_init(&f->link);
    f->wd = wd;
    list_append(&w->folders, &f->link);
    w->folder_count++;
    return f;
}

/* Without a path, only later links to folders are missed. */
static void set_path(struct folder *f, const char *path)
{
    if (f->path && strcmp(f->path, path) == 0)
        return;
    mem_free(f->path);
    f->path = mem_strdup(path);
}

/* The folder at a path, watched from here on; NULL if that fails. A user who may pass through a
 * folder need not be allowed to read it. */
static struct folder *add_folder(struct watch *w, const char *path, uint32_t events)
{
    int wd = inotify_add_watch(w->readable.fd, path, events);
    if (wd < 0) {
        if (errno != EACCES || events != PASSAGE_EVENTS)
            log_error(w, path, errno);
        return NULL;
    }
    struct folder *f = find_folder(w, wd);
    if (!f)
        f = new_folder(w, path, wd);
    if (!f)
        return NULL;
    set_path(f, path);
    f->used = true;
    return f;
}

static void free_names(struct folder *f, bool unused_only)
{
    for (struct name **at = &f->names; *at;) {
        struct name *n = *at;
        if (unused_only && n->used) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        f->name_count--;
        mem_put(n, sizeof *n + strlen(n->text) + 1);
    }
}

static void free_folder(struct watch *w, struct folder *f)
{
    free_names(f, false);
    mem_free(f->path);
    list_remove(&f->link);
    w->folder_count--;
    mem_put(f, sizeof *f);
}

static struct name *find_name(const struct folder *f, const char *text)
{
    for (struct name *n = f->names; n; n = n->next)
        if (strcmp(n->text, text) == 0)
            return n;
    return NULL;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* Whether all files with such a name matter in the folder. */
static bool is_of_whole(const struct watch *w, const struct folder *f, const char *name)
{
    return f->whole && name[0] != '.' && ends_with(name, w->suffix);
}

static void add_name(struct folder *f, const char *text)
{
    struct name *n = mem_get(sizeof *n + strlen(text) + 1);
    if (!n)
        return;
    n->used = true;
    n->next = f->names;
    strcpy(n->text, text);
    f->names = n;
    f->name_count++;
}

static void note_name(const struct watch *w, struct folder *f, const char *text)
{
    struct name *n = f->any || is_of_whole(w, f, text) ? NULL : find_name(f, text);
    if (n)
        n->used = true;
    else if (f->name_count >= NAMES_MAX)
        f->any = true;
    else if (!f->any && !is_of_whole(w, f, text))
        add_name(f, text);
}

/* Names. */

struct path_watch {
    struct watch *watch;
    bool watched; /* each folder on the way was watched before */
    bool changed; /* a link on the way has changed since the reading began */
};

static bool is_since(const struct timespec *changed, const struct timespec *time)
{
    return changed->tv_sec != time->tv_sec ? changed->tv_sec > time->tv_sec
                                           : changed->tv_nsec >= time->tv_nsec;
}

static bool is_link_changed_since(const struct step *step, const struct timespec *time)
{
    char path[PATH_MAX];
    struct stat st;
    return snprintf(path, sizeof path, "%s/%s", step->folder, step->name) < PATH_MAX &&
           lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && is_since(&st.st_ctim, time);
}

/* In a folder that is only passed through, writing to files does not matter. */
static void watch_step(void *data, const struct step *step)
{
    struct path_watch *p = data;
    struct watch *w = p->watch;
    size_t before = w->folder_count;
    struct folder *f = add_folder(w, step->folder, step->passage ? PASSAGE_EVENTS : EVENTS);
    if (f)
        note_name(w, f, step->name);
    if (w->folder_count == before)
        return;
    p->watched = false;
    p->changed |= is_link_changed_since(step, &w->read);
}

/* Watches each name that decides what the path leads to. */
static struct path_watch add_path(struct watch *w, const char *path)
{
    struct path_watch p = {.watch = w, .watched = true};
    steps_visit(path, watch_step, &p);
    return p;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_missing(const char *path)
{
    struct stat st;
    return stat(path, &st) && errno == ENOENT;
}

static void add_tree(struct watch *w, const char *path, int depth);

/* A link is watched with all that it leads through, even if its target is missing for a while; not
 * if it leads to an irrelevant file. */
static void add_entry(struct watch *w, const char *path, const struct dirent *entry, int depth)
{
    char inner[PATH_MAX];
    if (entry->d_name[0] == '.' || entry->d_type == DT_REG ||
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= PATH_MAX)
        return;
    bool folder = is_folder(inner);
    if (entry->d_type != DT_DIR &&
        (folder || ends_with(entry->d_name, w->suffix) || is_missing(inner)))
        add_path(w, inner);
    if (folder)
        add_tree(w, inner, depth + 1);
}

/* Links may lead in circles. */
static void add_tree(struct watch *w, const char *path, int depth)
{
    struct folder *f = depth < DEPTH_MAX ? add_folder(w, path, EVENTS) : NULL;
    DIR *dir = f && !f->whole ? opendir(path) : NULL;
    if (!dir)
        return;
    f->whole = true;
    for (struct dirent *entry; (entry = readdir(dir));)
        add_entry(w, path, entry, depth);
    closedir(dir);
}

/* Events. */

/* The system reports a new link to a folder as something that is not a folder. */
static bool is_new_link_to_folder(const struct folder *f, const struct inotify_event *e)
{
    char path[PATH_MAX];
    return e->mask & (IN_CREATE | IN_MOVED_TO) && f->path &&
           snprintf(path, sizeof path, "%s/%s", f->path, e->name) < PATH_MAX && is_folder(path);
}

static bool counts(const struct watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        return true;
    const struct folder *f = find_folder(w, e->wd);
    if (!f)
        return false;
    if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
        return true;
    if (e->len && (f->any || find_name(f, e->name)))
        return true;
    return f->whole && e->len && e->name[0] != '.' &&
           (e->mask & IN_ISDIR || ends_with(e->name, w->suffix) || is_new_link_to_folder(f, e));
}

/* Reports after the pause, or when the patience has passed since the first change. */
static void note_change(struct watch *w, double pause, double patience)
{
    double now = clock_monotonic();
    if (w->first == 0)
        w->first = now;
    double left = w->first + patience - now;
    if (left > pause)
        left = pause;
    timer_start(&w->gather, left > 0 ? left : 0);
}

static void on_gathered(struct timer *t)
{
    struct watch *w = container_of(t, struct watch, gather);
    w->first = 0;
    w->changed(w->data);
}

static void take(struct watch *w, const struct inotify_event *e)
{
    if (counts(w, e)) {
        bool half = e->mask & IN_MODIFY;
        note_change(w, half ? half_written_seconds : pause_seconds,
            half ? half_written_seconds : patience_seconds);
    }
    struct folder *gone = e->mask & IN_IGNORED ? find_folder(w, e->wd) : NULL;
    if (gone)
        free_folder(w, gone);
}

static void on_readable(struct ev_loop *ev, ev_io *io, int events)
{
    (void)ev, (void)events;
    struct watch *w = container_of(io, struct watch, readable);
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n = read(io->fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(buffer + at);
        take(w, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
}

bool watch_has_change(struct watch *w)
{
    on_readable(w->ev, &w->readable, EV_READ);
    return w->first > 0;
}

/* Reading anew. */

void watch_begin(struct watch *w)
{
    struct stat st;
    clock_gettime(CLOCK_REALTIME_COARSE, &w->read);
    w->stale = false;
    for (struct list *node = w->folders.next; node != &w->folders; node = node->next) {
        struct folder *f = container_of(node, struct folder, link);
        f->used = f->whole = f->any = false;
        for (struct name *n = f->names; n; n = n->next)
            n->used = false;
    }
    add_path(w, w->root);
    if (stat(w->root, &st) == 0 && S_ISDIR(st.st_mode))
        add_tree(w, w->root, 0);
}

static bool changed_since(const char *path, const struct timespec *time)
{
    struct stat st;
    return stat(path, &st) == 0 && is_since(&st.st_ctim, time);
}

void watch_file(struct watch *w, const char *path)
{
    const struct path_watch p = add_path(w, path);
    if (p.changed || (!p.watched && changed_since(path, &w->read)))
        w->stale = true;
}

void watch_keep(struct watch *w)
{
    if (w->stale)
        note_change(w, pause_seconds, patience_seconds);
}

/* Folders are freed later: the system confirms each removed watch. */
void watch_end(struct watch *w)
{
    for (struct list *node = w->folders.next; node != &w->folders; node = node->next) {
        struct folder *f = container_of(node, struct folder, link);
        free_names(f, true);
        if (!f->used)
            inotify_rm_watch(w->readable.fd, f->wd);
    }
    watch_keep(w);
}

/* Life. */

enum rc watch_new(struct ev_loop *ev, const char *root, const char *suffix,
    void (*changed)(void *data), void *data, struct watch **out)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return RC_SYSTEM;
    struct watch *w = mem_get_zeroed(sizeof *w);
    if (!w) {
        close(fd);
        return RC_NOMEM;
    }
    w->ev = ev;
    snprintf(w->root, sizeof w->root, "%s", root);
    for (size_t n = strlen(w->root); n > 1 && w->root[n - 1] == '/'; n--)
        w->root[n - 1] = '\0';
    w->suffix = suffix;
    w->changed = changed;
    w->data = data;
    list_init(&w->folders);
    timer_init(&w->gather, ev, on_gathered);
    ev_io_init(&w->readable, on_readable, fd, EV_READ);
    ev_io_start(ev, &w->readable);
    *out = w;
    return RC_OK;
}

void watch_free(struct watch *w)
{
    ev_io_stop(w->ev, &w->readable);
    timer_stop(&w->gather);
    close(w->readable.fd);
    while (!list_empty(&w->folders))
        free_folder(w, container_of(w->folders.next, struct folder, link));
    mem_put(w, sizeof *w);
}
