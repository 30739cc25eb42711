#include "proc/options/kind.h"

#include "proc/options/options.h"
#include "store/url.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target of a setting, and room for a problem's text. */
struct target {
    struct options *options;
    const struct definition *definition;
    void *field;
    char *room;
};

static const char no_memory[] = "is more than memory holds";
static const char is_empty[] = "is not empty";

static const char *set_switch(const struct target *t, const struct setting *s)
{
    if (s->kind != SETTING_SWITCH)
        return "is true or false";
    *(bool *)t->field = s->on;
    return NULL;
}

static const char *set_count(const struct target *t, const struct setting *s)
{
    if (s->kind != SETTING_NUMBER || !(s->number >= 0 && s->number <= INT32_MAX) ||
        s->number != floor(s->number))
        return "is a whole number up to 2147483647";
    *(uint32_t *)t->field = (uint32_t)s->number;
    return NULL;
}

static const char *set_positive(const struct target *t, const struct setting *s)
{
    if (s->kind == SETTING_NUMBER && s->number == 0)
        return "is above 0";
    return set_count(t, s);
}

static const char *set_number(const struct target *t, const struct setting *s)
{
    bool is_auto = s->kind == SETTING_TEXT && strcmp(s->text, "auto") == 0;
    bool is_number = s->kind == SETTING_NUMBER && s->number >= 1 && s->number <= OPTIONS_WORKERS &&
                     s->number == floor(s->number);
    if (!is_auto && !is_number)
        return "is auto or a number from 1 to 256";
    *(int *)t->field = is_auto ? OPTIONS_AUTO : (int)s->number;
    return NULL;
}

static const char *set_seconds(const struct target *t, const struct setting *s)
{
    if (s->kind != SETTING_NUMBER || !isfinite(s->number) || s->number < 0)
        return "is a number of seconds, 0 or more";
    *(double *)t->field = s->number;
    return NULL;
}

/* Text from a file is copied; argv stays valid. NULL if memory runs out. */
static const char *keep(struct options *o, const char *text)
{
    return o->source == OPTIONS_FILE ? arena_copy(&o->strings, text, strlen(text)) : text;
}

static const char *set_text(const struct target *t, const struct setting *s)
{
    if (s->kind != SETTING_TEXT)
        return "is a text";
    if (!*s->text)
        return is_empty;
    const char *kept = keep(t->options, s->text);
    if (!kept)
        return no_memory;
    *(const char **)t->field = kept;
    return NULL;
}

static const char *set_store(const struct target *t, const struct setting *s)
{
    struct store_url url;
    if (s->kind != SETTING_TEXT)
        return "is a text";
    return store_url_parse(s->text, &url, t->room) ? t->room : set_text(t, s);
}

static const char *append(const struct target *t, const char *text)
{
    struct options_list *list = t->field;
    if (list->count == OPTIONS_MANY)
        return "is at most 16 values";
    if (!*text)
        return is_empty;
    list->items[list->count] = keep(t->options, text);
    return list->items[list->count++] ? NULL : no_memory;
}

/* Adds to the values of the same source, and replaces those of an earlier source. */
static const char *set_texts(const struct target *t, const struct setting *s)
{
    bool is_list = s->kind == SETTING_TEXTS;
    if ((!is_list && s->kind != SETTING_TEXT) || (is_list && s->count == 0))
        return "is a text or a list of texts";
    if (t->options->set_by[t->definition - options_table] != t->options->source)
        ((struct options_list *)t->field)->count = 0;
    const char *problem = is_list ? NULL : append(t, s->text);
    for (size_t i = 0; is_list && !problem && i < s->count; i++)
        problem = append(t, s->texts[i]);
    return problem;
}

static const char *list_choices(const struct target *t)
{
    size_t n = (size_t)snprintf(t->room, SETTING_WHY, "is one of ");
    for (const char *const *c = t->definition->choices; *c && n < SETTING_WHY; c++)
        n += (size_t)snprintf(t->room + n, SETTING_WHY - n, "%s%s", *c, c[1] ? ", " : "");
    return t->room;
}

static const char *set_choice(const struct target *t, const struct setting *s)
{
    const char *const *choices = t->definition->choices;
    for (unsigned i = 0; s->kind == SETTING_TEXT && choices[i]; i++) {
        if (strcmp(s->text, choices[i]) == 0) {
            *(unsigned *)t->field = i;
            return NULL;
        }
    }
    return list_choices(t);
}

const char *options_kind_set(
    struct options *o, const struct definition *d, const struct setting *s, char room[SETTING_WHY])
{
    static const char *(*const setters[])(const struct target *, const struct setting *) = {
        [OPTIONS_SWITCH] = set_switch,
        [OPTIONS_COUNT] = set_count,
        [OPTIONS_POSITIVE] = set_positive,
        [OPTIONS_WORKER_COUNT] = set_number,
        [OPTIONS_SECONDS] = set_seconds,
        [OPTIONS_TEXT] = set_text,
        [OPTIONS_TEXTS] = set_texts,
        [OPTIONS_STORE] = set_store,
        [OPTIONS_CHOICE] = set_choice,
    };
    const struct target target = {o, d, (char *)o + d->offset, room};
    const char *problem = setters[d->kind](&target, s);
    if (!problem)
        o->set_by[d - options_table] = (unsigned char)o->source;
    return problem;
}

static bool is_number(const char *arg)
{
    char *end;
    strtod(arg, &end);
    return end != arg && !*end && arg[strspn(arg, "0123456789.")] == '\0';
}

struct setting options_kind_read(const struct definition *d, const char *arg)
{
    bool is_numeric = d->kind >= OPTIONS_COUNT && d->kind <= OPTIONS_SECONDS;
    if (d->kind == OPTIONS_SWITCH)
        return (struct setting){.name = d->name, .kind = SETTING_SWITCH, .on = true};
    if (is_numeric && is_number(arg))
        return (struct setting){
            .name = d->name, .kind = SETTING_NUMBER, .number = strtod(arg, NULL)};
    return (struct setting){.name = d->name, .kind = SETTING_TEXT, .text = arg};
}

static void show_texts(const struct options_list *list, char out[OPTIONS_SHOWN])
{
    size_t n = 0;
    for (int i = 0; i < list->count && n < OPTIONS_SHOWN; i++)
        n += (size_t)snprintf(out + n, OPTIONS_SHOWN - n, "%s%s", i ? " and " : "", list->items[i]);
}

const char *options_kind_show(
    const struct options *o, const struct definition *d, char out[OPTIONS_SHOWN])
{
    const void *field = (const char *)o + d->offset;
    out[0] = '\0';
    switch (d->kind) {
    case OPTIONS_SWITCH:
        break;
    case OPTIONS_WORKER_COUNT:
        if (*(const int *)field == OPTIONS_AUTO)
            return "auto";
        snprintf(out, OPTIONS_SHOWN, "%d", *(const int *)field);
        break;
    case OPTIONS_COUNT:
    case OPTIONS_POSITIVE:
        snprintf(out, OPTIONS_SHOWN, "%u", *(const uint32_t *)field);
        break;
    case OPTIONS_SECONDS:
        snprintf(out, OPTIONS_SHOWN, "%g", *(const double *)field);
        break;
    case OPTIONS_TEXT:
    case OPTIONS_STORE:
        if (*(const char *const *)field)
            snprintf(out, OPTIONS_SHOWN, "%s", *(const char *const *)field);
        break;
    case OPTIONS_TEXTS:
        show_texts(field, out);
        break;
    case OPTIONS_CHOICE:
        return d->choices[*(const unsigned *)field];
    }
    return out;
}
