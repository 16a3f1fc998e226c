// host_check.c - every invariant of an instance, recomputed from scratch.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "pmap.h"
#include "rights.h"
#include "senders.h"
#include "share.h"
#include "table.h"

#define CHECK(x)                                                                                             \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #x);                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct count {
    uint32_t spaces, threads, mappings[2];  // locked; mappings: replaceable, locked
    uint32_t dependents, own_spaces, own_threads;
};

// A record that names a receiver: its mapping knows of it, and it is found from there.  Gives the loader's slot.
static uint32_t check_signal(struct instance *in, struct signal_record *g)
{
    struct record *r = &in->records[g->key - 1];
    struct thread *t = thread_at(in, (uint32_t)g->thread);

    CHECK(r->type == RECORD_MAPPING && r->signal && r->locked == g->locked);
    CHECK(t->o.state != OBJECT_FREE && pmap_signal_of(in, r) == t);
    return (uint32_t)r->loader;
}

// The lists of all threads, counted.
static uint32_t check_receivers(struct instance *in)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < in->threads.size; i++) {
        struct thread *t = thread_at(in, i);
        uint32_t before = 0;
        for (uint32_t link = t->o.state == OBJECT_FREE ? 0 : t->signals; link != 0;) {
            struct signal_record *g = (struct signal_record *)&in->records[link - 1];
            CHECK(g->type == RECORD_SIGNAL && g->thread == i && g->prev == before);
            before = link;
            link = (uint32_t)g->next;
            count++;
        }
    }
    return count;
}

// The same for a deferred copy.
static uint32_t check_copy(struct instance *in, struct copy_record *c)
{
    struct record *r = &in->records[c->key - 1];

    CHECK(r->type == RECORD_MAPPING && r->copy && r->locked == c->locked);
    CHECK(pmap_copy_of(in, r) == c->pfn);
    return (uint32_t)r->loader;
}

static uint32_t copies_of_spaces(struct instance *in)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < in->spaces.size; i++) {
        count += space_at(in, i)->o.state != OBJECT_FREE ? space_at(in, i)->copies : 0;
    }
    return count;
}

// A remote mapping allows nothing, and is known to its space.
static void check_remote(const struct space *s, const struct record *r, pte_t e)
{
    if (arch_pte_access(e) & MAP_REMOTE) {
        CHECK((arch_pte_access(e) & (MAP_READ | MAP_WRITE | MAP_EXEC)) == 0 && s->remote && !r->copy);
    } else {
        CHECK((arch_pte_access(e) & MAP_READ) && !arch_pte_lost(e));
    }
}

static void check_records(struct instance *in, struct count *by_loader)
{
    uint32_t free_records = 0, free_locked = 0, used = 0, reached = 0;
    uint32_t signals = 0, receivers = 0, copies = 0, copied = 0;

    for (uint32_t i = 0; i < in->nrecords + in->nlocked; i++) {
        struct record *r = &in->records[i];
        if (r->type == RECORD_FREE) {
            *(i < in->nrecords ? &free_records : &free_locked) += 1;
            continue;
        }
        used++;
        CHECK(r->locked == (i >= in->nrecords));
        if (r->type == RECORD_SIGNAL) {
            by_loader[check_signal(in, (struct signal_record *)r)].mappings[r->locked]++;
            signals++;
            continue;
        }
        if (r->type == RECORD_COPY) {
            by_loader[check_copy(in, (struct copy_record *)r)].mappings[r->locked]++;
            copies++;
            continue;
        }
        receivers += r->signal;
        copied += r->copy;
        struct space *s = space_at(in, (uint32_t)r->space);
        struct appkernel *k = kernel_at(in, (uint32_t)r->loader);
        CHECK(s->o.state != OBJECT_FREE && k->o.state != OBJECT_FREE);
        struct leaf leaf;
        CHECK(table_find(in, s, (va_t)r->vpn << ABI_PAGE_SHIFT, r->large ? 1 : 0, &leaf));
        CHECK(arch_pte_present(*leaf.pte) && arch_pte_pa(*leaf.pte) == (pa_t)r->pfn << ABI_PAGE_SHIFT);
        CHECK(arch_pte_locked(*leaf.pte) == r->locked && leaf.level == r->large);
        bool write = arch_pte_access(*leaf.pte) & MAP_WRITE;
        CHECK(!(write && (arch_pte_access(*leaf.pte) & MAP_EXEC)));
        check_remote(s, r, *leaf.pte);
        CHECK(r->sends == senders_are(arch_pte_access(*leaf.pte)) && r->leaving <= r->signal);
        CHECK(rights_cover(in, k, (pa_t)r->pfn << ABI_PAGE_SHIFT, r->large ? ABI_LARGE : ABI_PAGE,
                           write ? GROUP_WRITE : GROUP_READ) ||
              k->grant_key != 0);
        CHECK(pmap_find(in, r->pfn, (uint32_t)r->space, r->vpn) == r);
        by_loader[r->loader].mappings[r->locked]++;
    }
    for (uint32_t i = 0; i <= in->bucket_mask; i++) {
        for (uint32_t link = in->buckets[i]; link != 0; link = (uint32_t)in->records[link - 1].link) {
            reached++;
            CHECK(reached <= used);
        }
    }
    CHECK(reached == used && signals == receivers && signals == check_receivers(in));
    CHECK(copies == copied && copies == copies_of_spaces(in));
    CHECK(free_records == in->stats->free_mappings && free_locked == in->stats->free_locked_mappings);
}

// Nothing but zeros?  Each byte is compared with the one eight further on, by the library: this is most of the work.
static bool is_empty(const pte_t *e)
{
    return e[0] == 0 && memcmp(e, e + 1, ABI_PAGE - sizeof(*e)) == 0;
}

// Count the entries of every table again.
static void check_tables(struct instance *in)
{
    uint32_t free = 0, leaves = 0, records = 0;

    for (uint32_t i = 0; i < in->ntables; i++) {
        struct table *t = &in->tables[i];
        pte_t *e = arch_phys(in->table_base + (pa_t)i * ABI_PAGE);
        uint32_t used = 0, locked = 0, large = 0;
        if (t->space == NULL) {
            CHECK(is_empty(e));
            free++;
            continue;
        }
        for (unsigned j = 0; j < PT_ENTRIES; j++) {
            if (!arch_pte_present(e[j])) {
                CHECK(e[j] == 0);
                continue;
            }
            used++;
            if (t->level == 0 || (t->level == 1 && arch_pte_large(e[j]))) {
                leaves++;
                locked += arch_pte_locked(e[j]);
                large += t->level;
            }
        }
        CHECK(used == t->used && used > 0 && locked == t->locked && large == t->large);
        CHECK(t->space->o.state != OBJECT_FREE);
    }
    for (uint32_t i = 0; i < in->nrecords + in->nlocked; i++) {
        records += in->records[i].type == RECORD_MAPPING;
    }
    CHECK(free == in->stats->free_tables && leaves == records);
}

static void check_cache(struct cache *c)
{
    uint32_t free = 0;

    for (uint32_t i = 0; i < c->size; i++) {
        struct object *o = cache_at(c, i);
        free += o->state == OBJECT_FREE;
        CHECK((o->state == OBJECT_LOADED) == (o->id != 0));
        CHECK(o->slot == i);
    }
    CHECK(free == *c->free);
}

static bool on_list(struct list *l, struct list *node)
{
    for (struct list *n = l->next; n != l; n = n->next) {
        if (n == node) {
            return true;
        }
    }
    return false;
}

static void check_threads(struct instance *in, struct count *by_owner)
{
    uint32_t ready = 0, running = 0;

    for (uint32_t i = 0; i < in->threads.size; i++) {
        struct thread *t = thread_at(in, i);
        if (t->o.state == OBJECT_FREE) {
            continue;
        }
        struct cpu *c = &in->cpu[t->cpu];
        by_owner[t->owner->o.slot].threads += t->o.lock != 0;
        by_owner[t->owner->o.slot].own_threads++;
        by_owner[t->kern->o.slot].dependents++;
        by_owner[t->owner->o.slot].dependents += t->owner != t->kern;
        CHECK(t->kern->o.state != OBJECT_FREE && t->owner->o.state != OBJECT_FREE);
        CHECK(t->depth <= ABI_MAX_DEPTH && (t->depth > 0 || t->space != NULL));
        CHECK(t->space == NULL || t->space->o.state != OBJECT_FREE);
        CHECK(t->timed == on_list(&c->waiting, &t->timer));
        if (t->status == THREAD_READY) {
            ready++;
            CHECK(on_list(&c->ready[t->level], &t->queue));
        } else if (t->status == THREAD_RUNNING) {
            running++;
            CHECK(c->thread == t && c->frame == &t->state->frame[t->depth]);
            CHECK(c->root == (t->depth > 0 ? t->kern->root : t->space->root));
        }
        CHECK(t->status == THREAD_WAITING || t->level == t->share->base + t->priority);
        CHECK(t->share == &t->kern->share[t->cpu]);
    }
    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        uint64_t mask = 0;
        for (unsigned l = 0; l < CPU_LEVELS; l++) {
            mask |= list_empty(&c->ready[l]) ? 0 : 1ull << l;
        }
        CHECK(mask == c->ready_mask);
        ready -= c->ready_count;
        running -= c->thread != NULL;
        CHECK(c->thread != NULL || (c->frame == NULL && c->root == 0));
    }
    CHECK(ready == 0 && running == 0);
}

// A thread that waits at j may not run on i, or another processor has been told to look.
static void check_waits(struct instance *in, uint32_t i, uint32_t j, const struct thread *t)
{
    CHECK(!(t->affinity >> i & 1) || host.cpu[j].ipi || in->cpu[j].resched);
}

// Work conserving: none idles while a thread that may run there is ready, unless it has been told; and none
// runs a thread of a kernel over its share while one of a kernel within it is ready.
static void check_busy(struct instance *in, uint32_t i)
{
    const struct cpu *c = &in->cpu[i];

    CHECK((in->spare >> i & 1) == (c->thread == NULL || c->thread->level < SHARE_WITHIN) || host.cpu[i].ipi ||
          !host.cpu[i].started);
    if (!(in->spare >> i & 1) || !host.cpu[i].started || host.cpu[i].ipi) {
        return;
    }
    for (uint32_t j = 0; j < in->cpus; j++) {
        for (unsigned p = 0; p < CPU_LEVELS; p++) {
            const struct list *l = &in->cpu[j].ready[p];
            for (struct list *n = l->next; n != l; n = n->next) {
                const struct thread *t = list_entry(n, struct thread, queue);
                if (c->thread == NULL || t->kern->share[i].base != 0) {
                    check_waits(in, i, j, t);
                }
            }
        }
    }
}

// A kernel is over its share of a processor if that is 0, or if it is on the processor's list, in order.
static void check_shares(struct instance *in)
{
    uint32_t over = 0, listed = 0;

    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        uint64_t paid = 0;
        uint32_t limits = 0;
        for (struct list *n = c->over.next; n != &c->over; n = n->next) {
            const struct share *s = list_entry(n, struct share, link);
            CHECK(s->paid >= paid && s == &s->kern->share[i] && s->kern->o.state != OBJECT_FREE);
            paid = s->paid;
            listed++;
        }
        for (uint32_t k = 0; k < in->kernels.size; k++) {
            const struct appkernel *kern = kernel_at(in, k);
            const struct share *s = &kern->share[i];
            if (kern->o.state == OBJECT_FREE) {
                continue;
            }
            CHECK(s->base == 0 || s->base == SHARE_WITHIN);
            CHECK(s->percent < 100 || s->base != 0);
            limits += s->percent < 100;
            CHECK((s->base == 0) == (s->percent == 0 || on_list(&c->over, (struct list *)&s->link)));
            CHECK(s->usage->over == (s->base == 0) && s->usage->share == s->percent);
            CHECK(s->usage->spare <= s->usage->ran);
            over += s->base == 0 && s->percent != 0;
        }
        CHECK(c->limits == limits + in->nclaimants * LIMIT_SPACE);
        check_busy(in, i);
    }
    CHECK(over == listed && in->first->share[0].percent == 100);
}

// No TLB allows what the tables do not.
static void check_tlbs(void)
{
    for (uint32_t i = 0; i < host.cpus; i++) {
        struct host_cpu *h = &host.cpu[i];
        for (unsigned j = 0; h->cpu != NULL && j < HOST_TLB; j++) {
            struct host_tlb *t = &h->tlb[j];
            if (!t->valid) {
                continue;
            }
            pa_t table = h->cpu->root;
            pte_t e = 0;
            CHECK(table != 0);
            for (int level = PT_ROOT; level >= 0; level--) {
                e = ((pte_t *)arch_phys(table))[t->va >> (12 + 9 * level) & 511];
                CHECK(arch_pte_present(e));
                if (level == 1 && arch_pte_large(e)) {
                    break;
                }
                table = arch_pte_pa(e);
            }
            CHECK(arch_pte_pa(e) == arch_pte_pa(t->pte));
            CHECK((arch_pte_access(t->pte) & ~arch_pte_access(e)) == 0);
        }
    }
}

// What kernels are sure of, together: each can have it at any time.
static void check_quotas(struct instance *in)
{
    uint64_t sure[OBJECT_MAPPING + 1] = {0}, all_locked = 0;
    const struct promises *p = &in->promises;

    for (uint32_t i = 0; i < in->kernels.size; i++) {
        const struct appkernel *k = kernel_at(in, i);
        const struct kernel_limits *l = &k->limits;
        if (k->o.state == OBJECT_FREE) {
            continue;
        }
        all_locked += l->locked_mappings;
        for (uint32_t type = OBJECT_SPACE; type <= OBJECT_MAPPING; type++) {
            uint32_t least = l->range[type].least;
            uint32_t locked = type == OBJECT_SPACE ? l->locked_spaces : type == OBJECT_THREAD ? l->locked_threads : 0;
            CHECK(l->range[type].most >= least);
            sure[type] += least > locked ? least : locked;
        }
    }
    CHECK(sure[OBJECT_SPACE] == p->spaces && sure[OBJECT_THREAD] == p->threads);
    CHECK(sure[OBJECT_MAPPING] == p->mappings && all_locked == p->locked);
    CHECK(sure[OBJECT_SPACE] < in->spaces.size && sure[OBJECT_THREAD] + 1 < in->threads.size);
    CHECK(sure[OBJECT_MAPPING] <= in->nrecords - 16 * in->cpus);
}

void host_check(void)
{
    struct instance *in = host_instance();
    struct count by_kernel[256];

    memset(by_kernel, 0, sizeof(by_kernel));
    CHECK(in->lock.held == 0);
    check_cache(&in->kernels);
    check_cache(&in->spaces);
    check_cache(&in->threads);
    check_records(in, by_kernel);
    check_tables(in);
    check_threads(in, by_kernel);
    check_shares(in);
    check_tlbs();
    host_check_activations(in);
    check_quotas(in);
    for (uint32_t i = 0; i < in->spaces.size; i++) {
        struct space *s = space_at(in, i);
        if (s->o.state != OBJECT_FREE) {
            by_kernel[s->owner->o.slot].spaces += s->o.lock != 0;
            by_kernel[s->owner->o.slot].own_spaces++;
        }
    }
    for (uint32_t i = 0; i < in->kernels.size; i++) {
        struct appkernel *k = kernel_at(in, i);
        if (k->o.state != OBJECT_FREE) {
            CHECK(k->held[HELD_LOCKED] == by_kernel[i].mappings[1]);
            CHECK(k->held[OBJECT_MAPPING] == by_kernel[i].mappings[0]);
            CHECK(k->held[OBJECT_THREAD] == by_kernel[i].own_threads);
            CHECK(k->locked_threads == by_kernel[i].threads);
            CHECK(k->threads == by_kernel[i].dependents && k->held[OBJECT_SPACE] == by_kernel[i].own_spaces);
            CHECK(k->locked_spaces == by_kernel[i].spaces);
        }
    }
}
