/*
 * A setting: a name and a value, as a configuration gives them. It is all that the reader of a
 * configuration and the code that applies it know of each other.
 */
#ifndef CORE_SETTING_H
#define CORE_SETTING_H

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>

enum setting_kind {
    SETTING_TEXT,   /* one text */
    SETTING_TEXTS,  /* a list of them */
    SETTING_NUMBER, /* whole or not */
    SETTING_SWITCH, /* on or off */
    SETTING_OTHER,  /* a kind that no option has */
};

struct setting {
    const char *name;
    enum setting_kind kind;
    union {
        const char *text;
        struct {
            const char *const *texts;
            size_t count;
        };
        double number;
        bool on;
        const char *type; /* of SETTING_OTHER: what the configuration's language calls it */
    };
};

enum { SETTING_WHY = 512 };

/* Takes a setting, of which it keeps only copies. RC_INVALID, RC_NOMEM: why then holds a phrase
 * that begins with the setting's name. */
typedef enum rc setting_taker(void *data, const struct setting *s, char why[SETTING_WHY]);
/* Reads a file, and gives each of its settings to take. Fails where take does, and where the file
 * does not load; why then holds one line that names the file. */
typedef enum rc setting_reader(
    const char *file, setting_taker *take, void *data, char why[SETTING_WHY]);

#endif
