#include "proc/master/systemd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

/* The length of the address; 0 if there is none. A leading @ stands for the NUL of an abstract
 * address. */
static socklen_t find_notify_socket(struct sockaddr_un *sun)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof sun->sun_path || (path[0] != '/' && path[0] != '@'))
        return 0;
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path, len);
    if (path[0] == '@')
        sun->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void systemd_notify(const char *format, ...)
{
    char text[256];
    struct sockaddr_un sun = {0};
    socklen_t len = find_notify_socket(&sun);
    int fd = len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&sun, len);
    close(fd);
}

static bool is_plain(const char *name)
{
    return name && strncmp(name, "http", 4) == 0 && strncmp(name, "https", 5) != 0;
}

/* The variables are for this process only, not for those that it starts. */
static void forget(void)
{
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
}

static enum rc adopt(struct sockets *s, int count, const char *names, char why[SYSTEMD_WHY])
{
    char *rest = NULL, *copy = strdup(names ? names : "");
    enum rc rc = copy ? RC_OK : RC_NOMEM;
    const char *name = copy ? strtok_r(copy, ":", &rest) : NULL;
    for (int i = 0; !rc && i < count; i++) {
        rc = sockets_adopt(s, FIRST_FD + i, is_plain(name) ? &listener_http : &listener_https);
        if (rc)
            snprintf(why, SYSTEMD_WHY,
                "socket %d of the %d in LISTEN_FDS cannot be served (%s): give it a ListenStream "
                "with an address and a port",
                i + 1, count, rc_text(rc));
        name = name ? strtok_r(NULL, ":", &rest) : NULL;
    }
    free(copy);
    return rc;
}

enum rc systemd_sockets(struct sockets *s, char why[SYSTEMD_WHY])
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (!pid || !count || atoi(pid) != getpid())
        return RC_OK;
    enum rc rc = adopt(s, atoi(count), getenv("LISTEN_FDNAMES"), why);
    forget();
    return rc;
}
