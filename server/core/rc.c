#include "core/rc.h"

const char *rc_text(enum rc rc)
{
    switch (rc) {
    case RC_OK:
        return "ok";
    case RC_AGAIN:
        return "try again";
    case RC_CLOSED:
        return "closed";
    case RC_NOMEM:
        return "out of memory";
    case RC_INVALID:
        return "invalid argument";
    case RC_STATE:
        return "not possible in this state";
    case RC_LIMIT:
        return "limit reached";
    case RC_PROTOCOL:
        return "protocol error";
    case RC_SYSTEM:
        return "system error";
    }
    return "unknown";
}
