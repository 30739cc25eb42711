#include "net/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    FLAGS = O_WRONLY | O_APPEND | O_CLOEXEC,
    LINKS_MAX = 8, /* links followed in a row */
};

bool log_file_is_standard(const char *path, int *out)
{
    static const struct {
        const char *path;
        int fd;
    } names[] = {{"-", STDOUT_FILENO}, {"/dev/stdout", STDOUT_FILENO}, {"/dev/fd/1", STDOUT_FILENO},
        {"/proc/self/fd/1", STDOUT_FILENO}, {"/dev/stderr", STDERR_FILENO},
        {"/dev/fd/2", STDERR_FILENO}, {"/proc/self/fd/2", STDERR_FILENO}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(path, names[i].path) != 0)
            continue;
        *out = names[i].fd;
        return true;
    }
    return false;
}

/* The folder that contains the file. */
static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        strcpy(out, ".");
    else
        snprintf(out, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static bool is_ours(uid_t user)
{
    return user == 0 || user == geteuid();
}

/* Whether no other user can create, move or replace files of ours in the folder. */
static bool is_safe_folder(const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    folder_of(path, folder);
    return stat(folder, &st) == 0 && is_ours(st.st_uid) &&
           (st.st_mode & S_ISVTX || !(st.st_mode & (S_IWGRP | S_IWOTH)));
}

/* Follows no link: a user who may write to the folder must not choose which file is given away. */
static int make(const char *path, uid_t owner)
{
    int fd = open(path, FLAGS | O_CREAT | O_EXCL, 0640);
    if (fd < 0 || owner == geteuid() || fchown(fd, owner, (gid_t)-1) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int open_any(const char *path, uid_t owner, int links, char why[LOG_FILE_WHY]);

static int refuse(char why[LOG_FILE_WHY], const char *text)
{
    snprintf(why, LOG_FILE_WHY, "%s", text);
    return -1;
}

static bool is_kernels(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Writes the link's target; a relative one begins at the folder of the link. */
static bool read_target(int link, const char *path, char out[PATH_MAX])
{
    char text[PATH_MAX], folder[PATH_MAX];
    ssize_t n = readlinkat(link, "", text, sizeof text);
    if (n <= 0 || n == sizeof text)
        return false;
    text[n] = '\0';
    folder_of(path, folder);
    int len = snprintf(
        out, PATH_MAX, "%s%s%s", text[0] == '/' ? "" : folder, text[0] == '/' ? "" : "/", text);
    return len < PATH_MAX;
}

/* The link is held open, so that the one that is checked is the one that is read. */
static int follow_own(const char *path, int link, uid_t owner, int links, char why[LOG_FILE_WHY])
{
    struct stat st;
    char target[PATH_MAX];
    if (is_kernels(link))
        return open(path, FLAGS | O_NONBLOCK);
    if (fstat(link, &st) || !is_ours(st.st_uid) || !is_safe_folder(path))
        return refuse(why, "it is a link that another user may have made: name the file instead");
    errno = ELOOP;
    return links < LINKS_MAX && read_target(link, path, target)
               ? open_any(target, owner, links + 1, why)
               : -1;
}

static int follow(const char *path, uid_t owner, int links, char why[LOG_FILE_WHY])
{
    int link = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (link < 0)
        return -1;
    int fd = follow_own(path, link, owner, links, why);
    int error = errno;
    close(link);
    errno = error;
    return fd;
}

/* If the file has a second name, another user may have linked it here, to have it written to. */
static int judge(int fd, const char *path, char why[LOG_FILE_WHY])
{
    struct stat st;
    if (fd < 0 || (fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink < 2)) ||
        is_safe_folder(path))
        return fd;
    close(fd);
    return refuse(why, "the file has another name as well, which another user may have made");
}

/* Runs as root. */
static int open_any(const char *path, uid_t owner, int links, char why[LOG_FILE_WHY])
{
    int fd = make(path, owner);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    fd = open(path, FLAGS | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 && errno == ELOOP ? follow(path, owner, links, why) : judge(fd, path, why);
}

static int open_plainly(const char *path, uid_t owner)
{
    int fd = make(path, owner);
    return fd >= 0 || errno != EEXIST ? fd : open(path, FLAGS | O_CREAT | O_NONBLOCK, 0640);
}

static void explain(const char *path, int error, char why[LOG_FILE_WHY])
{
    struct stat st;
    bool is_socket = error == ENXIO && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
    snprintf(why, LOG_FILE_WHY, "%s",
        is_socket ? "it is a socket, which cannot be opened: give \"-\" for standard output"
                  : strerror(error));
}

int log_file_open(const char *path, uid_t owner, char why[LOG_FILE_WHY])
{
    why[0] = '\0';
    int fd = geteuid() == 0 ? open_any(path, owner, 0, why) : open_plainly(path, owner);
    if (fd < 0 && !why[0])
        explain(path, errno, why);
    return fd;
}
