/*
 * The configuration file: a Lua chunk that returns a table of settings, run in a state of its own
 * with the standard libraries. What a name means, and which values it takes, is for the taker.
 */
#ifndef LUA_CONFIG_H
#define LUA_CONFIG_H

#include "core/setting.h"

enum {
    CONFIG_SECONDS = 5,       /* that a file may run */
    CONFIG_MEMORY = 64 << 20, /* bytes that it may take */
};

/* A setting_reader. Names are given with hyphens, however the file spells them. */
enum rc config_read(
    const char *file, setting_taker *take, void *data, char why[SETTING_WHY]) MUST_CHECK;

#endif
