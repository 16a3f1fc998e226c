// list.h - doubly linked intrusive lists; an unlinked node points to itself.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define list_entry(node, type, field) ((type *)((char *)(node) - offsetof(type, field)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->next = at;
    node->prev = at->prev;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_append(struct list *l, struct list *node)
{
    list_insert_before(l, node);
}

static inline void list_push(struct list *l, struct list *node)
{
    list_insert_before(l->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

static inline struct list *list_pop(struct list *l)
{
    struct list *node = l->next;
    if (node == l) {
        return NULL;
    }
    list_remove(node);
    return node;
}
