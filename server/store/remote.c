#include "store/engine.h"

static bool carry_out(struct engine *e, struct store_op *op)
{
    (void)e, (void)op;
    return false;
}

struct engine *remote_engine(void)
{
    static const struct engine_ops ops = {.carry_out = carry_out};
    static struct engine remote = {&ops};
    return &remote;
}
