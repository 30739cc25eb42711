#include "net/address.h"

#include "core/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum rc refuse(const char *url, const char *problem, char why[ADDRESS_WHY])
{
    snprintf(why, ADDRESS_WHY,
        "listen address \"%.200s\" %s: it reads https://HOST:PORT or http://HOST:PORT", url,
        problem);
    return RC_INVALID;
}

/* Copies n bytes and a NUL to out; false where they don't fit or there are none. */
static bool copy_part(char *out, size_t room, const char *from, size_t n)
{
    if (n == 0 || n >= room)
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

static bool is_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port <= 65535;
}

enum rc address_parse(const char *url, struct address *out, char why[ADDRESS_WHY])
{
    struct str s = str_of(url);
    if (str_starts(s, STR("https://")))
        out->tls = true;
    else if (str_starts(s, STR("http://")))
        out->tls = false;
    else
        return refuse(url, "has no scheme", why);
    const char *host = strstr(url, "//") + 2;
    size_t len = strlen(host);
    if (len && host[len - 1] == '/')
        len--;
    const char *colon = memrchr(host, ':', len);
    if (!colon)
        return refuse(url, "has no port", why);
    size_t host_len = (size_t)(colon - host);
    if (!copy_part(out->port, sizeof out->port, colon + 1, len - host_len - 1) ||
        !is_port(out->port))
        return refuse(url, "has a port that is no number up to 65535", why);
    bool bracketed = host_len > 2 && host[0] == '[' && colon[-1] == ']';
    if (!bracketed && memchr(host, ':', host_len))
        return refuse(url, "has an IPv6 address without brackets", why);
    if (!copy_part(out->host, sizeof out->host, host + bracketed, host_len - 2 * bracketed))
        return refuse(url, "has no host", why);
    return RC_OK;
}

static int open_socket(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, SOMAXCONN)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static const char *cure(int error)
{
    switch (error) {
    case EADDRINUSE:
        return ": stop what listens there, or choose another port with --listen";
    case EACCES:
        return ": ports below 1024 need privileges; choose another with --listen";
    case EADDRNOTAVAIL:
        return ": this machine has no such address; choose another with --listen";
    default:
        return "";
    }
}

enum rc address_listen(const struct address *a, int *fd, char why[ADDRESS_WHY])
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int error = getaddrinfo(a->host, a->port, &hints, &list);
    if (error) {
        snprintf(
            why, ADDRESS_WHY, "cannot listen on %s:%s: %s", a->host, a->port, gai_strerror(error));
        return RC_SYSTEM;
    }
    *fd = open_socket(list);
    error = errno;
    freeaddrinfo(list);
    if (*fd >= 0)
        return RC_OK;
    snprintf(why, ADDRESS_WHY, "cannot listen on %s:%s: %s%s", a->host, a->port, strerror(error),
        cure(error));
    return RC_SYSTEM;
}

void address_format(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_TEXT])
{
    char host[48], port[8];
    if (getnameinfo(sa, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(out, ADDRESS_TEXT, "unknown");
    else
        snprintf(out, ADDRESS_TEXT, sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

void address_of_socket(int fd, char out[ADDRESS_TEXT])
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof ss;
    getsockname(fd, (struct sockaddr *)&ss, &len);
    address_format((struct sockaddr *)&ss, len, out);
}

bool address_is_loopback(int fd)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof ss;
    getsockname(fd, (struct sockaddr *)&ss, &len);
    if (ss.ss_family == AF_INET) {
        const struct sockaddr_in *in = (struct sockaddr_in *)&ss;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
    return ss.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}
