/* What becomes of a handler that fails: the log line, the error page or the reset. */
#ifndef LUA_SCRIPTS_HANDLER_ERROR_H
#define LUA_SCRIPTS_HANDLER_ERROR_H

struct ctx;
struct task;

/* A handler's task raised, or yielded out of itself (LUA_YIELD). Logs the error with its traceback,
 * runs the pending to-be-closed variables, and then answers 500, or resets the stream where the
 * head is out. An uncaught abort error is no fault, and is logged at debug. */
void handler_error_handle(struct task *t, int status);
/* A handler returned having written less than content-length says. */
void handler_error_short_body(struct ctx *c);

#endif
