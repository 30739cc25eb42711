#include "proc/master/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A user who may write to the folder must neither make the master wait, with a pipe in the file's
 * place, nor lead it elsewhere. */
static FILE *open_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    FILE *f = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
    if (!f && fd >= 0)
        close(fd);
    return f;
}

/* The id that the file holds; 0 where there is none. */
static pid_t read_id(const char *path)
{
    int id = 0;
    FILE *f = open_file(path);
    if (!f)
        return 0;
    if (fscanf(f, "%d", &id) != 1 || id < 0)
        id = 0;
    fclose(f);
    return id;
}

static bool read_name(pid_t id, char name[32])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)id);
    FILE *f = fopen(path, "re");
    bool is_read = f && fgets(name, 32, f);
    if (f)
        fclose(f);
    return is_read;
}

/* After a restart of the machine the id may be that of quite another program. */
static bool runs(pid_t id)
{
    char its[32], ours[32];
    return id && read_name(id, its) && read_name(getpid(), ours) && strcmp(its, ours) == 0;
}

static enum rc refuse(const char *path, char why[PIDFILE_WHY])
{
    snprintf(why, PIDFILE_WHY, "pid file \"%.200s\" cannot be written: %s", path, strerror(errno));
    return RC_SYSTEM;
}

/* Creates a file that did not exist, so that what is written goes nowhere else. */
static bool write_id(const char *path)
{
    if (unlink(path) && errno != ENOENT)
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool is_written = dprintf(fd, "%d\n", (int)getpid()) > 0;
    return close(fd) == 0 && is_written;
}

enum rc pidfile_write(const char *path, pid_t heir_of, char why[PIDFILE_WHY])
{
    char temporary[PATH_MAX];
    pid_t id = read_id(path);
    if (id != getpid() && id != heir_of && runs(id)) {
        snprintf(why, PIDFILE_WHY,
            "pid file \"%.200s\" is that of a server that runs: stop process %d, or give another "
            "--pid-file",
            path, (int)id);
        return RC_SYSTEM;
    }
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return refuse(path, why);
    }
    if (!write_id(temporary) || rename(temporary, path)) {
        enum rc rc = refuse(path, why);
        unlink(temporary);
        return rc;
    }
    return RC_OK;
}

void pidfile_remove(const char *path)
{
    if (read_id(path) == getpid())
        unlink(path);
}
