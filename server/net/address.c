#include "net/address.h"

#include "core/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static enum rc refuse(const char *url, const char *problem, char why[ADDRESS_WHY])
{
    char forms[LISTENER_FORMS];
    listener_kind_forms(forms);
    snprintf(why, ADDRESS_WHY, "listen address \"%.160s\" %s: it reads %s", url, problem, forms);
    return RC_INVALID;
}

static enum rc refuse_scheme(const char *url, char why[ADDRESS_WHY])
{
    if (!strstr(url, "://"))
        return refuse(url, "has no scheme", why);
    return refuse(url, "has another scheme, and the scheme is http or https", why);
}

/* What is wrong with a listen address that has parts of a URL; NULL if it has none. */
static const char *surplus(const char *host)
{
    size_t len = strcspn(host, "/?#");
    if (memchr(host, '@', len))
        return "names a user, and a listen address has no user";
    if (host[len] == '/' && host[len + 1] == '?')
        len++;
    if (host[len] == '?')
        return "has a query, and a listen address has no query";
    if (host[len] == '#')
        return "has a fragment, and a listen address has no fragment";
    if (host[len] == '/' && host[len + 1])
        return "has a path, and a listen address has no path";
    return NULL;
}

/* Copies n bytes and a NUL to out; false if they do not fit or n is 0. */
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

/* Reads "HOST:PORT" and perhaps a slash. Returns what is wrong with it, or NULL. */
static const char *split(const char *host, struct address *out)
{
    size_t len = strlen(host);
    if (len && host[len - 1] == '/')
        len--;
    const char *colon = memrchr(host, ':', len);
    if (!colon)
        return "has no port";
    size_t host_len = (size_t)(colon - host);
    if (!copy_part(out->port, sizeof out->port, colon + 1, len - host_len - 1) ||
        !is_port(out->port))
        return "has a port that is no number up to 65535";
    bool bracketed = host_len > 2 && host[0] == '[' && colon[-1] == ']';
    if (!bracketed && memchr(host, ':', host_len))
        return "has an IPv6 address without brackets";
    if (!copy_part(out->host, sizeof out->host, host + bracketed, host_len - 2 * bracketed))
        return "has no host";
    return NULL;
}

enum rc address_parse(const char *url, struct address *out, char why[ADDRESS_WHY])
{
    out->both_families = false;
    out->kind = listener_kind_of(str_of(url));
    if (!out->kind)
        return refuse_scheme(url, why);
    const char *host = strstr(url, "//") + 2, *problem = surplus(host);
    if (!problem)
        problem = split(host, out);
    return problem ? refuse(url, problem, why) : RC_OK;
}

void address_url(const struct address *a, char out[ADDRESS_URL])
{
    bool is_v6 = strchr(a->host, ':');
    snprintf(out, ADDRESS_URL, is_v6 ? "%.*s://[%s]:%s" : "%.*s://%s:%s", (int)a->kind->scheme.n,
        a->kind->scheme.p, a->host, a->port);
}

enum rc address_split(const char *text, struct address *out)
{
    return split(text, out) ? RC_INVALID : RC_OK;
}

static void close_keeping_errno(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

/* A bound socket. With reuse, other sockets may share its address. */
static int bind_socket(const struct addrinfo *ai, bool v6_only, bool reuse)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){v6_only}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){reuse}, sizeof(int));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen)) {
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

/* Without SO_REUSEPORT, bind fails if any program, even this one, listens there already. Set after
 * bind, the option lets this server's further sockets share the address. */
static int listen_first(const struct addrinfo *ai, bool v6_only)
{
    int fd = bind_socket(ai, v6_only, false);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)) || listen(fd, SOMAXCONN)) {
        close_keeping_errno(fd);
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

static int look_up(const struct address *a, struct addrinfo **list)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    return getaddrinfo(a->host, a->port, &hints, list);
}

enum rc address_listen(const struct address *a, int *fd, char why[ADDRESS_WHY])
{
    struct addrinfo *list;
    int error = look_up(a, &list);
    if (error) {
        snprintf(
            why, ADDRESS_WHY, "cannot listen on %s:%s: %s", a->host, a->port, gai_strerror(error));
        return RC_SYSTEM;
    }
    *fd = listen_first(list, !a->both_families);
    error = errno;
    freeaddrinfo(list);
    if (*fd >= 0)
        return RC_OK;
    snprintf(why, ADDRESS_WHY, "cannot listen on %s:%s: %s%s", a->host, a->port, strerror(error),
        cure(error));
    return RC_SYSTEM;
}

bool address_takes_both(int fd)
{
    int v6_only = 1;
    socklen_t len = sizeof v6_only;
    return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len) == 0 && !v6_only;
}

enum rc address_bind_again(int listening, int *fd, char why[ADDRESS_WHY])
{
    char text[ADDRESS_TEXT];
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    struct addrinfo at = {.ai_addr = (struct sockaddr *)&ss, .ai_addrlen = sizeof ss};
    getsockname(listening, at.ai_addr, &at.ai_addrlen);
    at.ai_family = ss.ss_family;
    *fd = bind_socket(&at, !address_takes_both(listening), true);
    if (*fd >= 0)
        return RC_OK;
    int error = errno;
    address_of_socket(listening, text);
    snprintf(why, ADDRESS_WHY, "cannot bind one more socket to %s: %s", text, strerror(error));
    return RC_SYSTEM;
}

enum rc address_resolve(const struct address *a, char out[ADDRESS_TEXT])
{
    struct addrinfo *list;
    if (look_up(a, &list))
        return RC_SYSTEM;
    address_format(list->ai_addr, list->ai_addrlen, out);
    freeaddrinfo(list);
    return RC_OK;
}

/* What IPv4 peers of a socket for both families look like (RFC 4291 2.5.5.2). */
static bool format_mapped(const struct sockaddr *sa, char out[ADDRESS_TEXT])
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
    if (sa->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        return false;
    const uint8_t *b = in6->sin6_addr.s6_addr + 12;
    snprintf(out, ADDRESS_TEXT, "%d.%d.%d.%d:%d", b[0], b[1], b[2], b[3], ntohs(in6->sin6_port));
    return true;
}

void address_format(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_TEXT])
{
    if (format_mapped(sa, out))
        return;
    char host[48], port[8];
    if (sa->sa_family == AF_UNIX)
        snprintf(out, ADDRESS_TEXT, "unix:%.50s", ((const struct sockaddr_un *)sa)->sun_path);
    else if (getnameinfo(
                 sa, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
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
