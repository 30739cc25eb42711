#include "proc/options/help.h"

#include "proc/options/kind.h"
#include "proc/options/options.h"

#include <stdio.h>
#include <string.h>

enum { HELP_WIDTH = 100, HELP_COLUMN = 36 };

/* Prints text from a column on, broken between words. */
static void print_wrapped(const char *text)
{
    for (int column = HELP_COLUMN; *text;) {
        int n = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += printf("%s%.*s", column > HELP_COLUMN ? " " : "", n, text);
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void print_flags(const struct definition *d)
{
    char flags[64];
    int n = d->letter ? snprintf(flags, sizeof flags, "-%c, ", d->letter)
                      : snprintf(flags, sizeof flags, "    ");
    snprintf(
        flags + n, sizeof flags - (size_t)n, "--%s %s", d->name, d->argument ? d->argument : "");
    printf("  %-33s ", flags);
}

static void print_option(const struct options *defaults, const struct definition *d)
{
    char shown[OPTIONS_SHOWN], text[1024];
    const char *value = options_kind_show(defaults, d, shown);
    snprintf(text, sizeof text, "%s%s%s%s%s", d->help,
        d->kind == OPTIONS_TEXTS ? "; repeatable" : "", *value ? " (default " : "", value,
        *value ? ")" : "");
    print_flags(d);
    print_wrapped(text);
}

void options_help(void)
{
    static const char *const heads[OPTIONS_SECTIONS] = {
        [OPTIONS_COMMAND] = "\nOn the command line alone:\n\n",
        [OPTIONS_SERVER] = "\nHere, or in the file that --config names:\n\n",
        [OPTIONS_UPSTREAMS] = "\nOther servers that answer, likewise:\n\n",
        [OPTIONS_LIMITS] =
            "\nLimits, likewise, which end one stream or one connection when they are passed (0 is "
            "none,\nwhere that makes sense):\n\n",
    };
    struct options defaults;
    options_init(&defaults);
    printf("Usage: moontrail [options] [FILE.lua | DIR]\n\n"
           "Serves Lua handlers over HTTP/2 and HTTP/1.1: one script for every request, or a\n"
           "folder of scripts routed by their paths (%s/ when neither is given).\n",
        defaults.scripts);
    for (int section = OPTIONS_COMMAND; section < OPTIONS_SECTIONS; section++) {
        fputs(heads[section], stdout);
        for (int i = 0; i < options_count; i++)
            if ((int)options_table[i].section == section)
                print_option(&defaults, &options_table[i]);
    }
    options_fini(&defaults);
}
