/*
 * What the runtime answers by itself: where no handler takes a request, and where one has failed.
 * With --dev, where the scripts on disk do not load, each response says so in the field
 * "moontrail-fault", and each of these pages shows it.
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
/* With --dev: marks the response that a handler of the script is about to make. Whoever loads the
 * page of a script whose file does not load any more is answered with that: true then. */
bool answer_mark(const struct vm *vm, struct exchange *x, const struct script_file *file);

#endif
