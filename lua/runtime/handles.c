#include "lua/runtime/handles.h"

#include "core/check.h"
#include "core/mem.h"

struct handle_place {
    void *thing;      /* NULL while the place is free */
    size_t next_free; /* if the place is free */
    uint32_t uses;
    bool retired;
};

enum { FIRST_ROOM = 64 };

void handles_fini(struct handles *h)
{
    mem_put(h->places, h->room * sizeof *h->places);
    *h = (struct handles){0};
}

static enum rc grow(struct handles *h)
{
    size_t room = h->room ? h->room * 2 : FIRST_ROOM;
    struct handle_place *places =
        mem_resize(h->places, h->room * sizeof *places, room * sizeof *places);
    if (!places)
        return RC_NOMEM;
    h->places = places;
    h->room = room;
    return RC_OK;
}

enum rc handles_put(struct handles *h, void *thing, int64_t *handle)
{
    size_t at = h->free;
    if (at == h->count) {
        enum rc rc = h->count == h->room ? grow(h) : RC_OK;
        if (rc)
            return rc;
        h->places[at].uses = 0;
        h->free = ++h->count;
    } else {
        h->free = h->places[at].next_free;
    }
    h->places[at].thing = thing;
    h->places[at].retired = false;
    h->used++;
    *handle = (int64_t)((uint64_t)at << 32 | ++h->places[at].uses);
    return RC_OK;
}

/* The place of a valid handle, or NULL. */
static struct handle_place *place_of(const struct handles *h, int64_t handle)
{
    uint64_t at = (uint64_t)handle >> 32;
    if (at >= h->count || !h->places[at].thing || h->places[at].uses != (uint32_t)handle)
        return NULL;
    return &h->places[at];
}

void *handles_get(const struct handles *h, int64_t handle)
{
    const struct handle_place *p = place_of(h, handle);
    return p ? p->thing : NULL;
}

void handles_retire(struct handles *h, int64_t handle)
{
    struct handle_place *p = place_of(h, handle);
    if (!p || p->retired)
        return;
    p->retired = true;
    h->used--;
}

void handles_drop(struct handles *h, int64_t handle)
{
    struct handle_place *p = place_of(h, handle);
    check(p);
    p->thing = NULL;
    if (!p->retired)
        h->used--;
    p->next_free = h->free;
    h->free = (size_t)(p - h->places);
}

void *handles_next(const struct handles *h, size_t *at)
{
    while (*at < h->count) {
        const struct handle_place *p = &h->places[(*at)++];
        if (p->thing && !p->retired)
            return p->thing;
    }
    return NULL;
}
