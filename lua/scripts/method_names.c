#include "lua/scripts/method_names.h"

#include "core/distance.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { COMMON = 9 }; /* the first of these, from RFC 9110 and RFC 5789: the others are too rare */

/* From IANA's registry. */
static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH",
    "TRACE", "CONNECT", "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL",
    "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE",
    "MOVE", "ORDERPATCH", "PRI", "PROPFIND", "PROPPATCH", "QUERY", "REBIND", "REPORT", "SEARCH",
    "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL"};

enum { KNOWN = sizeof known / sizeof *known };

/* Names that other frameworks use for all methods. */
static const char *const every[] = {"ANY", "ALL"};

static bool is_known(const char *name)
{
    for (int i = 0; i < KNOWN; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static const char *in_other_case(const char *name)
{
    for (int i = 0; i < KNOWN; i++)
        if (strcasecmp(name, known[i]) == 0)
            return known[i];
    return NULL;
}

static bool is_every(const char *name)
{
    for (size_t i = 0; i < sizeof every / sizeof *every; i++)
        if (strcasecmp(name, every[i]) == 0)
            return true;
    return false;
}

/* Whether two neighbouring letters have changed places. */
static bool is_swapped(const char *a, const char *b)
{
    size_t n = strlen(a), i = 0;
    if (n != strlen(b))
        return false;
    while (i < n && a[i] == b[i])
        i++;
    return i + 1 < n && a[i] == b[i + 1] && a[i + 1] == b[i] && strcmp(a + i + 2, b + i + 2) == 0;
}

/* Whether one letter differs. In GET and PUT it must not be the first: SET is no typing error for
 * GET. */
static bool is_near(const char *name, const char *of)
{
    if (is_swapped(name, of))
        return true;
    return distance(name, of) == 1 && (strlen(of) > 3 || name[0] == of[0]);
}

static const char *near_to(const char *name)
{
    char upper[DISTANCE_WORD + 1];
    size_t n = strlen(name);
    if (n > DISTANCE_WORD)
        return NULL;
    for (size_t i = 0; i <= n; i++)
        upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    for (int i = 0; i < COMMON; i++)
        if (is_near(upper, known[i]))
            return known[i];
    return NULL;
}

struct method_doubt method_names_doubt(const char *name)
{
    if (is_known(name) || strcmp(name, "*") == 0)
        return (struct method_doubt){NULL, ""};
    if (is_every(name))
        return (struct method_doubt){
            "the key \"*\" answers every method that the table does not name", ""};
    const char *meant = in_other_case(name);
    if (meant)
        return (struct method_doubt){
            "methods are case-sensitive, and no client sends this one", meant};
    meant = near_to(name);
    return (struct method_doubt){meant ? "no client sends this one" : NULL, meant ? meant : ""};
}
