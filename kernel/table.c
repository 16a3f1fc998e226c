// table.c - page tables.
#include "table.h"

#include "assert.h"
#include "base.h"
#include "instance.h"

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
        tables[i].space = NULL;
        list_append(&in->free_tables, &tables[i].link);
    }
    in->stats->free_tables = in->ntables;
}

static bool table_walk(struct instance *in, struct space *s, va_t va, uint32_t level, struct leaf *leaf)
{
    pa_t pa = s->root;
    pte_t *pte = (pte_t *)arch_phys(pa) + index_of(va, PT_ROOT);

    for (uint32_t at = PT_ROOT; at > level; at--) {
        pte_t e = *pte;
        if (!arch_pte_present(e)) {
            return false;
        }
        if (at == 1 && arch_pte_large(e)) {
            level = 1;
            break;
        }
        pa = arch_pte_pa(e);
        pte = (pte_t *)arch_phys(pa) + index_of(va, at - 1);
    }
    leaf->pte = pte;
    leaf->table = table_of(in, pa);
    leaf->level = level;
    if (level == 0) {
        s->last = leaf->table;
    }
    return true;
}

bool table_find(struct instance *in, struct space *s, va_t va, uint32_t level, struct leaf *leaf)
{
    struct table *t = level == 0 ? table_last(s, va) : NULL;

    if (t == NULL) {
        return table_walk(in, s, va, level, leaf);
    }
    *leaf = (struct leaf){table_leaf(t, va), t, 0};
    return true;
}

uint32_t table_missing(struct instance *in, struct space *s, va_t va, uint32_t level)
{
    const pte_t *pte = (pte_t *)arch_phys(s->root) + index_of(va, PT_ROOT);

    (void)in;
    for (uint32_t at = PT_ROOT; at > level; at--) {
        if (!arch_pte_present(*pte)) {
            return at - level;
        }
        if (at == 1 && arch_pte_large(*pte)) {
            return 1;
        }
        pte = (pte_t *)arch_phys(arch_pte_pa(*pte)) + index_of(va, at - 1);
    }
    return 0;
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
    pte_t *pte = (pte_t *)arch_phys(s->root) + index_of(va, PT_ROOT);
    struct table *table = NULL;

    for (uint32_t at = PT_ROOT; at > level; at--) {
        if (!arch_pte_present(*pte)) {
            struct table *fresh = table_take(in, s, va, at - 1, table);
            pa_t pa = table_pa(in, fresh);
            *pte = arch_pte_table(pa);          // table pages are kept cleared while free
            if (table != NULL) {
                table->used++;
            }
        }
        pa_t pa = arch_pte_pa(*pte);
        table = table_of(in, pa);
        pte = (pte_t *)arch_phys(pa) + index_of(va, at - 1);
    }
    *leaf = (struct leaf){pte, table, level};
    if (level == 0) {
        s->last = table;
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
        pte_t *pte = (pte_t *)arch_phys(s->root) + index_of(*va, PT_ROOT);
        struct table *table = NULL;
        uint32_t at = PT_ROOT;

        while (at > 0 && arch_pte_present(*pte) && !(at == 1 && arch_pte_large(*pte))) {
            pa_t pa = arch_pte_pa(*pte);
            table = table_of(in, pa);
            at--;
            pte = (pte_t *)arch_phys(pa) + index_of(*va, at);
        }
        // Look along this table until an entry is present, or its end.
        uint32_t left = STEP_WORK - in->work;
        for (;;) {
            if (arch_pte_present(*pte)) {
                break;
            }
            *va = (*va | (entry_span(at) - 1)) + 1;
            left--;
            if (*va >= end || left == 0 || index_of(*va, at) == 0) {
                break;
            }
            pte++;
        }
        in->work = STEP_WORK - left;
        if (*va < end && arch_pte_present(*pte) && (at == 0 || (at == 1 && arch_pte_large(*pte)))) {
            *va &= ~(entry_span(at) - 1);
            *leaf = (struct leaf){pte, table, at};
            return true;
        }
    }
    return false;
}
