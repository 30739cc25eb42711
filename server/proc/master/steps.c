#include "proc/master/steps.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as many as Linux follows */

struct walk {
    void (*visit)(void *data, const struct step *step);
    void *data;
    int links;           /* followed so far */
    char done[PATH_MAX]; /* the folder reached so far */
    char rest[PATH_MAX]; /* what remains of the path */
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes the next name off the rest; false if there is none. */
static bool take_name(struct walk *w, char name[NAME_MAX + 1])
{
    const char *start = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(start, "/");
    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, start, n);
    name[n] = '\0';
    start += n + strspn(start + n, "/");
    memmove(w->rest, start, strlen(start) + 1);
    return true;
}

static bool join(const char *folder, const char *name, char out[PATH_MAX])
{
    const char *fmt = strcmp(folder, ".") == 0   ? "%.0s%s"
                      : strcmp(folder, "/") == 0 ? "%s%s"
                                                 : "%s/%s";
    return snprintf(out, PATH_MAX, fmt, folder, name) < PATH_MAX;
}

/* The path walked so far has no links, so its last name can be cut off. */
static bool go_up(struct walk *w)
{
    char *slash = strrchr(w->done, '/');
    const char *last = slash ? slash + 1 : w->done;
    if (strcmp(w->done, "/") == 0)
        return true;
    if (strcmp(last, "..") == 0)
        return strlen(w->done) + strlen("/..") < PATH_MAX && strcat(w->done, "/..");
    if (strcmp(w->done, ".") == 0)
        strcpy(w->done, "..");
    else if (!slash)
        strcpy(w->done, ".");
    else
        slash[slash == w->done ? 1 : 0] = '\0';
    return true;
}

/* Puts the link's target in front of the rest. */
static bool follow(struct walk *w, const char *link)
{
    char text[PATH_MAX];
    ssize_t n = readlink(link, text, sizeof text);
    size_t left = strlen(w->rest);
    if (n <= 0 || ++w->links > LINKS_MAX || (size_t)n + 1 + left >= sizeof w->rest)
        return false;
    memmove(w->rest + n + 1, w->rest, left + 1);
    memcpy(w->rest, text, (size_t)n);
    w->rest[n] = '/';
    if (text[0] == '/')
        strcpy(w->done, "/");
    return true;
}

/* Visits a name. Returns whether there is more to walk. */
static bool step(struct walk *w, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    if (!join(w->done, name, path))
        return false;
    bool there = lstat(path, &st) == 0;
    bool link = there && S_ISLNK(st.st_mode);
    w->visit(w->data, &(struct step){w->done, name, there && !link && w->rest[0]});
    if (link)
        return follow(w, path);
    strcpy(w->done, path);
    return there;
}

void steps_visit(const char *path, void (*visit)(void *data, const struct step *step), void *data)
{
    struct walk w = {.visit = visit, .data = data};
    char name[NAME_MAX + 1];
    if (strlen(path) >= sizeof w.rest)
        return;
    strcpy(w.rest, path);
    strcpy(w.done, path[0] == '/' ? "/" : ".");
    bool more = true;
    while (more && take_name(&w, name)) {
        if (!is_dots(name))
            more = step(&w, name);
        else if (name[1])
            more = go_up(&w);
    }
}
