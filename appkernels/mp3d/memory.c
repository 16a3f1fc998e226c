// memory.c - the memory of the simulation: frames of the kernel's page groups, given page by page at the
// first touch.
//
// The table says which frame each page of the program has.  A mapping in the supervisor is only a copy of
// its entry: whenever the supervisor replaces one, the next touch is a fault, and the handler loads it
// again.  The kernel decides nothing else about its memory; which particle lives in which page is what the
// simulation decides (sim/store.c).
//
// Handlers of several workers run at once: entries are set by compare-and-exchange.  Cache Kernel, 2.1.
#include <base.h>
#include <sys.h>

#include "mp3d.h"

extern const char program_begin[], program_end[];        // image.S

static uint32_t page_frame[MEMORY_PAGES];                // a  number of the frame; 0: none yet
static uint64_t faults, pages;                           // a
static struct ak_mutex space_mutex;
static oid_t space;                                      // space_mutex; 0: not loaded
static pa_t space_place;                                 // I

static uint32_t page_of(va_t va)
{
    return (uint32_t)((va - PROGRAM_TEXT) >> ABI_PAGE_SHIFT);
}

// A run of frames that the kernel too wants to see as one.
static void *place_run(va_t va, size_t size)
{
    uint32_t count = (uint32_t)((size + ABI_PAGE - 1) / ABI_PAGE);
    pa_t run = ak_frame_alloc_run(count);

    if (run == 0) {
        return NULL;
    }
    memset(ak_window(run), 0, (size_t)count * ABI_PAGE);
    for (uint32_t i = 0; i < count; i++) {
        page_frame[page_of(va) + i] = (uint32_t)(run >> ABI_PAGE_SHIFT) + i;
    }
    return ak_window(run);
}

struct sim *memory_init(void)
{
    size_t length = (size_t)(program_end - program_begin);
    void *text = place_run(PROGRAM_TEXT, length);

    space_place = ak_frame_alloc();
    if (text == NULL || space_place == 0) {
        return NULL;
    }
    memcpy(text, program_begin, length);
    return place_run(PROGRAM_SIM, sizeof(struct sim));
}

uint64_t memory_faults(void)
{
    return __atomic_load_n(&faults, __ATOMIC_RELAXED);
}

uint64_t memory_pages(void)
{
    return __atomic_load_n(&pages, __ATOMIC_RELAXED);
}

// ---- the space --------------------------------------------------------------------------------------------

static void space_reload(struct worker *w)
{
    for (;;) {
        err_t e = ERR_OK;
        ak_mutex_lock(&space_mutex, &w->thread);
        if (space == w->thread.space) {  // no other worker has done it
            if (space != 0) {
                ak_space_finish(space);  // it writes its place, which the next one shares
                space = 0;
            }
            struct space_desc d = {.rule = TRAP_FORWARD, .place = space_place};
            e = sys_space_load(&d, &space);
        }
        if (e != ERR_OK) {
            space = 0;
        }
        w->thread.space = space;
        ak_mutex_unlock(&space_mutex);
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

static bool may(va_t va, uint64_t error)
{
    if (va < PROGRAM_TEXT || va >= PROGRAM_END || (error & FAULT_PRESENT)) {
        return false;
    }
    return va < PROGRAM_SIM ? page_frame[page_of(va)] != 0 && !(error & FAULT_WRITE) : !(error & FAULT_EXEC);
}

// The frame of a page; a fresh one, cleared, if it has none.  0: no memory.
static uint32_t frame_of(uint32_t page)
{
    uint32_t frame = __atomic_load_n(&page_frame[page], __ATOMIC_ACQUIRE);

    if (frame != 0) {
        return frame;
    }
    pa_t fresh = ak_frame_alloc();
    if (fresh == 0) {
        return 0;
    }
    memset(ak_window(fresh), 0, ABI_PAGE);
    if (!__atomic_compare_exchange_n(&page_frame[page], &frame, (uint32_t)(fresh >> ABI_PAGE_SHIFT), false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        ak_frame_put(fresh);             // another worker was faster
        return frame;
    }
    __atomic_fetch_add(&pages, 1, __ATOMIC_RELAXED);
    return (uint32_t)(fresh >> ABI_PAGE_SHIFT);
}

_Noreturn void mp3d_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
void mp3d_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct worker *w = (struct worker *)cookie;
    const struct frame *f = &s->frame[depth];
    va_t va = f->addr;

    if (depth != 0) {
        ak_panic("fault at %lx, address %lx", (unsigned long)f->rip, (unsigned long)va);
    }
    if (!may(va, f->error)) {
        ak_log("worker %u may not touch 0x%lx", w->number, (unsigned long)va);
        worker_end(w, 139);
    }
    __atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
    uint32_t frame = frame_of(page_of(va));
    if (frame == 0) {
        ak_log("there is no memory for page 0x%lx", (unsigned long)va);
        worker_end(w, 137);
    }
    ak_returning(&w->thread);
    err_t e = ak_map_and_resume(&w->thread, va & ~(va_t)(ABI_PAGE - 1), (pa_t)frame << ABI_PAGE_SHIFT,
                                va < PROGRAM_SIM ? MAP_READ | MAP_EXEC : MAP_READ | MAP_WRITE);
    ak_staying(&w->thread);
    if (e == ERR_AGAIN) {
        ak_pause();                      // then the program touches it once more
    }
    memory_return(w);
}
