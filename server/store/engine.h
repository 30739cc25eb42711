/*
 * An engine: what keeps maps, and carries operations out. Its functions are called in the loop; one
 * whose answer is not there at once gives it later, in the loop as well.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "core/rc.h"
#include "store/op.h"

#include <stdbool.h>
#include <stdint.h>

struct area;
struct area_page;
struct engine;

struct engine_ops {
    /* Carries it out, where that takes no wait: the result is set. False: nothing was done. */
    bool (*carry_out)(struct engine *e, struct store_op *op);
    /* For what carry_out has left: done is called once, later. The operation and its bytes are the
     * engine's until then. NULL where nothing is left. */
    void (*start)(struct engine *e, struct store_op *op);
    /* Once a second, and sooner where it says that there is more to do. */
    bool (*tick)(struct engine *e);
    /* Nothing is under way. */
    void (*close)(struct engine *e);
};

struct engine {
    const struct engine_ops *ops;
};

enum { ENGINE_WHY = 512 };

/* In memory that workers share. patience is for a holder of its lock, in tenths of a second. */
enum rc memory_open(const struct area *a, struct area_page *p, unsigned patience,
    struct engine **out, char why[ENGINE_WHY]) MUST_CHECK;
/* On another server, to which Lua speaks: it carries nothing out, and leaves everything. */
struct engine *remote_engine(void);
/* In a file, which may get so many MiB. */
enum rc file_open(const char *path, uint32_t size, struct area_page *p, struct engine **out,
    char why[ENGINE_WHY]) MUST_CHECK;

#endif
