#include "lua/runtime/waiting.h"

#include "core/check.h"
#include "core/list.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

static void stop(struct waiting *w)
{
    descriptor_stop(&w->descriptor);
    timer_stop(&w->task->timer);
    w->task = NULL;
}

static void on_ready(struct descriptor *d, unsigned events)
{
    struct waiting *w = container_of(d, struct waiting, descriptor);
    struct task *t = w->task;
    w->events = events;
    stop(w);
    task_wake(t);
}

static void cancel(struct task *t)
{
    stop(t->data);
}

void waiting_init(struct waiting *w, struct vm *vm)
{
    descriptor_init(&w->descriptor, vm->ev, on_ready);
    w->task = NULL;
}

int waiting_start(lua_State *L, struct waiting *w, struct task *t, int fd, unsigned events,
    double seconds, lua_KContext context, lua_KFunction k)
{
    check(!w->task);
    w->task = t;
    w->events = 0;
    descriptor_watch(&w->descriptor, fd, events);
    if (seconds >= 0)
        timer_start(&t->timer, seconds);
    return task_wait(L, t, cancel, w, context, k);
}

unsigned waiting_over(lua_State *L, struct waiting *w)
{
    if (w->task) /* the time is over */
        stop(w);
    task_resumed(L);
    return w->events;
}
