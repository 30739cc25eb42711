#include "proc/master/setup.h"

#include "core/check.h"
#include "core/log.h"
#include "net/access_log.h"
#include "net/tls.h"
#include "net/tls_tickets.h"
#include "proc/master/watch.h"
#include "proc/worker/user.h"
#include "store/area.h"
#include "store/url.h"

#include <stdio.h>
#include <unistd.h>

static bool has_tls(const struct sockets *s)
{
    for (int i = 0; i < s->count; i++) {
        if (s->addresses[i].address.kind->tls)
            return true;
    }
    return false;
}

/* A self-signed certificate is only for development on this machine. */
static enum rc check_certificates(const struct setup *s, char why[SERVICE_WHY])
{
    if (s->options.cert_count || s->options.dev)
        return RC_OK;
    for (int i = 0; i < s->sockets.count; i++) {
        const struct sockets_address *a = &s->sockets.addresses[i];
        char url[ADDRESS_URL];
        if (!a->address.kind->tls || address_is_loopback(a->fds[0]))
            continue;
        address_url(&a->address, url);
        snprintf(why, SERVICE_WHY,
            "%s is not a loopback address, and there is no certificate for it: give --cert "
            "and --key, or --dev for one made in memory",
            url);
        return RC_SYSTEM;
    }
    return RC_OK;
}

static enum rc make_tls(struct setup *s, const struct tls_tickets *tickets, char why[SERVICE_WHY])
{
    enum rc rc = check_certificates(s, why);
    if (rc || !has_tls(&s->sockets))
        return rc;
    if (tls_new(s->options.certs, (size_t)s->options.cert_count, &s->tls, why))
        return RC_SYSTEM;
    if (s->options.cert_count)
        tls_warn(s->tls, s->options.certs);
    tls_tickets_use(s->tls, tickets);
    return RC_OK;
}

/* FNV-1a, of 64 bits. */
static uint64_t digest_bytes(uint64_t digest, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ (unsigned char)bytes[i]) * 0x100000001b3;
    return digest;
}

static uint64_t digest_file(uint64_t digest, const char *path)
{
    char bytes[4096];
    size_t n;
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!f)
        return digest_bytes(digest, "", 1);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
        digest = digest_bytes(digest, bytes, n);
    fclose(f);
    return digest;
}

/* The command line does not change, but the files that it names may. */
static uint64_t digest_files(const struct options *o)
{
    uint64_t digest = digest_file(0xcbf29ce484222325, o->config);
    for (int i = 0; i < o->cert_count; i++) {
        digest = digest_file(digest, o->certs[i].cert);
        digest = digest_file(digest, o->certs[i].key);
    }
    return digest;
}

bool setup_is_current(const struct setup *s)
{
    return digest_files(&s->options) == s->digest;
}

static enum rc open_access_log(struct setup *s, uid_t worker, char why[SERVICE_WHY])
{
    const struct options *o = &s->options;
    if (!o->access_log)
        return RC_OK;
    return access_log_open(o->access_log, o->access_log_format, worker, &s->access_log, why);
}

/* What is in a file needs less beside it: locks, limits, and what else ends with the processes. */
static uint32_t area_size(const struct options *o)
{
    enum { LEAST = 8, PART = 4 };
    struct store_url url;
    char why[STORE_WHY];
    if (store_url_parse(o->store, &url, why) || url.place == STORE_IN_MEMORY)
        return o->store_size;
    return o->store_size / PART > LEAST ? o->store_size / PART : LEAST;
}

/* What the store has in memory stays with the setups to come, as long as they want as much. */
static enum rc keep_area(struct setup *s, const struct setup *before, char why[SERVICE_WHY])
{
    uint32_t size = area_size(&s->options);
    if (before->area && before->area->size == size) {
        s->area = before->area;
        return RC_OK;
    }
    if (before->area)
        log_event(LOG_WARN, "store begins empty", log_str("reason", "it has another size"),
            log_int("mib", size));
    return area_new(size, s->options.workers, &s->area, why);
}

enum rc setup_read(struct setup *s, const struct setup_source *from, const struct setup *before,
    const struct tls_tickets *tickets, char why[SERVICE_WHY])
{
    check(s->number == 0); /* *s must not be in force */
    *s = (struct setup){0};
    enum rc rc = options_parse(from->argc, from->argv, from->read_config, &s->options, why);
    if (rc)
        return rc;
    s->digest = digest_files(&s->options);
    uid_t worker = geteuid();
    if (s->options.user)
        rc = user_check(s->options.user, &worker, why);
    if (!rc)
        rc = open_access_log(s, worker, why);
    if (!rc)
        rc = sockets_open(&before->sockets, &s->options, &s->sockets, why);
    if (!rc)
        rc = make_tls(s, tickets, why);
    if (!rc)
        rc = keep_area(s, before, why);
    if (rc)
        setup_free(s, before);
    return rc;
}

void setup_end_watch(struct setup *s)
{
    if (s->watch)
        watch_free(s->watch);
    s->watch = NULL;
}

void setup_free(struct setup *s, const struct setup *kept)
{
    sockets_close(&s->sockets, kept ? &kept->sockets : NULL);
    tls_free(s->tls);
    if (s->access_log)
        access_log_close(s->access_log);
    if (s->area && (!kept || kept->area != s->area))
        area_free(s->area);
    setup_end_watch(s);
    options_fini(&s->options);
    *s = (struct setup){0};
}
