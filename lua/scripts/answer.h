/*
 * What the runtime answers by itself, if no handler takes a request or one has failed. With --dev,
 * while the scripts on disk do not load, each response says so in the field "moontrail-fault", and
 * each of these pages shows it.
 */
#ifndef LUA_SCRIPTS_ANSWER_H
#define LUA_SCRIPTS_ANSWER_H

#include "core/str.h"

#include <stdbool.h>

struct exchange;
struct script_file;
struct vm;

/* A status with its name as the text; allow, the methods that the path has, may be NULL. */
void answer_status(const struct vm *vm, struct exchange *x, int status, const char *allow);
/* 500 with the text, or where the head is out already a reset. */
void answer_failure(const struct vm *vm, struct exchange *x, struct str text);
/* 503, since there are no scripts to answer; with --dev it says why. */
void answer_without_scripts(const struct vm *vm, struct exchange *x);
/* With --dev: marks the response that a handler of the script is about to make. If the script's
 * file fails to load by now and a browser asks for the page, the answer is that error: true
 * then. */
bool answer_mark(const struct vm *vm, struct exchange *x, const struct script_file *file);

#endif
