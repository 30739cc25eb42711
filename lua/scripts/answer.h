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

/* Answers a status with its name as the text. allow, the methods of the path, may be NULL. */
void answer_status(const struct vm *vm, struct exchange *x, int status, const char *allow);
/* Answers 500 with the text or, if the head has been sent, resets. */
void answer_failure(const struct vm *vm, struct exchange *x, struct str text);
/* Answers 503, since there are no scripts; with --dev it says why. */
void answer_without_scripts(const struct vm *vm, struct exchange *x);
/* With --dev: marks the response that a handler of the script is about to make. If by now the
 * script's file does not load and a browser asks for the page, answers with that error instead, and
 * returns true. */
bool answer_mark(const struct vm *vm, struct exchange *x, const struct script_file *file);

#endif
