#include "proc/worker/signals.h"

#include <signal.h>
#include <stddef.h>

static void on_signal(int number)
{
    (void)number;
}

void signals_disarm(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(number, &action, NULL);
}
