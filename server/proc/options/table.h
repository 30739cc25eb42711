/*
 * The table of options: the one place that names them. The command line, the configuration file,
 * --help and the manuals read it.
 */
#ifndef PROC_OPTIONS_TABLE_H
#define PROC_OPTIONS_TABLE_H

#include <stddef.h>

/* What its value is, and the type of its field in struct options. */
enum options_kind {
    OPTIONS_SWITCH,       /* bool */
    OPTIONS_COUNT,        /* uint32_t */
    OPTIONS_POSITIVE,     /* uint32_t, above 0 */
    OPTIONS_WORKER_COUNT, /* int, from 1 to OPTIONS_WORKERS, or OPTIONS_AUTO */
    OPTIONS_SECONDS,      /* double */
    OPTIONS_TEXT,         /* const char *, which may be NULL */
    OPTIONS_TEXTS,        /* struct options_list: it is repeatable */
    OPTIONS_STORE,        /* const char *, a URL of store/url.h */
    OPTIONS_CHOICE,       /* an enum, whose constants are places in choices */
};

enum { OPTIONS_AUTO = 0 }; /* of OPTIONS_WORKER_COUNT: as the machine is */

enum options_section {
    OPTIONS_OPERAND, /* on the command line it has no name */
    OPTIONS_COMMAND, /* for the command line alone */
    OPTIONS_SERVER,
    OPTIONS_UPSTREAMS,
    OPTIONS_LIMITS,
    OPTIONS_SECTIONS
};

struct definition {
    enum options_section section;
    const char *name; /* with hyphens */
    char letter;      /* 0 for none */
    enum options_kind kind;
    size_t offset;              /* of the field */
    const char *argument;       /* as help shows it; NULL for a switch */
    const char *help;           /* without the default */
    const char *const *choices; /* of OPTIONS_CHOICE; ends with NULL */
};

extern const struct definition options_table[];
extern const int options_count;

/* The option of a name; NULL. */
const struct definition *options_find(const char *name);
/* For a name that is no option's: the option with the most similar name; NULL if none is
 * similar. */
const struct definition *options_nearest(const char *name);

#endif
