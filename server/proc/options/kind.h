/* The kinds of options: how a setting becomes the value of a field, and how a field is shown. */
#ifndef PROC_OPTIONS_KIND_H
#define PROC_OPTIONS_KIND_H

#include "core/setting.h"
#include "proc/options/table.h"

struct options;

enum { OPTIONS_SHOWN = 256 };

/* Sets the option. The phrase that it gives says what the setting is not ("is above 0"), or NULL;
 * it may lie in room. */
const char *options_kind_set(
    struct options *o, const struct definition *d, const struct setting *s, char room[SETTING_WHY]);
/* What an argument of the command line stands for; it is borrowed. */
struct setting options_kind_read(const struct definition *d, const char *arg);
/* The value as text; "" if there is none, and for a switch. */
const char *options_kind_show(
    const struct options *o, const struct definition *d, char out[OPTIONS_SHOWN]);

#endif
