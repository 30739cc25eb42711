#include "store/url.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * redis://[USER:PASSWORD@]HOST[:PORT][/DB][?prefix=TEXT], or rediss:// for TLS.
 */

enum { PREFIX = 64, PORT = 65535, DIGITS = 9 };

static const char is_a_store[] =
    "is memory:, file:PATH or redis://[USER:PASSWORD@]HOST[:PORT][/DB][?prefix=TEXT]";

static const char *behind(const char *text, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncmp(text, scheme, n) == 0 ? text + n : NULL;
}

/* A number that takes all of the n bytes. */
static bool is_number(const char *p, size_t n, long least, long most)
{
    if (n == 0 || n > DIGITS || strspn(p, "0123456789") < n)
        return false;
    long number = strtol(p, NULL, 10);
    return number >= least && number <= most;
}

static bool is_port(const char *p, size_t n)
{
    return n == 0 || (p[0] == ':' && is_number(p + 1, n - 1, 1, PORT));
}

/* HOST[:PORT], the host of IPv6 in brackets. */
static bool is_place(const char *p, size_t n)
{
    size_t host = *p == '[' ? strcspn(p, "]") + 1 : strcspn(p, ":/?@");
    size_t least = *p == '[' ? 3 : 1;
    return host >= least && host <= n && is_port(p + host, n - host);
}

static const char *check_authority(const char *p, size_t n)
{
    const char *at = memrchr(p, '@', n);
    const char *place = at ? at + 1 : p;
    if (at && !memchr(p, ':', (size_t)(at - p)))
        return "has a password behind its user: USER:PASSWORD@, where USER may be empty";
    if (!is_place(place, (size_t)(p + n - place)))
        return "names a host behind redis://, and a port up to 65535 where it has one";
    return NULL;
}

static const char *check_prefix(const char *query)
{
    const char *prefix = behind(query, "?prefix=");
    size_t n = prefix ? strcspn(prefix, "&#? \t\r\n") : 0;
    if (n < 1 || n > PREFIX || prefix[n])
        return "takes no option but ?prefix=TEXT, of 1 to 64 bytes";
    return NULL;
}

/* What is wrong, or NULL. */
static const char *check_redis(const char *p)
{
    size_t authority = strcspn(p, "/?#");
    const char *wrong = check_authority(p, authority);
    const char *path = p + authority;
    size_t n = strcspn(path, "?");
    if (!wrong && n > 1 && !is_number(path + 1, n - 1, 0, LONG_MAX))
        wrong = "has the number of a database behind the host: /0";
    if (!wrong && path[n])
        wrong = check_prefix(path + n);
    return wrong;
}

static bool is_redis(const char *text, const char **rest)
{
    return (*rest = behind(text, "redis://")) || (*rest = behind(text, "rediss://"));
}

enum rc store_url_parse(const char *text, struct store_url *out, char why[STORE_WHY])
{
    const char *rest, *wrong = is_a_store;
    *out = (struct store_url){0};
    if ((rest = behind(text, "memory:")) && !*rest) {
        out->place = STORE_IN_MEMORY;
        return RC_OK;
    }
    if ((rest = behind(text, "file:")) && *rest && strncmp(rest, "//", 2) != 0) {
        *out = (struct store_url){STORE_IN_FILE, rest};
        return RC_OK;
    }
    if (is_redis(text, &rest)) {
        out->place = STORE_IN_REDIS;
        wrong = check_redis(rest);
    }
    if (!wrong)
        return RC_OK;
    snprintf(why, STORE_WHY, "%s", wrong);
    return RC_INVALID;
}
