#include "lua/scripts/route_files.h"

#include "core/str.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32 }; /* nested folders */

/* A folder, linked to the one that contains it. */
struct place {
    const struct place *above;
    dev_t device;
    ino_t inode;
};

struct walk {
    size_t root_len; /* length of the root's path, after which the pattern begins */
    const struct route_visitor *visitor;
    void *data;
    char *why;
    size_t why_size;
    char path[PATH_MAX];
};

static enum rc refuse(struct walk *w, const char *problem)
{
    snprintf(w->why, w->why_size, "%s: %s", w->path, problem);
    return RC_INVALID;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* Calls visit for the file at w->path. */
static enum rc visit_file(struct walk *w)
{
    char pattern[PATH_MAX];
    int len = snprintf(pattern, sizeof pattern, "%s", w->path + w->root_len);
    pattern[len -= 4] = '\0'; /* ".lua" */
    if (ends_with(pattern, "/index") || strcmp(pattern, "/index") == 0)
        pattern[len -= 6] = '\0';
    return w->visitor->file(w->data, w->path, len ? pattern : "/");
}

static enum rc walk_folder(struct walk *w, const struct place *above, int depth);

/* A file that cannot be examined is passed over, unless its name says that it is a script; a file
 * that has vanished since the folder was read, in any case. */
static enum rc pass_over(struct walk *w, const char *name)
{
    struct stat st;
    int error = errno;
    bool gone = lstat(w->path, &st) && errno == ENOENT;
    return gone || !ends_with(name, ".lua") ? RC_OK : refuse(w, strerror(error));
}

static enum rc visit_any(
    struct walk *w, const char *name, const struct stat *st, const struct place *above, int depth)
{
    if (S_ISDIR(st->st_mode))
        return walk_folder(w, &(struct place){above, st->st_dev, st->st_ino}, depth + 1);
    if (!ends_with(name, ".lua"))
        return RC_OK;
    return S_ISREG(st->st_mode) ? visit_file(w) : refuse(w, "is no file");
}

/* Visits an entry of the folder at w->path. w->path is unchanged if it returns RC_OK. */
static enum rc walk_entry(struct walk *w, const char *name, const struct place *above, int depth)
{
    struct stat st;
    enum rc rc;
    size_t len = strlen(w->path);
    if ((size_t)snprintf(w->path + len, sizeof w->path - len, "/%s", name) >= sizeof w->path - len)
        rc = ends_with(name, ".lua") ? refuse(w, strerror(ENAMETOOLONG)) : RC_OK;
    else if (stat(w->path, &st))
        rc = pass_over(w, name);
    else
        rc = visit_any(w, name, &st, above, depth);
    if (!rc)
        w->path[len] = '\0';
    return rc;
}

static int is_route(const struct dirent *entry)
{
    return entry->d_name[0] != '_' && entry->d_name[0] != '.';
}

/* Sorts by bytes, in every locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Whether the folder contains itself, by way of a link. */
static bool is_above(const struct place *here)
{
    for (const struct place *p = here->above; p; p = p->above)
        if (p->inode == here->inode && p->device == here->device)
            return true;
    return false;
}

static enum rc leave_out(struct walk *w, const char *reason)
{
    w->visitor->left_out(w->data, w->path, reason);
    return RC_OK;
}

/* A folder that cannot be read is an error only if it is the root. */
static enum rc fail_to_read(struct walk *w, int error, int depth)
{
    if (depth == 0)
        return refuse(w, strerror(error));
    return error == ENOENT || error == ENOTDIR ? RC_OK : leave_out(w, strerror(error));
}

static enum rc enter(struct walk *w)
{
    const char *pattern = w->path + w->root_len;
    return w->visitor->enter(w->data, w->path, pattern[0] ? pattern : "/");
}

static enum rc walk_folder(struct walk *w, const struct place *here, int depth)
{
    struct dirent **entries;
    if (is_above(here))
        return leave_out(w, "it leads back to a folder that it lies in");
    if (depth > DEPTH_MAX)
        return refuse(w, "too many folders in each other");
    int count = scandir(w->path, &entries, is_route, by_bytes);
    if (count < 0)
        return fail_to_read(w, errno, depth);
    enum rc rc = enter(w);
    for (int i = 0; i < count; i++) {
        if (!rc)
            rc = walk_entry(w, entries[i]->d_name, here, depth);
        free(entries[i]);
    }
    free(entries);
    w->visitor->leave(w->data);
    return rc;
}

enum rc route_files_walk(
    const char *root, const struct route_visitor *visitor, void *data, char *why, size_t why_size)
{
    struct stat st;
    struct place here = {0};
    struct walk w = {.visitor = visitor, .data = data, .why = why, .why_size = why_size};
    size_t len = strlen(root);
    while (len > 1 && root[len - 1] == '/')
        len--;
    snprintf(w.path, sizeof w.path, "%.*s", (int)len, root);
    w.root_len = strlen(w.path);
    if (stat(root, &st) == 0)
        here = (struct place){NULL, st.st_dev, st.st_ino};
    return walk_folder(&w, &here, 0);
}

void route_files_folder(const char *path, char *out, size_t size)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        snprintf(out, size, "%s", path);
    else if (slash)
        snprintf(out, size, "%.*s", (int)(slash - path), path);
    else
        snprintf(out, size, ".");
}
