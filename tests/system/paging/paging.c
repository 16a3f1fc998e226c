// paging.c - a segment with more pages than frames: the default manager of lib/memory on the real frame-state table.
//
// As hello is, an application kernel with one program.  Its pages are saved in this kernel's own memory.  Only pages
// that were written may be saved, and the page that is used all the time may never go: so the referenced and modified
// bits that the supervisor hands over are right.
#include <base.h>
#include <device.h>
#include <segment.h>
#include <sys.h>

extern const char program_begin[], program_end[];        // program.S

enum { TEXT = 0x400000, DATA = 0x800000, PAGES = 64, FRAMES = 16, HOT = 1 };

const char ak_name[] = "paging";

static uint64_t store[PAGES], saves, clean_saves, hot_gone, ended;
static struct manager manager = {.cluster = AK_CLUSTER_ANY, .limit = FRAMES};
static struct segment data, text;
static struct aspace program = {.manager = &manager, .most_regions = 2};

static err_t text_fill(struct segment *s, uint64_t page, pa_t frame)
{
    (void)s, (void)page;
    memcpy(ak_window(frame), program_begin, (size_t)(program_end - program_begin));
    return ERR_OK;
}

static err_t data_fill(struct segment *s, uint64_t page, pa_t frame)
{
    (void)s;
    memset(ak_window(frame), 0, ABI_PAGE);
    *(uint64_t *)ak_window(frame) = store[page];
    return ERR_OK;
}

static err_t data_write_back(struct segment *s, uint64_t page, pa_t frame)
{
    (void)s;
    store[page] = *(const uint64_t *)ak_window(frame);
    saves++;
    clean_saves += page % 2 == 0;        // even pages are only read
    return ERR_OK;
}

static void data_freed(struct segment *s, uint64_t page, pa_t frame)
{
    (void)s;
    hot_gone += page == HOT && !ended;
    ak_frame_put(frame);
}

static const struct segment_ops text_ops = {.fill = text_fill};
static const struct segment_ops data_ops = {.fill = data_fill, .write_back = data_write_back, .freed = data_freed};

_Noreturn void paging_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void paging_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void paging_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(paging_trap, paging_fault, paging_exception);

static _Noreturn void end(uint64_t value)
{
    for (;;) {
        (void)sys_thread_unload(0, value);
    }
}

void paging_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct map_entry load;
    err_t e = aspace_fault(&program, s->frame[depth].addr, s->frame[depth].error, &load);

    (void)cookie;
    if (depth == 0 && e == ERR_OK) {
        do {
            e = sys_mapping_load_and_resume(program.id, load.va, load.pa, load.flags);
        } while (e == ERR_AGAIN);
    }
    ak_log("fault at 0x%lx: error %d", (unsigned long)s->frame[depth].addr, e);
    end(1000);
}

void paging_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    end(s->frame[depth].rdi);
}

void paging_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)s, (void)cookie, (void)depth;
    end(1001);
}

static bool show(struct segment *s, const struct segment_ops *ops, va_t start, uint64_t pages, uint32_t access)
{
    struct region r = {.start = start, .end = start + pages * ABI_PAGE, .access = access, .most = access,
                       .shared = true, .segment = s};

    segment_init(s, ops, &manager, 2);   // one user of our own
    return aspace_bind(&program, &r) == ERR_OK;
}

static err_t start_program(pa_t state, pa_t stack)
{
    struct thread_state *s = ak_window(state);
    struct thread_desc d = {.space = program.id, .priority = 1, .state = state, .state_va = (va_t)s,
                            .xstack = (va_t)ak_window(stack) + ABI_PAGE};
    oid_t thread;

    memset(s, 0, ABI_PAGE);
    s->frame[0].rip = TEXT;
    return sys_thread_load(&d, &thread);
}

static int verdict(const struct thread_state *s)
{
    ak_log("ended with %lu, %lu pages saved, %lu of them clean; the hot page went %lu times; %lu frames",
           (unsigned long)s->value, (unsigned long)saves, (unsigned long)clean_saves, (unsigned long)hot_gone,
           (unsigned long)manager.resident);
    if (s->reason != REASON_EXITED || s->value != 0 || saves < 40 * PAGES / 2 || clean_saves != 0 || hot_gone != 0 ||
        manager.resident != FRAMES) {
        return 1;
    }
    ended = 1;
    aspace_destroy(&program);
    segment_destroy(&data);
    segment_destroy(&text);
    return manager.resident == 0 ? 0 : 1;
}

int ak_main(const struct kernel_info *info)
{
    static const char good[] = "paging: no page was lost\n";
    uint64_t taken, before = ak_frames_free();
    pa_t place = ak_frame_alloc(), state = ak_frame_alloc(), stack = ak_frame_alloc();
    struct space_desc space = {.rule = TRAP_FORWARD, .place = place};
    const struct thread_state *s = ak_window(state);

    if (place == 0 || state == 0 || stack == 0 || !show(&text, &text_ops, TEXT, 1, MAP_READ | MAP_EXEC) ||
        !show(&data, &data_ops, DATA, PAGES, MAP_READ | MAP_WRITE)) {
        return 2;
    }
    manager_add(&manager, &data);
    if (sys_listen(info->thread) != ERR_OK || sys_space_load(&space, &program.id) != ERR_OK ||
        start_program(state, stack) != ERR_OK) {
        return 3;
    }
    while (__atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE) != 0) {
        (void)sys_wait(0);
    }
    int value = verdict(s);
    ak_frame_put(place);
    ak_frame_put(state);
    ak_frame_put(stack);
    if (value == 0 && ak_frames_free() + 8 < before) {       // some are kept for small objects
        value = 4;
    }
    if (value == 0) {
        (void)device_write(info, DEVICE_TERMINAL, good, sizeof(good) - 1, &taken);
    }
    return value;
}
