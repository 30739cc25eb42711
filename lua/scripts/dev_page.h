/*
 * The error page of --dev: what went wrong, and why the scripts on disk do not load, with the lines
 * around the fault. It is HTML for a browser that loads a page, else plain text.
 */
#ifndef LUA_SCRIPTS_DEV_PAGE_H
#define LUA_SCRIPTS_DEV_PAGE_H

#include "core/str.h"

#include <stdbool.h>

struct exchange;

struct dev_page {
    bool html;
    struct str text; /* up to the next page */
};

/* Whether the request asks for a page (Fetch Metadata: sec-fetch-dest; or accept). */
bool dev_page_is_wanted(const struct exchange *x);
/* For a status; text says what went wrong, and may be "". fault is why the scripts do not load, ""
 * where they do. */
struct dev_page dev_page_make(
    const struct exchange *x, int status, struct str text, const char *fault);

#endif
