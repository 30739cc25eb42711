#include "store/url.h"

#include <stdio.h>
#include <string.h>

static const char *behind(const char *text, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncmp(text, scheme, n) == 0 ? text + n : NULL;
}

enum rc store_url_parse(const char *text, struct store_url *out, char why[STORE_WHY])
{
    const char *rest;
    if ((rest = behind(text, "memory:")) && !*rest) {
        *out = (struct store_url){.place = STORE_IN_MEMORY};
        return RC_OK;
    }
    if ((rest = behind(text, "file:")) && *rest && strncmp(rest, "//", 2) != 0) {
        *out = (struct store_url){STORE_IN_FILE, rest};
        return RC_OK;
    }
    snprintf(why, STORE_WHY, "is memory: or file:PATH");
    return RC_INVALID;
}
