// tree.c - the tree of page entries: six levels of 64 slots over 36 bits of page number.
//
// Small nodes, because most programs touch a few places only: a node is 512 bytes, and fork copies and exit frees
// what is there.  The leaf found last is remembered, so that neighbours cost nothing.
#include "vm.h"

#include <base.h>

static unsigned slot_at(uint64_t index, unsigned level)
{
    return (unsigned)(index >> (TREE_SHIFT * level)) & (TREE_SLOTS - 1);
}

static struct tree_node *child(const struct tree_node *n, unsigned slot)
{
    return (struct tree_node *)n->slot[slot];
}

static struct tree_node *node_create(void)
{
    return ak_alloc(sizeof(struct tree_node));
}

static uint64_t *remember(struct tree *t, struct tree_node *leaf, uint64_t index)
{
    t->leaf = leaf;
    t->leaf_index = index >> TREE_SHIFT;
    return &leaf->slot[slot_at(index, 0)];
}

uint64_t *tree_find(struct tree *t, uint64_t index)
{
    struct tree_node *n = t->root;

    if (t->leaf != NULL && t->leaf_index == index >> TREE_SHIFT) {
        return &t->leaf->slot[slot_at(index, 0)];
    }
    for (unsigned level = TREE_LEVELS - 1; n != NULL && level > 0; level--) {
        n = child(n, slot_at(index, level));
    }
    return n == NULL ? NULL : remember(t, n, index);
}

uint64_t *tree_make(struct tree *t, uint64_t index)
{
    if (t->leaf != NULL && t->leaf_index == index >> TREE_SHIFT) {
        return &t->leaf->slot[slot_at(index, 0)];
    }
    if (t->root == NULL && (t->root = node_create()) == NULL) {
        return NULL;
    }
    struct tree_node *n = t->root;
    for (unsigned level = TREE_LEVELS - 1; level > 0; level--) {
        uint64_t *slot = &n->slot[slot_at(index, level)];
        if (*slot == 0) {
            *slot = (uint64_t)node_create();
        }
        n = (struct tree_node *)*slot;
        if (n == NULL) {
            return NULL;
        }
    }
    return remember(t, n, index);
}

// Descend towards *index as far as there are nodes; gives the leaf, or moves *index behind the gap.
static struct tree_node *descend(const struct tree *t, uint64_t *index)
{
    struct tree_node *n = t->root;

    for (unsigned level = TREE_LEVELS - 1; level > 0; level--) {
        struct tree_node *below = child(n, slot_at(*index, level));
        if (below == NULL) {
            uint64_t span = 1ull << (TREE_SHIFT * level);
            *index = (*index + span) & ~(span - 1);
            return NULL;
        }
        n = below;
    }
    return n;
}

uint64_t *tree_next(struct tree *t, uint64_t *index, uint64_t end)
{
    while (t->root != NULL && *index < end && *index >> (TREE_SHIFT * TREE_LEVELS) == 0) {
        struct tree_node *leaf = descend(t, index);
        if (leaf == NULL) {
            continue;
        }
        for (unsigned i = slot_at(*index, 0); i < TREE_SLOTS && *index < end; i++, (*index)++) {
            if (leaf->slot[i] != 0) {
                return &leaf->slot[i];
            }
        }
    }
    return NULL;
}

static bool node_empty(const struct tree_node *n)
{
    for (unsigned i = 0; i < TREE_SLOTS; i++) {
        if (n->slot[i] != 0) {
            return false;
        }
    }
    return true;
}

// Free the empty nodes below n in [from, end); the depth is bounded by the number of levels.
static void prune(struct tree_node *n, unsigned level, uint64_t base, uint64_t from, uint64_t end)
{
    uint64_t span = 1ull << (TREE_SHIFT * level);

    for (unsigned i = 0; level > 0 && i < TREE_SLOTS; i++) {
        uint64_t at = base + i * span;
        struct tree_node *below = child(n, i);
        if (below == NULL || at + span <= from || at >= end) {
            continue;
        }
        prune(below, level - 1, at, from, end);
        if (node_empty(below)) {
            ak_free(below, sizeof(*below));
            n->slot[i] = 0;
        }
    }
}

void tree_prune(struct tree *t, uint64_t from, uint64_t end)
{
    t->leaf = NULL;
    if (t->root != NULL) {
        prune(t->root, TREE_LEVELS - 1, 0, from, end);
        if (node_empty(t->root)) {
            ak_free(t->root, sizeof(*t->root));
            t->root = NULL;
        }
    }
}

static void destroy(struct tree_node *n, unsigned level)
{
    for (unsigned i = 0; level > 0 && i < TREE_SLOTS; i++) {
        if (n->slot[i] != 0) {
            destroy(child(n, i), level - 1);
        }
    }
    ak_free(n, sizeof(*n));
}

void tree_destroy(struct tree *t)
{
    if (t->root != NULL) {
        destroy(t->root, TREE_LEVELS - 1);
    }
    *t = (struct tree){0};
}
