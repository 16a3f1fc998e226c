// table.c - page tables.
#include "supervisor.h"

static uint32_t index_of(va_t va, uint32_t level)
{
    return (uint32_t)(va >> (ABI_PAGE_SHIFT + 9 * level)) & (PT_ENTRIES - 1);
}

static uint64_t entry_span(uint32_t level)
{
    return 1ull << (ABI_PAGE_SHIFT + 9 * level);
}

static pa_t table_pa(struct instance *in, struct table *t)
{
    return in->table_base + (pa_t)(t - in->tables) * ABI_PAGE;
}

static struct table *table_of(struct instance *in, pa_t pa)
{
    return &in->tables[(pa - in->table_base) >> ABI_PAGE_SHIFT];
}

void table_init(struct instance *in, struct table *tables)
{
    in->tables = tables;
    list_init(&in->free_tables);
    for (uint32_t i = 0; i < in->ntables; i++) {
        tables[i].entries = arch_phys(in->table_base + (pa_t)i * ABI_PAGE);
        list_append(&in->free_tables, &tables[i].link);
    }
    in->stats->free_tables = in->ntables;
}

// The entry on the way to va: of `level`, or above it one that is absent or a large mapping.
static inline __attribute__((always_inline)) void walk(struct instance *in, struct space *s, va_t va, uint32_t level,
                                                       struct leaf *leaf)
{
    pa_t pa = s->root;
    uint32_t at = PT_ROOT;
    pte_t *pte = (pte_t *)arch_phys(pa) + index_of(va, at);

    while (at > level && arch_pte_present(*pte) && !(at == 1 && arch_pte_large(*pte))) {
        pa = arch_pte_pa(*pte);
        pte = (pte_t *)arch_phys(pa) + index_of(va, --at);
    }
    *leaf = (struct leaf){pte, at == PT_ROOT ? NULL : table_of(in, pa), at};
}

bool table_find(struct instance *in, struct space *s, va_t va, uint32_t level, struct leaf *leaf)
{
    struct table *t = level == 0 ? table_last(s, va) : NULL;

    if (t != NULL) {
        *leaf = (struct leaf){table_leaf(t, va), t, 0};
        return true;
    }
    walk(in, s, va, level, leaf);
    if (leaf->level > level && !arch_pte_present(*leaf->pte)) {
        return false;
    }
    if (leaf->level == 0) {
        s->last = leaf->table;
    }
    return true;
}

uint32_t table_missing(struct instance *in, struct space *s, va_t va, uint32_t level)
{
    struct leaf leaf;

    walk(in, s, va, level, &leaf);
    return leaf.level - level;
}

static struct table *table_take(struct instance *in, struct space *s, va_t va, uint32_t level, struct table *parent)
{
    struct list *node = list_pop(&in->free_tables);
    assert(node != NULL);
    struct table *t = list_entry(node, struct table, link);
    t->space = s;
    t->parent = parent;
    t->level = (uint8_t)level;
    t->base = va & ~(entry_span(level + 1) - 1);
    t->used = t->locked = t->large = 0;
    list_push(&s->tables, &t->link);
    in->stats->free_tables--;
    return t;
}

void table_make(struct instance *in, struct space *s, va_t va, uint32_t level, struct leaf *leaf)
{
    walk(in, s, va, level, leaf);
    while (leaf->level > level) {
        struct table *t = table_take(in, s, va, leaf->level - 1, leaf->table);
        *leaf->pte = arch_pte_table(table_pa(in, t));          // table pages are kept cleared while free
        if (t->parent != NULL) {
            t->parent->used++;
        }
        *leaf = (struct leaf){&t->entries[index_of(va, t->level)], t, t->level};
    }
    if (level == 0) {
        s->last = leaf->table;
    }
}

void table_entry_added(struct leaf *leaf, bool locked)
{
    leaf->table->used++;
    leaf->table->locked = (uint16_t)(leaf->table->locked + locked);
    leaf->table->large = (uint16_t)(leaf->table->large + leaf->level);
}

void table_entry_removed(struct instance *in, struct leaf *leaf, bool locked)
{
    struct table *t = leaf->table;

    t->locked = (uint16_t)(t->locked - locked);
    t->large = (uint16_t)(t->large - leaf->level);
    t->used--;
    while (t != NULL && t->used == 0) {
        struct table *parent = t->parent;
        pa_t above = parent == NULL ? t->space->root : table_pa(in, parent);
        ((pte_t *)arch_phys(above))[index_of(t->base, t->level + 1u)] = 0;
        list_remove(&t->link);
        if (t->space->last == t) {
            t->space->last = NULL;
        }
        t->space = NULL;
        list_append(&in->free_tables, &t->link);
        in->stats->free_tables++;
        if (parent != NULL) {
            parent->used--;
        }
        t = parent;
    }
}

bool table_next(struct instance *in, struct space *s, va_t *va, va_t end, struct leaf *leaf)
{
    struct table *last = table_last(s, *va);

    if (last != NULL && *va < end && work_left(in) && arch_pte_present(*table_leaf(last, *va))) {
        *leaf = (struct leaf){table_leaf(last, *va), last, 0};
        return true;
    }
    while (*va < end && work_left(in)) {
        walk(in, s, *va, 0, leaf);
        // Look along this table until an entry is present, or its end.
        uint32_t left = STEP_WORK - in->work, at = leaf->level;
        while (!arch_pte_present(*leaf->pte)) {
            *va = (*va | (entry_span(at) - 1)) + 1;
            left--;
            if (*va >= end || left == 0 || index_of(*va, at) == 0) {
                break;
            }
            leaf->pte++;
        }
        in->work = STEP_WORK - left;
        pte_t e = *leaf->pte;
        if (*va < end && arch_pte_present(e) && (at == 0 || (at == 1 && arch_pte_large(e)))) {
            *va &= ~(entry_span(at) - 1);
            return true;
        }
    }
    return false;
}
