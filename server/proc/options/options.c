#include "proc/options/options.h"

#include "proc/options/elsewhere.h"
#include "proc/options/kind.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { STRINGS_MAX = 1 << 20, FIRST_LONG = 256 };

void options_init(struct options *o)
{
    *o = (struct options){.listen = {{"https://127.0.0.1:8443", "http://127.0.0.1:8080"}, 2},
        .scripts = "scripts",
        .log_level = LOG_INFO,
        .log_format = LOG_TEXT,
        .grace = 30,
        .store = "memory:",
        .store_size = 64,
        .heartbeat_timeout = 10,
        .ticket_rotation = 3600,
        .max_cpu = 0.1,
        .load_timeout = 10,
        .max_vm_memory = 512,
        .max_generations = 8,
        .body_limit = 1 << 20,
        .proxy = proxy_options_default,
        .pool = pool_limits_default,
        .net = net_limits_default,
        .http = http_limits_default,
        .h2 = h2_limits_default};
    arena_init(&o->strings, NULL, 0, STRINGS_MAX);
}

void options_fini(struct options *o)
{
    arena_fini(&o->strings);
}

bool options_is_set(const struct options *o, const char *name)
{
    const struct definition *d = options_find(name);
    return d && o->set_by[d - options_table] != OPTIONS_DEFAULT;
}

/* Writes what is wrong with a setting: its name, the problem, the value. */
static void complain(const struct setting *s, const char *problem, char why[OPTIONS_WHY])
{
    char value[240] = "a list";
    if (s->kind == SETTING_TEXT)
        snprintf(value, sizeof value, "\"%.200s\"", s->text);
    else if (s->kind == SETTING_NUMBER)
        snprintf(value, sizeof value, "%.17g", s->number);
    else if (s->kind == SETTING_SWITCH)
        snprintf(value, sizeof value, "%s", s->on ? "true" : "false");
    else if (s->kind == SETTING_OTHER)
        snprintf(value, sizeof value, "a %.200s", s->type);
    snprintf(why, OPTIONS_WHY, "%.64s %.200s, not %s", s->name, problem, value);
}

static enum rc apply(
    struct options *o, const struct definition *d, const struct setting *s, char why[OPTIONS_WHY])
{
    char room[SETTING_WHY];
    const char *problem = options_kind_set(o, d, s, room);
    if (problem)
        complain(s, problem, why);
    return problem ? RC_INVALID : RC_OK;
}

/* The configuration file. */

static void say_unknown(const char *name, char why[OPTIONS_WHY])
{
    const struct elsewhere *here = options_elsewhere(name);
    const struct definition *near = options_nearest(name);
    if (here && here->value)
        snprintf(why, OPTIONS_WHY, "\"%.200s\" is unknown: here it is %s = \"%s\"", name,
            here->name, here->value);
    else if (here)
        snprintf(why, OPTIONS_WHY, "\"%.200s\" is unknown: here it is %s", name, here->name);
    else
        snprintf(why, OPTIONS_WHY, "\"%.200s\" is unknown%s%s", name,
            near ? ": the nearest option is " : "", near ? near->name : "");
}

enum rc options_set(void *options, const struct setting *s, char why[SETTING_WHY])
{
    const struct definition *d = options_find(s->name);
    if (d && d->section != OPTIONS_COMMAND)
        return apply(options, d, s, why);
    if (d)
        snprintf(why, OPTIONS_WHY, "%s is for the command line alone", d->name);
    else
        say_unknown(s->name, why);
    return RC_INVALID;
}

static enum rc pair_certs(struct options *o, char why[OPTIONS_WHY])
{
    if (o->cert.count != o->key.count) {
        snprintf(why, OPTIONS_WHY, "cert and key come in pairs: %d and %d are given", o->cert.count,
            o->key.count);
        return RC_INVALID;
    }
    o->cert_count = o->cert.count;
    for (int i = 0; i < o->cert_count; i++)
        o->certs[i] = (struct tls_files){.cert = o->cert.items[i], .key = o->key.items[i]};
    return RC_OK;
}

/* All errors in the file give RC_SYSTEM: a reload can go on without it. */
static enum rc read_file(
    struct options *o, const char *file, setting_reader *read, char why[OPTIONS_WHY])
{
    char problem[OPTIONS_WHY];
    o->source = OPTIONS_FILE;
    if (read(file, options_set, o, why))
        return RC_SYSTEM;
    if (!pair_certs(o, problem))
        return RC_OK;
    snprintf(why, OPTIONS_WHY, "%.300s: %.200s", file, problem);
    return RC_SYSTEM;
}

/* The command line. */

struct flags {
    struct option longs[OPTIONS_MAX + 1];
    char shorts[3 * OPTIONS_MAX + 2];
};

static void fill_flags(struct flags *f)
{
    struct option *next = f->longs;
    char *shorts = f->shorts;
    *shorts++ = ':';
    for (int i = 0; i < options_count; i++) {
        const struct definition *d = &options_table[i];
        if (d->section == OPTIONS_OPERAND)
            continue;
        *next++ = (struct option){
            d->name, d->argument ? required_argument : no_argument, NULL, FIRST_LONG + i};
        if (d->letter)
            *shorts++ = d->letter;
        if (d->letter && d->argument)
            *shorts++ = ':';
    }
    *next = (struct option){0};
    *shorts = '\0';
}

static const struct definition *definition_of(int code)
{
    if (code >= FIRST_LONG)
        return &options_table[code - FIRST_LONG];
    for (int i = 0; i < options_count; i++)
        if (options_table[i].letter == code)
            return &options_table[i];
    return NULL;
}

/* The argument that getopt_long has just refused: a word, or one letter of a word. It need not be
 * at the position where the search began, since operands are moved to the end. */
static const char *refused(char *const *argv, char letter[3])
{
    if (optopt == 0 || optopt >= FIRST_LONG)
        return argv[optind - 1];
    snprintf(letter, 3, "-%c", optopt);
    return letter;
}

static void refuse_unknown(const char *given, char why[OPTIONS_WHY])
{
    bool is_long = strncmp(given, "--", 2) == 0;
    const struct elsewhere *here = options_elsewhere(given + 1 + is_long);
    const struct definition *near = is_long ? options_nearest(given + 2) : NULL;
    if (here)
        snprintf(why, OPTIONS_WHY, "option \"%.200s\" is unknown: here it is --%s%s%s", given,
            here->name, here->value ? " " : "", here->value ? here->value : "");
    else if (near && near->section != OPTIONS_OPERAND)
        snprintf(why, OPTIONS_WHY, "option \"%.200s\" is unknown: the nearest is --%s", given,
            near->name);
    else
        snprintf(why, OPTIONS_WHY, "option \"%.200s\" is unknown: see moontrail --help", given);
}

static void refuse_flag(const char *given, int code, char why[OPTIONS_WHY])
{
    if (code == ':')
        snprintf(
            why, OPTIONS_WHY, "option \"%.200s\" lacks its argument: see moontrail --help", given);
    else if (optopt >= FIRST_LONG)
        snprintf(
            why, OPTIONS_WHY, "option \"%.200s\" takes no argument: see moontrail --help", given);
    else
        refuse_unknown(given, why);
}

static enum rc take_flag(struct options *o, int code, const char *arg, char why[OPTIONS_WHY])
{
    char problem[OPTIONS_WHY];
    const struct definition *d = definition_of(code);
    const struct setting s = options_kind_read(d, arg);
    enum rc rc = apply(o, d, &s, problem);
    if (rc)
        snprintf(why, OPTIONS_WHY, "option --%.500s", problem);
    return rc;
}

static enum rc take_operand(struct options *o, int argc, char **argv, char why[OPTIONS_WHY])
{
    if (argc - optind > 1) {
        snprintf(why, OPTIONS_WHY, "one script or folder is served, not \"%.200s\" as well",
            argv[optind + 1]);
        return RC_INVALID;
    }
    if (argc == optind)
        return RC_OK;
    const struct setting s = {.name = "scripts", .kind = SETTING_TEXT, .text = argv[optind]};
    return apply(o, options_find("scripts"), &s, why);
}

static enum rc read_flags(struct options *o, int argc, char **argv, char why[OPTIONS_WHY])
{
    struct flags flags = {0};
    enum rc rc = RC_OK;
    fill_flags(&flags);
    o->source = OPTIONS_FLAG;
    opterr = 0;
    optind = 0; /* starts anew */
    while (!rc) {
        char letter[3];
        int code = getopt_long(argc, argv, flags.shorts, flags.longs, NULL);
        if (code == -1)
            return take_operand(o, argc, argv, why);
        if (code == '?' || code == ':') {
            refuse_flag(refused(argv, letter), code, why);
            rc = RC_INVALID;
        } else {
            rc = take_flag(o, code, optarg, why);
        }
    }
    return rc;
}

/* Flags override the file, so they are read again after it; the first pass finds its name. */
static enum rc read_all(
    struct options *o, int argc, char **argv, setting_reader *read, char why[OPTIONS_WHY])
{
    enum rc rc = read_flags(o, argc, argv, why);
    const char *file = o->config;
    if (rc || !file || o->help || o->version)
        return rc;
    options_init(o);
    rc = read_file(o, file, read, why);
    return rc ? rc : read_flags(o, argc, argv, why);
}

/* The number of cores that this process may run on. */
static int count_cores(void)
{
    cpu_set_t cores;
    int count = sched_getaffinity(0, sizeof cores, &cores) ? 1 : CPU_COUNT(&cores);
    return count < OPTIONS_WORKERS ? count : OPTIONS_WORKERS;
}

/* Derives what was not set from other options. */
static void conclude(struct options *o)
{
    if (o->dev && !options_is_set(o, "log-level"))
        o->log_level = LOG_DEBUG;
    if (o->dev && !options_is_set(o, "workers"))
        o->workers = 1;
    if (o->workers == OPTIONS_AUTO)
        o->workers = count_cores();
    if (!options_is_set(o, "upstream-max-each"))
        o->pool.max_each = o->pool.max_conns / 2 + o->pool.max_conns % 2;
    o->watch |= o->dev;
}

enum rc options_parse(
    int argc, char **argv, setting_reader *read, struct options *out, char why[OPTIONS_WHY])
{
    options_init(out);
    enum rc rc = read_all(out, argc, argv, read, why);
    if (!rc)
        rc = pair_certs(out, why);
    if (rc)
        options_fini(out);
    else
        conclude(out);
    return rc;
}
