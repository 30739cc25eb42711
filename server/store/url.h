/* What --store says: where the store lies. */
#ifndef STORE_URL_H
#define STORE_URL_H

#include "core/rc.h"

#include <stdint.h>

enum store_place { STORE_IN_MEMORY, STORE_IN_FILE, STORE_IN_REDIS };

struct store_url {
    enum store_place place;
    const char *path; /* of the file; lies in the text */
};

enum { STORE_WHY = 512 };

/* RC_INVALID; why then says what is wrong, and the cure. */
enum rc store_url_parse(const char *text, struct store_url *out, char why[STORE_WHY]) MUST_CHECK;

#endif
