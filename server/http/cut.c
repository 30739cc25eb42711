#include "http/cut.h"

const char *cut_text(struct cut cut, char out[CODE_NAME_SIZE])
{
    switch (cut.cause) {
    case CUT_NOT:
        return "";
    case CUT_BY_PEER:
    case CUT_BY_US:
        return code_name(cut.code, out);
    case CUT_BY_HANDLER:
        return "reset";
    case CUT_TIMEOUT:
        return "timeout";
    case CUT_LOST:
        return "connection lost";
    case CUT_CLOSED:
        return "connection closed";
    case CUT_SHUTDOWN:
        return "shutdown";
    case CUT_RELOAD:
        return "reload";
    }
    return "";
}
