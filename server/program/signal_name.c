#include "program/signal_name.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static_assert(SIGNAL_TERM == SIGTERM && SIGNAL_LAST == _NSIG - 1, "the system's numbers");

const char *signal_name(int number, char out[SIGNAL_NAME])
{
    const char *name = sigabbrev_np(number);
    if (name)
        snprintf(out, SIGNAL_NAME, "SIG%s", name);
    else if (number == SIGRTMIN)
        snprintf(out, SIGNAL_NAME, "SIGRTMIN");
    else if (number > SIGRTMIN && number <= SIGRTMAX)
        snprintf(out, SIGNAL_NAME, "SIGRTMIN+%d", number - SIGRTMIN);
    else
        snprintf(out, SIGNAL_NAME, "%d", number);
    return out;
}

int signal_number(const char *name)
{
    char known[SIGNAL_NAME];
    for (int number = 1; number <= SIGRTMAX; number++)
        if (strncmp(name, "SIG", 3) == 0 && strcmp(signal_name(number, known), name) == 0)
            return number;
    return 0;
}
