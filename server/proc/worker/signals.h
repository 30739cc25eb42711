/* Signals that have no effect on a process, and none on the programs that it starts. */
#ifndef PROC_WORKER_SIGNALS_H
#define PROC_WORKER_SIGNALS_H

/* Catches a signal and does nothing. Were it ignored, programs that scripts start would ignore it
 * as well, and so run on after a SIGPIPE. */
void signals_disarm(int number);

#endif
