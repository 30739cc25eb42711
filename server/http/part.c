#include "http/part.h"

#include "core/check.h"

void parts_add(struct parts *all, struct part *p)
{
    struct part **end = &all->first;
    check(!p->next);
    while (*end)
        end = &(*end)->next;
    *end = p;
}

static bool run(struct part *p)
{
    p->ready = false;
    return p->ops->run && p->ops->run(p);
}

bool parts_run(const struct parts *all)
{
    bool more = false, again = false;
    for (struct part *p = all->first; p; p = p->next)
        more |= run(p);
    for (const struct part *p = all->first; p; p = p->next)
        again |= p->ready;
    if (!again)
        return more;
    for (struct part *p = all->first; p; p = p->next)
        if (p->ready)
            more |= run(p);
    for (const struct part *p = all->first; p; p = p->next)
        more |= p->ready;
    return more;
}

bool parts_have_tick(const struct parts *all)
{
    for (const struct part *p = all->first; p; p = p->next)
        if (p->ops->tick)
            return true;
    return false;
}

void parts_tick(const struct parts *all)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->tick)
            p->ops->tick(p);
}

bool parts_reload(const struct parts *all, char *why, size_t why_size)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->reload && !p->ops->reload(p, why, why_size))
            return false;
    return true;
}

void parts_drain(const struct parts *all)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->drain)
            p->ops->drain(p);
}

bool parts_hold(const struct parts *all)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->holds && p->ops->holds(p))
            return true;
    return false;
}

void parts_set_fault(const struct parts *all, const char *why)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->set_fault)
            p->ops->set_fault(p, why);
}

void parts_describe(const struct parts *all)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->describe)
            p->ops->describe(p);
}

void parts_log_cut(const struct parts *all)
{
    for (struct part *p = all->first; p; p = p->next)
        if (p->ops->log_cut)
            p->ops->log_cut(p);
}
