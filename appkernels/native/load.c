// load.c - the memory that a program begins with: its ELF file, the page that tells it what it is, and a stack.
//
//     NATIVE_INFO          struct native_info, for reading
//     as in the file       each loadable segment of the file, zeros behind what the file has
//     below NATIVE_MAPS_END    the first thread's stack, with a guard page
// For SCHEDULE_ACTIVATIONS there is the area with stacks for upcalls instead of the first stack (activation.c).
#include <base.h>
#include <elf_image.h>

#include "program.h"

enum { STACK_AREA = 2 * NATIVE_STACK };  // a power of two, so that its lowest page is the guard

static bool bind_segment(struct program *p, const struct elf_image *image, const struct elf_segment *s)
{
    va_t start = s->vaddr & ~(uint64_t)(ABI_PAGE - 1);
    va_t end = (s->vaddr + s->memory_size + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1);

    if (s->memory_size == 0) {
        return true;
    }
    struct segment *segment = file_segment(p, image->bytes + s->offset, s->file_size, s->vaddr - start, 0);
    if (segment == NULL) {
        return false;
    }
    struct region like = {.start = start, .end = end, .access = s->flags, .most = s->flags, .shared = true,
                          .segment = segment};
    if (aspace_bind(&p->as, &like) != ERR_OK) {
        segment_put(segment);
        return false;
    }
    return true;
}

static bool bind_image(struct program *p, const struct elf_image *image)
{
    struct elf_segment s;

    for (unsigned i = 0; elf_segment(image, i, &s); i++) {
        if (!bind_segment(p, image, &s)) {
            return false;
        }
    }
    return true;
}

static bool bind_info(struct program *p, const char *args)
{
    static const struct segment_ops defaults;
    struct segment *s = segment_create(&defaults, &p->manager);
    pa_t frame = ak_frame_alloc();

    if (s == NULL || frame == 0 || segment_set(s, 0, frame) != ERR_OK) {
        return false;
    }
    p->info = memset(ak_window(frame), 0, ABI_PAGE);
    *p->info = (struct native_info){.version = 1, .cpus = ak_system->cpus, .tsc_hz = ak_system->tsc_hz,
                                    .slice = ak_system->slice, .schedule = NATIVE_THREADS,
                                    .priority = (uint16_t)p->priority, .highest = (uint16_t)p->highest};
    base_format(p->info->args, sizeof(p->info->args), "%s", args);
    struct region like = {.start = NATIVE_INFO, .end = NATIVE_INFO + ABI_PAGE, .access = MAP_READ, .most = MAP_READ,
                          .shared = true, .segment = s};
    return aspace_bind(&p->as, &like) == ERR_OK;
}

static bool bind_stack(struct program *p, va_t *top)
{
    struct region like = {.start = NATIVE_MAPS_END - STACK_AREA, .end = NATIVE_MAPS_END,
                          .access = MAP_READ | MAP_WRITE, .most = MAP_READ | MAP_WRITE, .tag = STACK_AREA};

    *top = like.end;
    return aspace_bind(&p->as, &like) == ERR_OK;
}

// One that schedules itself says how.
static bool read_note(struct program *p, const struct elf_image *image)
{
    if (!elf_note(image, "Quoin", NOTE_NATIVE, &p->note, sizeof(p->note))) {
        ak_complain("%s has no note that says how it runs on activations", p->name);
        return false;
    }
    if (!activation_note_ok(&p->note)) {
        ak_complain("%s: its note asks for what cannot be", p->name);
        return false;
    }
    return true;
}

bool program_load(struct program *p, const char *args, struct task_start *start)
{
    struct elf_image image;
    const uint8_t *bytes;
    uint64_t size;
    char path[48];

    base_format(path, sizeof(path), strchr(p->name, '/') != NULL ? "%s" : "bin/%s", p->name);
    if (!file_find(path, &bytes, &size)) {
        ak_complain("there is no file %s", path);
        return false;
    }
    if (!elf_open(&image, bytes, size) || image.movable) {
        ak_complain("%s is not a native program", path);
        return false;
    }
    if (p->schedule == SCHEDULE_ACTIVATIONS && !read_note(p, &image)) {
        return false;
    }
    memory_init(p);
    p->place = ak_frame_alloc();
    if (p->place == 0 || !bind_info(p, args) || !bind_image(p, &image) ||
        !(p->schedule == SCHEDULE_ACTIVATIONS ? activation_area(p) : bind_stack(p, &start->stack))) {
        ak_complain("%s cannot be loaded: no memory, or its segments overlap", path);
        return false;
    }
    memset(ak_window(p->place), 0, sizeof(struct place));
    start->entry = image.entry;
    start->argument = NATIVE_INFO;
    start->fs_base = 0;
    start->name = 0;
    start->priority = p->priority;
    return true;
}
