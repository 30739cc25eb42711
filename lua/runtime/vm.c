#include "lua/runtime/vm.h"

#include "core/check.h"
#include "core/mem.h"
#include "http/part.h"
#include "lua/runtime/task.h"

#include <lauxlib.h>

/* A vm is bloated if a collection leaves more than this share taken of the memory that was free
 * after loading: loading the scripts anew would free no more than that. */
static const double bloated_share = 0.9;

enum { PAUSE = 200 }; /* Lua's default: a collection begins when the memory has doubled */

/* Beyond the vm's limit an allocation fails. Lua then collects what it can, and tries once more. */
static void *alloc(void *data, void *block, size_t old_size, size_t new_size)
{
    struct vm *vm = data;
    if (!block)
        old_size = 0; /* it gave the kind of object */
    if (new_size == 0) {
        mem_put(block, old_size);
        vm->memory -= old_size;
        return NULL;
    }
    size_t limit = vm->memory_limit;
    if (limit && new_size > old_size && vm->memory + new_size - old_size > limit)
        return NULL;
    void *moved = block ? mem_resize(block, old_size, new_size) : mem_get(new_size);
    if (moved)
        vm->memory += new_size - old_size;
    return moved;
}

bool vm_call(struct vm *vm, lua_CFunction f, void *arg, int results)
{
    lua_pushcfunction(vm->L, f);
    lua_pushlightuserdata(vm->L, arg);
    return lua_pcall(vm->L, 1, results, 0) == LUA_OK;
}

enum rc vm_new(struct ev_loop *ev, const struct vm_options *options, lua_CFunction open,
    const char *folder, struct vm **out)
{
    struct vm *vm = mem_get_zeroed(sizeof *vm);
    if (!vm)
        return RC_NOMEM;
    vm->ev = ev;
    vm->options = *options;
    vm->fault = "";
    vm->memory_limit = options->max_memory;
    vm->memory_mark = options->max_memory ? options->max_memory / 4 * 3 : SIZE_MAX;
    vm->budget.limit = (unsigned)(options->max_cpu * 1000 / PART_TICK_MS + 0.5);
    list_init(&vm->tasks);
    list_init(&vm->ready);
    list_init(&vm->spare);
    vm->L = lua_newstate(alloc, vm);
    check(((uintptr_t)vm & VM_MARKS) == 0);
    if (vm->L)
        *vm_word(vm->L) = (uintptr_t)vm;
    if (!vm->L || !vm_call(vm, open, (void *)folder, 0)) {
        vm_free(vm);
        return RC_NOMEM;
    }
    *out = vm;
    return RC_OK;
}

void vm_free(struct vm *vm)
{
    check(list_empty(&vm->tasks) && list_empty(&vm->ready) && vm->requests.used == 0);
    if (vm->L) {
        task_free_spare(vm);
        lua_close(vm->L);
    }
    check(vm->memory == 0);
    handles_fini(&vm->requests);
    mem_put(vm, sizeof *vm);
}

/* Collects in incremental mode: in generational mode Lua does not shrink the stacks of
 * coroutines. */
static int l_collect(lua_State *L)
{
    int mode = lua_gc(L, LUA_GCINC, 0, 0, 0);
    lua_gc(L, LUA_GCCOLLECT);
    if (mode == LUA_GCGEN)
        lua_gc(L, LUA_GCGEN, 0, 0);
    return 0;
}

void vm_collect(struct vm *vm)
{
    if (!vm_call(vm, l_collect, NULL, 0))
        lua_settop(vm->L, 0);
}

/* Halfway to the limit, but at a distance that keeps each piece of a body from costing a
 * collection. */
static size_t next_mark(const struct vm *vm)
{
    size_t left = vm->memory_limit > vm->memory ? vm->memory_limit - vm->memory : 0;
    size_t least = vm->options.max_memory / 32;
    return vm->memory + (left / 2 > least ? left / 2 : least);
}

void vm_set_memory_limit(struct vm *vm, size_t bytes)
{
    if (bytes == vm->memory_limit)
        return;
    vm->memory_limit = bytes;
    if (vm->memory_mark > bytes / 4 * 3 && vm->memory < bytes / 4 * 3)
        vm->memory_mark = bytes / 4 * 3;
}

/* Garbage of one task must not make the next one fail. Collects, and sets the mark and the
 * collector's pause so that the next collection comes when half of the remaining memory is taken,
 * if not before: buffers of Lua's library fail without trying a collection first. */
static void make_room(struct vm *vm)
{
    double floor = (double)vm->memory_floor, limit = (double)vm->memory_limit;
    vm_collect(vm);
    vm->bloated = (double)vm->memory > floor + bloated_share * (limit - floor);
    vm->relieved = false;
    size_t mark = next_mark(vm);
    if (mark > vm->memory_mark)
        vm->memory_mark = mark;
    double pause = 100.0 * (double)mark / (double)vm->memory;
    lua_gc(vm->L, LUA_GCSETPAUSE, pause < PAUSE ? (int)pause : PAUSE);
}

bool vm_run(struct vm *vm)
{
    check_hot(!vm->running);
    struct list now;
    list_init(&now);
    list_splice(&now, &vm->ready);
    vm->bloated = false;
    struct list *node;
    while (!vm->bloated && (node = list_shift(&now))) {
        task_run(container_of(node, struct task, queue));
        if (vm->memory > vm->memory_mark && !vm->relieved)
            make_room(vm);
    }
    if (vm->relieved)
        make_room(vm);
    list_splice(&now, &vm->ready); /* those that have not run come first again */
    list_splice(&vm->ready, &now);
    return !list_empty(&vm->ready);
}
