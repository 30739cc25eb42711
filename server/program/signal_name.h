/* Signals by their names: "SIGTERM", "SIGRTMIN+3". */
#ifndef PROGRAM_SIGNAL_NAME_H
#define PROGRAM_SIGNAL_NAME_H

enum {
    SIGNAL_NAME = 24,
    SIGNAL_TERM = 15,
    SIGNAL_LAST = 64,
};

/* The name is written to out, which is returned. */
const char *signal_name(int number, char out[SIGNAL_NAME]);
/* 0 for a name that there is not. */
int signal_number(const char *name);

#endif
