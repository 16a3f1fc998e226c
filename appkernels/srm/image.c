// image.c - what an app has in memory before its descriptors are loaded: its image, and the pages that it and
// the supervisor share.
//
// Its memory begins with the pages of enum app_page and its frame-state table; `free` in its kernel_info says
// where the rest begins.  Its segments lie in 2-MiB units of their own, so that each can be one kind of
// large mapping.
#include <base.h>
#include <cpio.h>
#include <elf_image.h>

#include "memory.h"
#include "srm.h"

static uint64_t units_of(uint64_t bytes)
{
    return (bytes + ABI_LARGE - 1) / ABI_LARGE;
}

// What somebody else left there is nobody's business.
static void clear_used(const struct memory_range *r)
{
    for (uint64_t at = 0; at < r->length; at += ABI_LARGE) {
        if (memory_is_used(r->base + at)) {
            memset(srm_window(r->base + at), 0, ABI_LARGE);
        }
    }
}

static bool load_segment(struct app *a, const void *image, const struct elf_segment *s)
{
    va_t begin = s->vaddr & ~(va_t)(ABI_LARGE - 1);
    struct app_segment *to = &a->segment[a->segments];

    if (a->segments == APP_SEGMENTS || (s->flags & (MAP_WRITE | MAP_EXEC)) == (MAP_WRITE | MAP_EXEC)) {
        srm_log("%s: a segment is writable and executable, or there are too many", a->policy->name);
        return false;
    }
    if (begin < ABI_LARGE || s->vaddr + s->memory_size > ABI_WINDOW ||
        (a->segments > 0 && begin < to[-1].va + to[-1].memory.length)) {
        srm_log("%s: segments must not share 2-MiB units, nor be at 0 or in the window", a->policy->name);
        return false;
    }
    if (memory_take(units_of(s->vaddr + s->memory_size - begin), &to->memory, 1) != 1) {
        srm_log("%s: no memory for its image", a->policy->name);
        return false;
    }
    to->va = begin;
    to->flags = s->flags;
    a->segments++;
    char *memory = srm_window(to->memory.base);
    memset(memory, 0, to->memory.length);
    memcpy(memory + (s->vaddr - begin), (const char *)image + s->offset, s->file_size);
    return true;
}

static bool load_image(struct app *a)
{
    char path[POLICY_NAME + 16];
    struct cpio_entry file;
    struct elf_image elf;
    struct elf_segment s;

    base_format(path, sizeof(path), "kernels/%s", a->policy->image);
    if (!cpio_find(srm_window(srm_info->archive), srm_info->archive_length, path, &file)) {
        srm_log("policy line %u: the boot archive has no %s", a->policy->number, path);
        return false;
    }
    if (!elf_open(&elf, file.data, file.size) || elf.movable ||
        !elf_note(&elf, "Quoin", NOTE_APPKERNEL, &a->note, sizeof(a->note))) {
        srm_log("%s is not an application kernel", path);
        return false;
    }
    a->entry = elf.entry;
    for (unsigned i = 0; elf_segment(&elf, i, &s); i++) {
        if (s.memory_size != 0 && !load_segment(a, file.data, &s)) {
            return false;
        }
    }
    return true;
}

static bool take_memory(struct app *a)
{
    const struct policy_kernel *p = a->policy;
    uint64_t units = p->rest ? memory_available(APP_RANGES) : units_of(p->memory);

    a->ranges = units == 0 ? 0 : memory_take(units, a->range, APP_RANGES);
    if (a->ranges == 0) {
        srm_log("policy line %u: %s asks for %lu MiB, but %lu MiB are left", p->number, p->name,
                (unsigned long)(units_of(p->memory) * 2), (unsigned long)(memory_available(APP_RANGES) * 2));
        return false;
    }
    for (unsigned i = 0; i < a->ranges; i++) {
        clear_used(&a->range[i]);
    }
    return true;
}

// The frame-state table has a byte for each frame from the lowest to the highest of its memory, image
// included.
static void measure_frames(struct app *a)
{
    pa_t low = a->range[0].base, high = 0;

    for (unsigned i = 0; i < a->ranges + a->segments; i++) {
        const struct memory_range *r = i < a->ranges ? &a->range[i] : &a->segment[i - a->ranges].memory;
        low = r->base < low ? r->base : low;
        high = r->base + r->length > high ? r->base + r->length : high;
    }
    // What it gets or is lent later may be anywhere.
    bool anywhere = a->policy->borrows || a->policy->most != 0;
    for (unsigned i = 0; i < srm_system->ranges && anywhere; i++) {
        const struct memory_range *r = &srm_system->range[i];
        low = r->base < low ? r->base : low;
        high = r->base + r->length > high ? r->base + r->length : high;
    }
    a->first_frame = low / ABI_PAGE;
    a->frame_count = (high - low) / ABI_PAGE;
}

static void fill_info(struct app *a, pa_t free)
{
    struct kernel_info *i = srm_window(a->range[0].base + PAGE_INFO * ABI_PAGE);
    const struct policy_kernel *p = a->policy;
    size_t n = strnlen(p->line, sizeof(i->args) - 1);

    *i = (struct kernel_info){
        .ranges = a->ranges, .args_length = (uint32_t)n, .system = srm_info->system,
        .archive = srm_info->archive, .archive_length = srm_info->archive_length, .free = free,
        .channel = a->range[0].base + PAGE_CHANNEL * ABI_PAGE,
        .frame_states = a->range[0].base + PAGE_FRAME_STATES * ABI_PAGE,
        .first_frame = a->first_frame, .frame_count = a->frame_count,
        .service = a->range[0].base + PAGE_CALLS * ABI_PAGE, .service_va = SERVICE_VA,
        .most = p->most,
        .limits = {a->priority, (uint32_t)p->spaces, (uint32_t)p->threads, (uint32_t)p->mappings},
        .devices = app_devices(a),
    };
    memcpy(i->range, a->range, a->ranges * sizeof(a->range[0]));
    memcpy(i->args, p->line, n);
}

bool app_prepare(struct app *a)
{
    if (!load_image(a) || !take_memory(a)) {
        return false;
    }
    measure_frames(a);
    uint64_t table = (a->frame_count + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1);
    uint64_t used = PAGE_FRAME_STATES * ABI_PAGE + table;
    if (used > a->range[0].length) {
        srm_log("policy line %u: %s needs %lu KiB in one piece to describe its memory", a->policy->number,
                a->policy->name, (unsigned long)(used >> 10));
        return false;
    }
    memset(srm_window(a->range[0].base), 0, used);
    fill_info(a, a->range[0].base + used);
    struct thread_state *s = app_thread_state(a);
    s->frame[0].rip = a->entry;
    s->frame[0].rflags = 0x202;
    s->frame[0].rdi = ABI_WINDOW + a->range[0].base + PAGE_INFO * ABI_PAGE;
    return true;
}

bool app_take_loan(struct app *a, uint64_t bytes)
{
    if (memory_take(units_of(bytes), &a->loan, 1) != 1) {
        a->loan.length = 0;
        return false;
    }
    clear_used(&a->loan);
    return true;
}

void app_give_loan(struct app *a)
{
    memory_give(&a->loan);
    a->loan.length = 0;
}

void app_release(struct app *a)
{
    if (a->loan.length != 0) {
        app_give_loan(a);
    }
    for (unsigned i = 0; i < a->ranges; i++) {
        memory_give(&a->range[i]);
    }
    for (unsigned i = 0; i < a->segments; i++) {
        memory_give(&a->segment[i].memory);
    }
    a->ranges = a->segments = 0;
}
