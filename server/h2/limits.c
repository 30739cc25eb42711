#include "h2/limits.h"

const struct h2_limits h2_limits_default = {
    .max_streams = 128,
    .continuations = 7,
    .conn_window = 1 << 20,
    .queued_frames = 2000,
    .a_second =
        {
            [GUARD_RESETS] = 256,
            [GUARD_FAULTS] = 100,
            [GUARD_CONTROL] = 500,
            [GUARD_WINDOWS] = 1000,
            [GUARD_EMPTY] = 100,
            [GUARD_DRIBBLES] = 500,
        },
    .preface_timeout = 10,
};
