/*
 * Intrusive doubly linked circular list. A node lives in the struct it links; the list owns none.
 * A node that is in no list points at itself, so that removal is always allowed: each is born with
 * list_init, and is in one list at the most.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "core/check.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The struct of the given type whose member is at ptr. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* Whether a node is in some list. */
static inline bool list_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_append(struct list *l, struct list *node)
{
    check_hot(!list_linked(node));
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

static inline void list_prepend(struct list *l, struct list *node)
{
    list_append(l->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the first node out; NULL when the list is empty. */
static inline struct list *list_shift(struct list *l)
{
    struct list *node = l->next;
    if (node == l)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves all nodes of from, in order, to the end of l; from is empty afterwards. */
static inline void list_splice(struct list *l, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = l->prev;
    l->prev->next = from->next;
    from->prev->next = l;
    l->prev = from->prev;
    list_init(from);
}

#endif
