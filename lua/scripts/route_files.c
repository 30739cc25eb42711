#include "lua/scripts/route_files.h"

#include "core/str.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32 }; /* folders in each other; a loop of links ends there */

struct walk {
    size_t root_len; /* of the path, up to where the pattern begins */
    enum rc (*visit)(void *data, const char *file, const char *pattern);
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
    return w->visit(w->data, w->path, len ? pattern : "/");
}

static enum rc walk_folder(struct walk *w, int depth);

/* Visits the entry of the folder at w->path, which is as before when it returns RC_OK. */
static enum rc walk_entry(struct walk *w, const char *name, int depth)
{
    struct stat st;
    size_t len = strlen(w->path);
    if ((size_t)snprintf(w->path + len, sizeof w->path - len, "/%s", name) >= sizeof w->path - len)
        return refuse(w, strerror(ENAMETOOLONG));
    enum rc rc = RC_OK;
    if (stat(w->path, &st))
        rc = refuse(w, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        rc = walk_folder(w, depth + 1);
    else if (ends_with(name, ".lua"))
        rc = visit_file(w);
    if (!rc)
        w->path[len] = '\0';
    return rc;
}

static int is_route(const struct dirent *entry)
{
    return entry->d_name[0] != '_' && entry->d_name[0] != '.';
}

/* The order of bytes: the locale has no say in it. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum rc walk_folder(struct walk *w, int depth)
{
    struct dirent **entries;
    if (depth > DEPTH_MAX)
        return refuse(w, "too many folders in each other");
    int count = scandir(w->path, &entries, is_route, by_bytes);
    if (count < 0)
        return refuse(w, strerror(errno));
    enum rc rc = RC_OK;
    for (int i = 0; i < count; i++) {
        if (!rc)
            rc = walk_entry(w, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

enum rc route_files_walk(const char *root,
    enum rc (*visit)(void *data, const char *file, const char *pattern), void *data, char *why,
    size_t why_size)
{
    struct walk w = {.visit = visit, .data = data, .why = why, .why_size = why_size};
    size_t len = strlen(root);
    while (len > 1 && root[len - 1] == '/')
        len--;
    snprintf(w.path, sizeof w.path, "%.*s", (int)len, root);
    w.root_len = strlen(w.path);
    return walk_folder(&w, 0);
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
