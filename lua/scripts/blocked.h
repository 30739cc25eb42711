/*
 * Handlers that run for long without waiting, and so hold up all requests of their worker: logged
 * once they wait or end, and described to the master, if it asks, while they run.
 */
#ifndef LUA_SCRIPTS_BLOCKED_H
#define LUA_SCRIPTS_BLOCKED_H

struct task;
struct vm;

/* For vm.blocked: logs the task, if it took long enough to be worth a line. */
void blocked_report(struct task *t);
/* Writes what runs to the process's activity. Safe in a signal handler. */
void blocked_describe(const struct vm *vm);

#endif
