/*
 * What the runtime answers by itself: where no handler takes a request, and where one has failed.
 * With --dev each response says so, in the field "moontrail-fault", when the scripts on disk do not
 * load.
 */
#ifndef LUA_SCRIPTS_ANSWER_H
#define LUA_SCRIPTS_ANSWER_H

#include "core/str.h"

struct exchange;
struct vm;

/* A status with its name as the text; allow, the methods that the path has, may be NULL. */
void answer_status(const struct vm *vm, struct exchange *x, int status, const char *allow);
/* 500, or where the head is out already a reset. */
void answer_failure(const struct vm *vm, struct exchange *x, struct str page);
/* 503, since there are no scripts to answer; with --dev it says why. */
void answer_without_scripts(const struct vm *vm, struct exchange *x);
/* Marks the response that a handler is about to make. */
void answer_mark(const struct vm *vm, struct exchange *x);

#endif
