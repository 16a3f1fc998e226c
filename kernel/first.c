// first.c - loading the first kernel at boot, with every right that may be granted at all.
//
// It is loaded by the same functions as everything else; what a starter would do is done here: image to
// 2-MiB units, locked mappings of text, data and window, system pages and archive read-only.
#include "boot.h"
#include "cpio.h"
#include "elf_image.h"
#include "instance_boot.h"
#include "supervisor.h"

enum { FIRST_PRIORITY = ABI_PRIORITIES - 1 };

struct first {
    struct cpu *cpu;
    struct instance *in;
    struct boot_info *boot;
    struct appkernel *k;
    struct space *space;
    pa_t block; // its own pages
    uint64_t block_size;
};

enum first_page { PAGE_INFO, PAGE_CHANNEL, PAGE_STATE, PAGE_PLACES, PAGE_FRAME_STATES };

static pa_t page_of(const struct first *f, enum first_page p)
{
    return f->block + (pa_t)p * ABI_PAGE;
}

static void grant(struct first *f, pa_t base, uint64_t length, uint32_t access)
{
    for (uint64_t g = base >> ABI_GROUP_SHIFT; g <= (base + length - 1) >> ABI_GROUP_SHIFT; g++) {
        rights_set(f->k, g, access);
    }
}

static void map(struct first *f, va_t va, pa_t pa, uint64_t length, uint32_t access)
{
    for (uint64_t at = 0; at < length; at += ABI_LARGE) {
        uint64_t flags = access | MAP_LARGE | MAP_LOCKED;
        if (mapping_load(f->cpu, f->k, f->space, va + at, pa + at, flags, NULL) != ERR_OK) {
            boot_refuse("the first kernel's mappings cannot be loaded");
        }
    }
}

static void map_window(struct first *f, pa_t pa, uint64_t length, uint32_t access)
{
    length = (length + ABI_LARGE - 1) & ~(uint64_t)(ABI_LARGE - 1);
    grant(f, pa, length, access & MAP_WRITE ? GROUP_WRITE : GROUP_READ);
    map(f, ABI_WINDOW + pa, pa, length, access);
}

static void load_segment(struct first *f, const void *image, const struct elf_segment *s)
{
    va_t begin = s->vaddr & ~(va_t)(ABI_LARGE - 1);
    uint64_t size = s->vaddr + s->memory_size - begin;
    char *to = boot_take(f->boot, size, ABI_LARGE, "the first kernel");

    size = (size + ABI_LARGE - 1) & ~(uint64_t)(ABI_LARGE - 1);
    memcpy(to + (s->vaddr - begin), (const char *)image + s->offset, s->file_size);
    grant(f, arch_pa(to), size, GROUP_WRITE);
    map(f, begin, arch_pa(to), size, s->flags);
}

// What is left of memory is the first kernel's to grant: whole 2-MiB units.
static void give_memory(struct first *f)
{
    struct system_info *s = f->in->info;
    const struct ranges *free = &f->boot->free;

    for (uint32_t i = 0; i < free->count && s->ranges < SYSTEM_RANGES; i++) {
        pa_t base = (free->r[i].base + ABI_LARGE - 1) & ~(pa_t)(ABI_LARGE - 1);
        pa_t end = free->r[i].end & ~(pa_t)(ABI_LARGE - 1);
        if (base >= end) {
            continue;
        }
        s->range[s->ranges++] = (struct memory_range){base, end - base, free->r[i].cluster, 0};
        map_window(f, base, end - base, MAP_READ | MAP_WRITE);
    }
    if (s->ranges == 0) {
        boot_refuse("no memory is left to grant");
    }
}

static void make_kernel(struct first *f, const struct appkernel_note *note)
{
    struct instance *in = f->in;
    uint32_t kernels = in->kernels.size, spaces = in->spaces.size - 1, threads = in->threads.size - 2;
    struct kernel_desc d = {
        .flags = LOAD_LOCKED, .trap = note->trap, .fault = note->fault, .exception = note->exception,
        .place = page_of(f, PAGE_PLACES), .channel = page_of(f, PAGE_CHANNEL),
        .frame_states = page_of(f, PAGE_FRAME_STATES), .frame_count = in->groups * (ABI_GROUP / ABI_PAGE),
        .limits = {.max_priority = ABI_PRIORITIES - 1,
                   .locked_spaces = kernels < spaces ? kernels : spaces,
                   .locked_threads = kernels < threads ? kernels : threads,
                   .locked_mappings = in->nlocked - 16 * kernels},
    };
    struct space_desc s = {
        .flags = LOAD_LOCKED, .rule = TRAP_NATIVE, .place = page_of(f, PAGE_PLACES) + sizeof(struct place)};

    memset(d.share, 100, sizeof(d.share));
    f->k = (struct appkernel *)handle_take(&in->kernels, arch_now());
    in->first = f->k;
    quota_set(in, f->k, &d.limits);
    grant(f, f->block, f->block_size, GROUP_WRITE);
    oid_t id;
    if (space_load(f->cpu, f->k, &s, &id) != ERR_OK) {
        boot_refuse("the first kernel's space cannot be loaded");
    }
    f->space = space_find(in, id);
    quota_clear(in, f->k);                      // they are set again
    appkernel_fill(in, f->k, &d, f->space);
    f->k->locked_spaces = f->k->held[OBJECT_SPACE] = 1;
    grant(f, f->block, f->block_size, GROUP_WRITE);
}

static void start_thread(struct first *f, va_t entry, va_t xstack)
{
    struct thread_state *state = arch_phys(page_of(f, PAGE_STATE));
    struct thread_desc d = {
        .space = f->space->o.id, .flags = LOAD_LOCKED, .priority = FIRST_PRIORITY,
        .state = page_of(f, PAGE_STATE), .state_va = ABI_WINDOW + page_of(f, PAGE_STATE), .xstack = xstack & ~15ull,
    };

    state->frame[0].rip = entry;
    state->frame[0].rflags = 0x202;
    state->frame[0].rdi = ABI_WINDOW + page_of(f, PAGE_INFO);
    if (thread_load(f->cpu, f->k, &d, &f->in->info->thread) != ERR_OK) {
        boot_refuse("the first kernel's thread cannot be loaded");
    }
    f->in->info->kernel = f->k->o.id;
    f->in->info->space = f->space->o.id;
}

static void fill_info(struct first *f)
{
    struct kernel_info *i = arch_phys(page_of(f, PAGE_INFO));
    struct system_info *s = f->in->info;

    *i = (struct kernel_info){
        .kernel = s->kernel, .space = s->space, .thread = s->thread, .system = f->in->system,
        .archive = f->boot->archive, .archive_length = f->boot->archive_length, .channel = page_of(f, PAGE_CHANNEL),
        .frame_states = page_of(f, PAGE_FRAME_STATES), .first_frame = 0, .frame_count = f->k->frame_count,
        .devices = (1u << DEVICES) - 1, .device_signals = 1, .ranges = s->ranges < 8 ? s->ranges : 8,
        .limits = {f->k->limits.max_priority, f->k->limits.locked_spaces, f->k->limits.locked_threads,
                   f->k->limits.locked_mappings},
    };
    memcpy(i->range, s->range, i->ranges * sizeof(i->range[0]));
    i->free = i->range[0].base;
    s->archive = i->archive;
    s->archive_length = i->archive_length;
}

void first_load(struct cpu *cpu, struct boot_info *info)
{
    struct first f = {.cpu = cpu, .in = cpu->instance, .boot = info};
    struct cpio_entry file;
    struct elf_image elf;
    struct appkernel_note note;

    if (!cpio_find(arch_phys(info->archive), info->archive_length, "boot/first", &file)) {
        boot_refuse("the boot archive has no boot/first, or is damaged");
    }
    if (!elf_open(&elf, file.data, file.size) ||
        !elf_note(&elf, "Quoin", NOTE_APPKERNEL, &note, sizeof(note))) {
        boot_refuse("boot/first is not an application kernel");
    }
    f.block_size = PAGE_FRAME_STATES * ABI_PAGE + f.in->groups * (ABI_GROUP / ABI_PAGE);
    f.block = arch_pa(boot_take(info, f.block_size, ABI_LARGE, "the first kernel"));
    f.block_size = (f.block_size + ABI_LARGE - 1) & ~(uint64_t)(ABI_LARGE - 1);
    make_kernel(&f, &note);
    map_window(&f, f.block, f.block_size, MAP_READ | MAP_WRITE);
    map_window(&f, f.in->system, ABI_LARGE, MAP_READ);
    map_window(&f, info->archive, info->archive_length, MAP_READ);
    struct elf_segment segment;
    for (unsigned i = 0; elf_segment(&elf, i, &segment); i++) {
        load_segment(&f, file.data, &segment);
    }
    give_memory(&f);
    grant(&f, f.in->devices.base, ABI_LARGE, GROUP_WRITE);
    start_thread(&f, elf.entry, note.xstack);
    fill_info(&f);
}
