#include "proc/master/watch.h"

#include "core/clock.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/timer.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
             IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
    DEPTH_MAX = 32,
    FOLDERS_MAX = 8192,
};

/* Changes are told once there were none for the pause, and no later than the patience allows. A
 * file that is being written is given longer, since half of it is of no use. */
static const double pause_seconds = 0.02;
static const double patience_seconds = 0.08;
static const double half_written_seconds = 0.5;

/* A file that counts in a folder where not every one does. */
struct name {
    struct name *next;
    bool used;
    char text[];
};

struct folder {
    struct list link;
    int wd;
    bool used;
    bool whole; /* files with the suffix, and folders, count all */
    struct name *names;
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
    size_t route_files_count;
    double first;         /* when the first of the changes gathered came; 0 for none */
    struct timespec read; /* when reading began */
    bool stale;           /* a file changed since, and before it was watched */
    bool refused;         /* the system's limit of watches was logged */
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

/* The folder of a new watch; NULL where it can't be. */
static struct folder *new_folder(struct watch *w, const char *path, int wd)
{
    struct folder *f = w->route_files_count < FOLDERS_MAX ? mem_get_zeroed(sizeof *f) : NULL;
    if (!f) {
        log_refusal(w, path, "too many folders");
        inotify_rm_watch(w->readable.fd, wd);
        return NULL;
    }
    list_init(&f->link);
    f->wd = wd;
    list_append(&w->folders, &f->link);
    w->route_files_count++;
    return f;
}

/* Where it cannot be kept, only links to folders made later go unseen. */
static void set_path(struct folder *f, const char *path)
{
    if (f->path && strcmp(f->path, path) == 0)
        return;
    mem_free(f->path);
    f->path = mem_strdup(path);
}

/* The folder at a path, watched from now on; NULL where that can't be. */
static struct folder *add_folder(struct watch *w, const char *path)
{
    int wd = inotify_add_watch(w->readable.fd, path, EVENTS);
    if (wd < 0) {
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
        mem_put(n, sizeof *n + strlen(n->text) + 1);
    }
}

static void free_folder(struct watch *w, struct folder *f)
{
    free_names(f, false);
    mem_free(f->path);
    list_remove(&f->link);
    w->route_files_count--;
    mem_put(f, sizeof *f);
}

static struct name *find_name(const struct folder *f, const char *text)
{
    for (struct name *n = f->names; n; n = n->next)
        if (strcmp(n->text, text) == 0)
            return n;
    return NULL;
}

static void note_name(struct folder *f, const char *text)
{
    struct name *n = find_name(f, text);
    if (!n && (n = mem_get(sizeof *n + strlen(text) + 1))) {
        n->next = f->names;
        strcpy(n->text, text);
        f->names = n;
    }
    if (n)
        n->used = true;
}

/* The folder of a path, and the name within it. */
static const char *split(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        strcpy(folder, ".");
    else if (slash == path)
        strcpy(folder, "/");
    else
        snprintf(folder, PATH_MAX, "%.*s", (int)(slash - path), path);
    return slash ? slash + 1 : path;
}

/* Watches the name within the folder of a path; where there is no folder, the name of that in its
 * own. Whether the folder was watched before. */
static bool add_name(struct watch *w, const char *path)
{
    char folder[PATH_MAX];
    const char *text = split(path, folder);
    size_t before = w->route_files_count;
    struct folder *f = add_folder(w, folder);
    if (f)
        note_name(f, text);
    else if (strcmp(folder, ".") != 0 && strcmp(folder, "/") != 0)
        return add_name(w, folder);
    return w->route_files_count == before;
}

/* Watches the names of the links among the folders that a path leads through. */
static bool add_links(struct watch *w, const char *path)
{
    bool watched = true;
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char prefix[PATH_MAX];
        struct stat st;
        snprintf(prefix, sizeof prefix, "%.*s", (int)(slash - path), path);
        if (lstat(prefix, &st) == 0 && S_ISLNK(st.st_mode))
            watched &= add_name(w, prefix);
    }
    return watched;
}

/* Watches each name on which it depends what is at a path. Whether all were watched before. */
static bool add_path(struct watch *w, const char *path)
{
    char *real = realpath(path, NULL);
    bool watched = add_name(w, path);
    if (real && strcmp(real, path) != 0) {
        watched &= add_links(w, path);
        watched &= add_name(w, real);
    }
    free(real);
    return watched;
}

static bool is_folder(const char *folder, const char *name, char path[PATH_MAX])
{
    struct stat st;
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX && stat(path, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

/* Links may lead to where it has been already. */
static void add_tree(struct watch *w, const char *path, int depth)
{
    char inner[PATH_MAX];
    struct folder *f = depth < DEPTH_MAX ? add_folder(w, path) : NULL;
    DIR *dir = f && !f->whole ? opendir(path) : NULL;
    if (!dir)
        return;
    f->whole = true;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || entry->d_type == DT_REG ||
            !is_folder(path, entry->d_name, inner))
            continue;
        if (entry->d_type == DT_LNK)
            note_name(f, entry->d_name);
        add_tree(w, inner, depth + 1);
    }
    closedir(dir);
}

/* Events. */

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* The system says of a new link only that it is no folder. */
static bool is_new_link_to_folder(const struct folder *f, const struct inotify_event *e)
{
    char path[PATH_MAX];
    return e->mask & (IN_CREATE | IN_MOVED_TO) && f->path && is_folder(f->path, e->name, path);
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
    if (e->len && find_name(f, e->name))
        return true;
    return f->whole && e->len && e->name[0] != '.' &&
           (e->mask & IN_ISDIR || ends_with(e->name, w->suffix) || is_new_link_to_folder(f, e));
}

/* Tells after a pause, or when the patience, since the first change, is at its end. */
static void note_change(struct watch *w, double pause, double patience)
{
    double now = clock_monotonic();
    if (w->first == 0)
        w->first = now;
    double left = w->first + patience - now;
    timer_start(&w->gather, left < 0 ? 0 : left < pause ? left : pause);
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
        f->used = f->whole = false;
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
    if (stat(path, &st))
        return false;
    return st.st_ctim.tv_sec != time->tv_sec ? st.st_ctim.tv_sec > time->tv_sec
                                             : st.st_ctim.tv_nsec >= time->tv_nsec;
}

void watch_file(struct watch *w, const char *path)
{
    bool watched = add_path(w, path);
    if (!watched && changed_since(path, &w->read))
        w->stale = true;
}

void watch_keep(struct watch *w)
{
    if (w->stale)
        note_change(w, pause_seconds, patience_seconds);
}

/* The system tells of each watch that it has removed; the folder goes then. */
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
