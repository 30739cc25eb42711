/*
 * Puts the options into a document: copies stdin to stdout, but for what lies between the lines
 * that say "options begin" and "options end", which is made anew from the table.
 *
 *     manual markdown|man <document
 */
#include "proc/options/kind.h"
#include "proc/options/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a document shows a section's options. */
struct style {
    void (*begin)(const char *title);
    void (*option)(const struct definition *d, const char *value);
};

static const char *const titles[OPTIONS_SECTIONS] = {
    [OPTIONS_OPERAND] = "What is served",
    [OPTIONS_COMMAND] = "On the command line alone",
    [OPTIONS_SERVER] = "Server",
    [OPTIONS_UPSTREAMS] = "Upstreams",
    [OPTIONS_LIMITS] = "Limits",
};

static const char *type_of(const struct definition *d)
{
    static const char *const types[] = {
        [OPTIONS_SWITCH] = "true or false",
        [OPTIONS_COUNT] = "whole number",
        [OPTIONS_POSITIVE] = "whole number above 0",
        [OPTIONS_WORKER_COUNT] = "whole number above 0, or \"auto\"",
        [OPTIONS_SECONDS] = "seconds",
        [OPTIONS_TEXT] = "text",
        [OPTIONS_TEXTS] = "text, or a list of texts",
        [OPTIONS_STORE] = "text",
        [OPTIONS_CHOICE] = "text",
    };
    return types[d->kind];
}

/* Markdown: a table for each section. */

static void begin_table(const char *title)
{
    printf("\n### %s\n\n| option | in the file | default | |\n|---|---|---|---|\n", title);
}

/* An argument as code in a cell, where "|" would end it. */
static void print_code(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\%c" : "%c", *text);
}

/* A name as it stands in a Lua table without quotes. */
static void print_key(const char *name)
{
    for (; *name; name++)
        putchar(*name == '-' ? '_' : *name);
}

static void print_row(const struct definition *d, const char *value)
{
    printf("| ");
    if (d->letter)
        printf("`-%c`, ", d->letter);
    printf("`%s%s", d->section == OPTIONS_OPERAND ? "" : "--",
        d->section == OPTIONS_OPERAND ? "" : d->name);
    printf("%s", d->argument && d->section != OPTIONS_OPERAND ? " " : "");
    print_code(d->argument ? d->argument : "");
    printf("` | ");
    if (d->section != OPTIONS_COMMAND) {
        putchar('`');
        print_key(d->name);
        printf("`: %s", type_of(d));
    }
    printf(" | %s | %s |\n", value, d->help);
}

/* The manual page, in the man macros. */

/* A hyphen that a reader may copy is "\-". */
static void print_roff(const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            putchar('\\');
        putchar(*text == '\\' ? 'e' : *text);
    }
}

static void begin_section(const char *title)
{
    printf(".SS %s\n", title);
}

static void print_paragraph(const struct definition *d, const char *value)
{
    printf(".TP\n");
    if (d->section == OPTIONS_OPERAND) {
        printf(".I ");
        print_roff(d->argument);
    } else {
        printf(".BR ");
        if (d->letter)
            printf("\\-%c \", \" ", d->letter);
        printf("\\-\\-");
        print_roff(d->name);
        if (d->argument)
            printf(" \" \\fI%s\\fP\"", d->argument);
    }
    putchar('\n');
    print_roff(d->help);
    if (d->kind == OPTIONS_TEXTS)
        printf("; repeatable");
    if (*value) {
        printf(" (default ");
        print_roff(value);
        putchar(')');
    }
    printf(".\n");
}

static void print_options(const struct style *style)
{
    struct options defaults;
    char shown[OPTIONS_SHOWN];
    options_init(&defaults);
    for (int section = 0; section < OPTIONS_SECTIONS; section++) {
        style->begin(titles[section]);
        for (int i = 0; i < options_count; i++) {
            const struct definition *d = &options_table[i];
            if ((int)d->section == section)
                style->option(d, options_kind_show(&defaults, d, shown));
        }
    }
    options_fini(&defaults);
}

static void filter(const struct style *style)
{
    char *line = NULL;
    size_t size = 0;
    bool inside = false;
    while (getline(&line, &size, stdin) > 0) {
        if (strstr(line, "options end"))
            inside = false;
        if (!inside)
            fputs(line, stdout);
        if (strstr(line, "options begin")) {
            inside = true;
            print_options(style);
        }
    }
    free(line);
}

int main(int argc, char **argv)
{
    static const struct style markdown = {begin_table, print_row};
    static const struct style man = {begin_section, print_paragraph};
    if (argc != 2)
        return EXIT_FAILURE;
    filter(strcmp(argv[1], "man") == 0 ? &man : &markdown);
    return EXIT_SUCCESS;
}
