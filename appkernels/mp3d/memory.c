// memory.c - the memory of the simulation: three segments of the library (lib/memory) in one address space.
//
//   image   the program: its pages are made from the kernel's own copy (a fill operation of its own)
//   sim     struct sim: one run of frames, which the kernel too wants to see as one, put into the segment beforehand
//   area    stacks and particles: zeros at the first touch, as the library does it
//
// A mapping in the supervisor is only a copy of an entry: whenever the supervisor replaces one, the next touch is a
// fault, and the handler loads it again.  The kernel decides nothing else about its memory; which particle lives in
// which page is what the simulation decides (sim/store.c).
//
// Locking: `memory` covers all of it; handlers of several workers run at once.  Cache Kernel, 2.1 and 3.
#include <base.h>
#include <segment.h>
#include <sys.h>

#include "mp3d.h"

extern const char program_begin[], program_end[];        // image.S

static err_t image_fill(struct segment *s, uint64_t page, pa_t frame)
{
    size_t length = (size_t)(program_end - program_begin), at = page * ABI_PAGE;
    size_t n = length - at < ABI_PAGE ? length - at : ABI_PAGE;
    char *to = ak_window(frame);

    (void)s;
    memcpy(to, program_begin + at, n);
    memset(to + n, 0, ABI_PAGE - n);
    return ERR_OK;
}

static const struct segment_ops image_ops = {.fill = image_fill}, defaults;

static struct ak_mutex memory;
static struct manager manager = {.cluster = AK_CLUSTER_ANY};
static struct segment image, sim, area;                  // memory
static struct aspace program = {.manager = &manager, .most_regions = 3};     // memory
static uint64_t faults;                                  // memory
static pa_t space_place;                                 // I

static uint64_t page_up(uint64_t size)
{
    return (size + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1);
}

static bool show(struct segment *s, const struct segment_ops *ops, va_t start, va_t end, uint32_t access)
{
    struct region r = {.start = start, .end = end, .access = access, .most = access, .shared = true, .segment = s};

    segment_init(s, ops, &manager, 1);
    return aspace_bind(&program, &r) == ERR_OK;
}

struct sim *memory_init(void)
{
    size_t text = page_up((uint64_t)(program_end - program_begin)), data = page_up(sizeof(struct sim));
    pa_t run = ak_frame_alloc_run((unsigned)(data / ABI_PAGE));

    space_place = ak_frame_alloc();
    if (run == 0 || space_place == 0 ||
        !show(&image, &image_ops, PROGRAM_TEXT, PROGRAM_TEXT + text, MAP_READ | MAP_EXEC) ||
        !show(&sim, &defaults, PROGRAM_SIM, PROGRAM_SIM + data, MAP_READ | MAP_WRITE) ||
        !show(&area, &defaults, PROGRAM_SIM + data, PROGRAM_END, MAP_READ | MAP_WRITE)) {
        return NULL;
    }
    for (uint64_t i = 0; i < data / ABI_PAGE; i++) {
        if (segment_set(&sim, i, run + i * ABI_PAGE) != ERR_OK) {
            return NULL;
        }
    }
    return memset(ak_window(run), 0, data);
}

uint64_t memory_faults(void)
{
    return __atomic_load_n(&faults, __ATOMIC_RELAXED);
}

uint64_t memory_pages(void)
{
    return __atomic_load_n(&area.resident, __ATOMIC_RELAXED);
}

// ---- the space --------------------------------------------------------------------------------------------

static void space_reload(struct worker *w)
{
    for (;;) {
        err_t e = ERR_OK;
        ak_mutex_lock(&memory, &w->thread);
        if (program.id == w->thread.space) {  // no other worker has done it
            if (program.id != 0) {
                ak_space_finish(program.id);  // it writes its place, which the next one shares
                program.id = 0;
            }
            struct space_desc d = {.rule = TRAP_FORWARD, .place = space_place};
            e = sys_space_load(&d, &program.id);
        }
        if (e != ERR_OK) {
            program.id = 0;
        }
        w->thread.space = program.id;
        ak_mutex_unlock(&memory);
        if (e == ERR_OK) {
            return;
        }
        if (e != ERR_AGAIN) {
            ak_panic("the space cannot be loaded: error %d", e);
        }
        ak_pause();
    }
}

_Noreturn void memory_return(struct worker *w)
{
    for (;;) {
        ak_returning(&w->thread);
        if (w->thread.space != 0) {
            (void)ak_resume(&w->thread);
        }
        ak_staying(&w->thread);
        space_reload(w);
    }
}

// ---- faults -----------------------------------------------------------------------------------------------

_Noreturn void mp3d_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
void mp3d_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct worker *w = (struct worker *)cookie;
    const struct frame *f = &s->frame[depth];
    struct map_entry load;

    if (depth != 0) {
        ak_panic("fault at %lx, address %lx", (unsigned long)f->rip, (unsigned long)f->addr);
    }
    ak_mutex_lock(&memory, &w->thread);
    __atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
    err_t e = aspace_fault(&program, f->addr, f->error, &load);
    ak_mutex_unlock(&memory);
    if (e != ERR_OK) {
        ak_log(e == ERR_LIMIT ? "there is no memory for worker %u at 0x%lx" : "worker %u may not touch 0x%lx",
               w->number, (unsigned long)f->addr);
        worker_end(w, e == ERR_LIMIT ? 137 : 139);
    }
    ak_returning(&w->thread);
    e = ak_map_and_resume(&w->thread, load.va, load.pa, load.flags);
    ak_staying(&w->thread);
    if (e == ERR_AGAIN) {
        ak_pause();                      // then the program touches it once more
    }
    memory_return(w);
}
