// lost.c - consistency faults.  See lost.h.
#include "supervisor.h"

enum { VECTOR_MACHINE_CHECK = 18 };

uint64_t lost_explain(struct cpu *cpu, uint64_t error, va_t va)
{
    struct space *s = thread_where(cpu->thread);
    struct leaf leaf;

    assert(cpu->locked);
    if (!s->remote || !table_present(cpu->instance, s, va, &leaf)) {
        return error;
    }
    return error | (arch_pte_access(*leaf.pte) & MAP_REMOTE ? FAULT_PRESENT | FAULT_CONSISTENCY : 0u) |
           (arch_pte_lost(*leaf.pte) ? (uint64_t)FAULT_LOST : 0u);
}

// The mapping of a record allows nothing any more.  Not the large ones in the own space of a kernel: its handlers,
// which are to deal with the loss, are there too.
static bool record_mark(struct cpu *cpu, struct record *r)
{
    struct instance *in = cpu->instance;
    struct leaf leaf;
    va_t va;
    struct space *s = table_of_record(in, r, &va, &leaf);

    if (r->large && s->kernel != NULL) {
        return false;
    }
    mapping_copy_cancel(in, s, r);
    s->remote = true;
    mapping_change(cpu, s, va, &leaf,
                   (arch_pte_access(*leaf.pte) & (MAP_DEVICE | MAP_LARGE | MAP_MESSAGE)) | MAP_REMOTE | MAP_LOST);
    return true;
}

// Mappings of this very frame: all, or the large ones.  Gives how many.
static uint32_t mark_frame(struct cpu *cpu, uint64_t pfn, bool all)
{
    uint32_t count = 0;

    for (struct record *r = pmap_frame_first(cpu->instance, pfn); r != NULL; r = pmap_frame_next(cpu->instance, r)) {
        count += (all || r->large) && record_mark(cpu, r);
    }
    return count;
}

static uint64_t large_frame(uint64_t pfn)
{
    return pfn & ~(uint64_t)(LARGE_FRAMES - 1);
}

static void note_all(struct instance *in, uint64_t pfn)
{
    for (uint32_t i = 0; i < in->kernels.size; i++) {
        struct appkernel *k = kernel_at(in, i);
        if (k->o.state != OBJECT_FREE) {
            frame_state_note(k, pfn, false, FRAME_LOST);
        }
    }
}

// Is it memory that can be granted, and not the supervisor's own?
static bool is_granted(const struct instance *in, pa_t pa)
{
    for (uint32_t i = 0; i < in->info->ranges; i++) {
        if (pa - in->info->range[i].base < in->info->range[i].length) {
            return true;
        }
    }
    return false;
}

// Can the thread that runs here go on to an access that faults, or would it only meet the failure again?
static bool still_open(struct cpu *cpu, uint64_t pfn)
{
    struct space *s = thread_where(cpu->thread);
    struct record *r = s->kernel != NULL ? pmap_frame_first(cpu->instance, large_frame(pfn)) : NULL;

    while (r != NULL && !(r->large && r->space == s->o.slot)) {
        r = pmap_frame_next(cpu->instance, r);
    }
    return r != NULL;
}

void kernel_memory_lost(struct cpu *cpu, pa_t pa, bool here, bool broken)
{
    uint64_t pfn = pa >> ABI_PAGE_SHIFT;

    if (!is_granted(cpu->instance, pa)) {
        panic("the supervisor's memory at %lx has failed", (unsigned long)pa);
    }
    if (cpu->frame != NULL) {
        cpu->frame->kind = FRAME_NONE;            // all registers count
    }
    instance_lock(cpu);
    note_all(cpu->instance, pfn);
    uint32_t count = mark_frame(cpu, pfn, true);
    count += large_frame(pfn) == pfn ? 0 : mark_frame(cpu, large_frame(pfn), false);
    broken = broken || (here && still_open(cpu, pfn));
    instance_unlock(cpu);
    kprint("the memory at %lx has failed, %u mappings\n", (unsigned long)pa, count);
    if (broken && cpu->frame != NULL) {
        cpu->stats->exceptions++;
        trap_forward(cpu, FRAME_EXCEPTION, VECTOR_MACHINE_CHECK, 0, 0);
    }
}
