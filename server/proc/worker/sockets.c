#include "proc/worker/sockets.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool same_place(const struct address *a, const struct address *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/* How well a socket of old serves what is wanted: 0 is not at all. */
static int fits(const struct sockets_address *old, const struct address *wanted)
{
    char text[ADDRESS_TEXT];
    if (same_place(&old->address, wanted))
        return old->address.kind == wanted->kind ? 3 : 2;
    return address_resolve(wanted, text) == RC_OK && strcmp(old->bound, text) == 0;
}

/* Takes the best of old that nobody has taken; NULL where there is none. */
static const struct sockets_address *find(
    const struct sockets *old, bool taken[SOCKETS_ADDRESSES], const struct address *wanted)
{
    int best = -1, best_fit = 0;
    for (int i = 0; i < old->count; i++) {
        int fit = taken[i] ? 0 : fits(&old->addresses[i], wanted);
        if (fit > best_fit) {
            best = i;
            best_fit = fit;
        }
    }
    if (best < 0)
        return NULL;
    taken[best] = true;
    return &old->addresses[best];
}

static enum rc add_sockets(struct sockets_address *a, int workers, char why[SOCKETS_WHY])
{
    enum rc rc = RC_OK;
    while (!rc && !a->shared && a->count < workers) {
        rc = a->count ? address_bind_again(a->fds[0], &a->fds[a->count], why)
                      : address_listen(&a->address, &a->fds[0], why);
        if (!rc)
            a->count++;
    }
    if (!rc)
        address_of_socket(a->fds[0], a->bound);
    return rc;
}

/* [::] takes IPv4 as well, where nothing else of its port is listed for that. */
static bool takes_both(const struct address *a, const struct options *o)
{
    struct address other;
    char why[ADDRESS_WHY];
    bool both = strcmp(a->host, "::") == 0;
    for (int i = 0; both && i < o->listen.count; i++)
        both = address_parse(o->listen.items[i], &other, why) || strchr(other.host, ':') ||
               strcmp(other.port, a->port) != 0;
    return both;
}

/* A socket has its families for life: one that is kept can't follow. */
static void tell_family(const struct sockets_address *kept, const struct address *wanted)
{
    if (!kept->shared && wanted->both_families && !address_takes_both(kept->fds[0]))
        log_event(LOG_WARN, "socket kept", log_str("listen", kept->bound),
            log_str("hint", "it takes no IPv4: restart, so that it does"));
}

/* The socket of old that has the place of an IPv4 address, since it takes both families. */
static const struct sockets_address *find_both(
    const struct sockets *old, const struct address *wanted)
{
    for (int i = 0; i < old->count && !strchr(wanted->host, ':'); i++)
        if (strcmp(old->addresses[i].address.port, wanted->port) == 0 &&
            address_takes_both(old->addresses[i].fds[0]))
            return &old->addresses[i];
    return NULL;
}

static void explain(const struct sockets *old, const struct address *wanted, char why[SOCKETS_WHY])
{
    const struct sockets_address *both = find_both(old, wanted);
    if (both)
        snprintf(why, SOCKETS_WHY,
            "cannot listen on %s:%s: the socket at %s, which is kept, takes IPv4 too: restart",
            wanted->host, wanted->port, both->bound);
}

static enum rc open_all(
    const struct sockets *old, const struct options *o, struct sockets *out, char why[SOCKETS_WHY])
{
    bool taken[SOCKETS_ADDRESSES] = {false};
    enum rc rc = RC_OK;
    for (int i = 0; !rc && i < o->listen.count; i++) {
        struct address wanted;
        rc = address_parse(o->listen.items[i], &wanted, why);
        if (rc)
            break;
        wanted.both_families = takes_both(&wanted, o);
        const struct sockets_address *found = find(old, taken, &wanted);
        struct sockets_address *a = &out->addresses[out->count++];
        if (found) {
            *a = *found;
            tell_family(found, &wanted);
        }
        a->address = wanted;
        rc = add_sockets(a, o->workers, why);
        if (rc)
            explain(old, &wanted, why);
    }
    return rc;
}

/* What was given to this process, where no address is asked for. */
static enum rc keep_all(
    const struct sockets *old, const struct options *o, struct sockets *out, char why[SOCKETS_WHY])
{
    enum rc rc = RC_OK;
    *out = *old;
    for (int i = 0; !rc && i < out->count; i++)
        rc = add_sockets(&out->addresses[i], o->workers, why);
    return rc;
}

enum rc sockets_open(
    const struct sockets *old, const struct options *o, struct sockets *out, char why[SOCKETS_WHY])
{
    *out = (struct sockets){0};
    enum rc rc = options_is_set(o, "listen") || old->count == 0 ? open_all(old, o, out, why)
                                                                : keep_all(old, o, out, why);
    if (rc)
        sockets_close(out, old);
    return rc;
}

static bool has(const struct sockets *s, int fd)
{
    for (int i = 0; s && i < s->count; i++) {
        for (int k = 0; k < s->addresses[i].count; k++) {
            if (s->addresses[i].fds[k] == fd)
                return true;
        }
    }
    return false;
}

void sockets_close(struct sockets *s, const struct sockets *kept)
{
    for (int i = 0; i < s->count; i++) {
        const struct sockets_address *a = &s->addresses[i];
        for (int k = 0; k < a->count; k++) {
            if (!has(kept, a->fds[k]))
                close(a->fds[k]);
        }
    }
    s->count = 0;
}

enum rc sockets_adopt(struct sockets *s, int fd, const struct listener_kind *kind)
{
    if (s->count == SOCKETS_ADDRESSES)
        return RC_LIMIT;
    struct sockets_address *a = &s->addresses[s->count];
    *a = (struct sockets_address){.shared = true, .count = 1, .fds = {fd}};
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK))
        return RC_SYSTEM;
    address_of_socket(fd, a->bound);
    enum rc rc = address_split(a->bound, &a->address);
    a->address.kind = kind;
    if (!rc)
        s->count++;
    return rc;
}

static bool serves(const struct sockets_address *a, int k, int worker, int workers)
{
    return a->shared || k == worker || k >= workers;
}

void sockets_keep_for_worker(struct sockets *s, int worker, int workers)
{
    for (int i = 0; i < s->count; i++) {
        const struct sockets_address *a = &s->addresses[i];
        for (int k = 0; k < a->count; k++) {
            if (!serves(a, k, worker, workers))
                close(a->fds[k]);
        }
    }
}

void sockets_of_worker(const struct sockets *s, int worker, int workers,
    void (*serve)(void *data, int fd, const struct listener_kind *kind), void *data)
{
    for (int i = 0; i < s->count; i++) {
        const struct sockets_address *a = &s->addresses[i];
        for (int k = 0; k < a->count; k++) {
            if (serves(a, k, worker, workers))
                serve(data, a->fds[k], a->address.kind);
        }
    }
}

void sockets_format(const struct sockets *s, char out[SOCKETS_TEXT])
{
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < s->count; i++) {
        const struct sockets_address *a = &s->addresses[i];
        len += (size_t)snprintf(out + len, SOCKETS_TEXT - len, "%s%.*s://%s", i ? "," : "",
            (int)a->address.kind->scheme.n, a->address.kind->scheme.p, a->bound);
    }
}

/* For each address "https://HOST:PORT 3 4 5;", with an asterisk in front where it is shared. */
char *sockets_export(const struct sockets *s)
{
    char url[ADDRESS_URL];
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    for (int i = 0; i < s->count; i++) {
        const struct sockets_address *a = &s->addresses[i];
        address_url(&a->address, url);
        fprintf(f, "%s%s", a->shared ? "*" : "", url);
        for (int k = 0; k < a->count; k++)
            fprintf(f, " %d", a->fds[k]);
        fputc(';', f);
    }
    return fclose(f) ? NULL : text;
}

static enum rc import_one(char *text, struct sockets_address *a)
{
    char why[ADDRESS_WHY];
    char *rest = NULL;
    *a = (struct sockets_address){.shared = *text == '*'};
    const char *url = strtok_r(text + a->shared, " ", &rest);
    if (!url || address_parse(url, &a->address, why))
        return RC_INVALID;
    for (char *fd; (fd = strtok_r(NULL, " ", &rest)) && a->count < OPTIONS_WORKERS; a->count++) {
        a->fds[a->count] = atoi(fd);
        if (fcntl(a->fds[a->count], F_SETFD, FD_CLOEXEC))
            return RC_INVALID;
    }
    if (a->count == 0)
        return RC_INVALID;
    address_of_socket(a->fds[0], a->bound);
    return RC_OK;
}

enum rc sockets_import(const char *text, struct sockets *out)
{
    char *rest = NULL, *copy = strdup(text);
    enum rc rc = copy ? RC_OK : RC_NOMEM;
    out->count = 0;
    for (char *one = copy ? strtok_r(copy, ";", &rest) : NULL; !rc && one;
         one = strtok_r(NULL, ";", &rest)) {
        if (out->count == SOCKETS_ADDRESSES)
            rc = RC_INVALID;
        else
            rc = import_one(one, &out->addresses[out->count++]);
    }
    free(copy);
    return rc;
}
