#include "proc/worker/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum rc find(const char *name, const struct passwd **out, char why[USER_WHY])
{
    *out = getpwnam(name);
    if (*out)
        return RC_OK;
    snprintf(
        why, USER_WHY, "there is no user \"%.200s\": give --user a name that getent knows", name);
    return RC_SYSTEM;
}

enum rc user_check(const char *name, uid_t *id, char why[USER_WHY])
{
    const struct passwd *user;
    enum rc rc = find(name, &user, why);
    if (rc)
        return rc;
    *id = user->pw_uid;
    if (geteuid() == 0 || geteuid() == user->pw_uid)
        return RC_OK;
    snprintf(why, USER_WHY, "--user %.200s needs privileges: start as root, or leave it out", name);
    return RC_SYSTEM;
}

enum rc user_become(const char *name, char why[USER_WHY])
{
    const struct passwd *user;
    enum rc rc = find(name, &user, why);
    if (rc || geteuid() == user->pw_uid)
        return rc;
    if (initgroups(name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
        setuid(user->pw_uid) == 0)
        return RC_OK;
    snprintf(why, USER_WHY, "cannot become the user \"%.200s\": %s", name, strerror(errno));
    return RC_SYSTEM;
}
