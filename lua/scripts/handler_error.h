/* What happens when a handler fails: the log line, the error page or the reset. */
#ifndef LUA_SCRIPTS_HANDLER_ERROR_H
#define LUA_SCRIPTS_HANDLER_ERROR_H

#include <stdbool.h>

struct ctx;
struct task;

/*
 * A handler's task raised, or yielded out of itself (LUA_YIELD). Logs the error with its traceback,
 * runs the pending to-be-closed variables, and then answers 500 or, if the head has been sent,
 * resets the stream. An uncaught abort error is not a fault, and is logged at debug; so is an error
 * that has a status, which is then the answer's.
 *
 * Returns true if it did not answer: a task is to write the page, and c->failure, c->problem and
 * c->shown say which.
 */
bool handler_error_handle(struct task *t, int status);
/* A handler has returned after writing less than content-length says. As handler_error_handle. */
bool handler_error_short_body(struct ctx *c);

#endif
