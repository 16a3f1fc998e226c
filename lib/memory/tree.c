// tree.c - the tree of page entries: up to six levels of 64 slots, over 36 bits of page number.
//
// Small nodes, because most programs touch a few places only, and no more levels than the highest page needs: a node is
// 512 bytes, a segment of one page has none, and fork copies and exit frees what is there.  The leaf found last is
// remembered, so that neighbours cost nothing.
#include "segment.h"

#include <base.h>

static unsigned slot_at(uint64_t index, unsigned level)
{
    return (unsigned)(index >> (TREE_SHIFT * level)) & (TREE_SLOTS - 1);
}

static struct tree_node *child(const struct tree_node *n, unsigned slot)
{
    return (struct tree_node *)n->slot[slot];
}

static struct tree_node *root_of(const struct tree *t)
{
    return (struct tree_node *)t->root;
}

static struct tree_node *node_create(void)
{
    return ak_alloc(sizeof(struct tree_node));
}

// Has the tree as many levels as this number needs?
static bool covers(const struct tree *t, uint64_t index)
{
    return index >> (TREE_SHIFT * t->height) == 0;
}

static bool remembered(const struct tree *t, uint64_t index)
{
    return t->leaf != NULL && t->leaf_index == index >> TREE_SHIFT;
}

static struct tree_node *remember_leaf(struct tree *t, struct tree_node *leaf, uint64_t index)
{
    t->leaf = leaf;
    t->leaf_index = index >> TREE_SHIFT;
    return leaf;
}

static uint64_t *remember(struct tree *t, struct tree_node *leaf, uint64_t index)
{
    return &remember_leaf(t, leaf, index)->slot[slot_at(index, 0)];
}

uint64_t *tree_find(struct tree *t, uint64_t index)
{
    if (remembered(t, index)) {
        return &t->leaf->slot[slot_at(index, 0)];
    }
    if (!covers(t, index) || t->height == 0) {
        return covers(t, index) ? &t->root : NULL;
    }
    struct tree_node *n = root_of(t);
    for (unsigned level = t->height - 1; n != NULL && level > 0; level--) {
        n = child(n, slot_at(index, level));
    }
    return n == NULL ? NULL : remember(t, n, index);
}

// More levels: what there is becomes the first entry of the new one.
static bool grow(struct tree *t, uint64_t index)
{
    while (!covers(t, index)) {
        if (t->root != 0) {
            struct tree_node *top = node_create();
            if (top == NULL) {
                return false;
            }
            top->slot[0] = t->root;
            t->root = (uint64_t)top;
        }
        t->height++;
    }
    return true;
}

// Descend to the first leaf that has *index or more; empty slots are passed by where they are.  NULL: there is none in
// the lowest node that was reached, and *index is the first number behind that.
static struct tree_node *descend(struct tree *t, uint64_t *index)
{
    struct tree_node *n = root_of(t);

    if (remembered(t, *index)) {
        return t->leaf;
    }
    for (unsigned level = t->height - 1; level > 0; level--) {
        unsigned first = slot_at(*index, level), slot = first;
        while (slot < TREE_SLOTS && n->slot[slot] == 0) {
            slot++;
        }
        if (slot != first) {
            unsigned shift = TREE_SHIFT * level;
            *index = ((*index >> shift) + slot - first) << shift;
        }
        if (slot == TREE_SLOTS) {
            return NULL;
        }
        n = child(n, slot);
    }
    return remember_leaf(t, n, *index);
}

uint64_t *tree_next(struct tree *t, uint64_t *index, uint64_t end)
{
    if (t->height == 0) {
        return t->root != 0 && *index == 0 && end > 0 ? &t->root : NULL;
    }
    while (t->root != 0 && *index < end && covers(t, *index)) {
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
    unsigned shift = TREE_SHIFT * level;
    uint64_t i = from > base ? (from - base) >> shift : 0;

    for (; level > 0 && i < TREE_SLOTS && base + (i << shift) < end; i++) {
        struct tree_node *below = child(n, (unsigned)i);
        if (below == NULL) {
            continue;
        }
        prune(below, level - 1, base + (i << shift), from, end);
        if (node_empty(below)) {
            ak_free(below, sizeof(*below));
            n->slot[i] = 0;
        }
    }
}

void tree_prune(struct tree *t, uint64_t from, uint64_t end)
{
    t->leaf = NULL;
    if (t->root != 0 && t->height > 0) {
        prune(root_of(t), t->height - 1, 0, from, end);
        if (node_empty(root_of(t))) {
            ak_free(root_of(t), sizeof(struct tree_node));
            t->root = 0;
        }
    }
    t->height = t->root != 0 ? t->height : 0;
}

static uint64_t *make(struct tree *t, uint64_t index)
{
    if (!grow(t, index)) {
        return NULL;
    }
    uint64_t *slot = &t->root;
    struct tree_node *n = NULL;
    for (unsigned level = t->height; level > 0; level--) {
        if (*slot == 0) {
            *slot = (uint64_t)node_create();
        }
        n = (struct tree_node *)*slot;
        if (n == NULL) {
            return NULL;
        }
        slot = &n->slot[slot_at(index, level - 1)];
    }
    return n == NULL ? slot : remember(t, n, index);
}

// Take off levels that only the lowest pages need.
static void lower(struct tree *t)
{
    while (t->height > 0 && t->root != 0) {
        struct tree_node *top = root_of(t);
        for (unsigned i = 1; i < TREE_SLOTS; i++) {
            if (top->slot[i] != 0) {
                return;
            }
        }
        t->root = top->slot[0];
        t->height--;
        ak_free(top, sizeof(*top));
    }
}

uint64_t *tree_make(struct tree *t, uint64_t index)
{
    if (remembered(t, index)) {
        return &t->leaf->slot[slot_at(index, 0)];
    }
    uint64_t *slot = index < TREE_END ? make(t, index) : NULL;
    if (slot == NULL) {
        tree_prune(t, index, index + 1);
        lower(t);
    }
    return slot;
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
    if (t->root != 0 && t->height > 0) {
        destroy(root_of(t), t->height - 1);
    }
    *t = (struct tree){0};
}
