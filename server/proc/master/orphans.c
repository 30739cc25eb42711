#include "proc/master/orphans.h"

#include <signal.h>
#include <sys/wait.h>

bool orphans_reap(bool (*is_ours)(void *data, pid_t pid), void *data)
{
    siginfo_t ended = {0};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid) {
        if (is_ours(data, ended.si_pid))
            return false;
        waitpid(ended.si_pid, NULL, WNOHANG);
        ended = (siginfo_t){0};
    }
    return true;
}
