// machine.c - see machine.h.
#include "machine.h"

#include <communication.h>
#include <resources.h>
#include <stdio.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p))
#endif

// The window begins where the sanitizer keeps its shadow: so the machine's memory begins at 1 TiB.
enum { FRAMES = 8192, OBJECT_HEADER = 64 };
#define MEMORY (1ull << 40)

struct task *machine_first, *machine_woken;
bool (*machine_on_sleep)(struct task *t);
long machine_allow = -1;
unsigned machine_chaos, machine_interrupts;
int machine_stopped = -1;

static unsigned users[FRAMES], mapped[FRAMES];
static unsigned frames_used;
static size_t objects;
static uint64_t seed = 1;
static struct ak_thread *dead;
jmp_buf *machine_leave;
bool machine_asleep;

static const struct kernel_info info = {.limits.max_priority = 20, .frame_count = FRAMES, .ranges = 1,
                                        .range[0] = {.base = MEMORY, .length = (uint64_t)FRAMES * ABI_PAGE}};
static const struct system_info system_info = {.cpus = 2, .tsc_hz = 1000000000, .mappings = 4096};
static const struct system_stats system_stats;
const struct kernel_info *ak_info = &info;
const struct system_info *ak_system = &system_info;
const struct system_stats *ak_stats = &system_stats;
const char ak_name[] = "test";

unsigned machine_random(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 32) % below);
}

void machine_seed(const char *name)
{
    const char *given = getenv("QUOIN_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : 0x9e3779b97f4a7c15ull;
    seed += seed == 0;
    print_message("%s: QUOIN_SEED=%#llx\n", name, (unsigned long long)seed);
}

// ---- frames and objects -----------------------------------------------------------------------------------

unsigned machine_frames(void)
{
    return frames_used;
}

size_t machine_objects(void)
{
    return objects;
}

// Is there one more?
static bool allowed(void)
{
    return machine_allow < 0 || machine_allow-- > 0 || ((machine_allow = 0), false);
}

static unsigned frame_index(pa_t frame)
{
    assert_true(frame % ABI_PAGE == 0);
    return frame >= MEMORY && frame < MEMORY + (pa_t)FRAMES * ABI_PAGE
               ? (unsigned)((frame - MEMORY) / ABI_PAGE)
               : FRAMES;
}

void machine_mapped(pa_t frame, int change)
{
    assert_true(change < 0 || (frame_index(frame) < FRAMES && users[frame_index(frame)] > 0));
    if (frame_index(frame) < FRAMES) {
        mapped[frame_index(frame)] += (unsigned)change;
    }
}

pa_t ak_frame_alloc_run(unsigned count)
{
    static unsigned next;

    for (unsigned tries = 0; count > 0 && allowed() && tries < FRAMES;
         tries++, machine_allow += machine_allow >= 0) {
        unsigned at = (next + tries) % FRAMES, n = 0;
        while (n < count && at + n < FRAMES && users[at + n] == 0) {
            n++;
        }
        if (n == count) {
            void *p = ak_window(MEMORY + (pa_t)at * ABI_PAGE);
            ASAN_UNPOISON_MEMORY_REGION(p, (size_t)count * ABI_PAGE);
            memset(p, 0xa5, (size_t)count * ABI_PAGE);
            for (unsigned k = 0; k < count; k++) {
                users[at + k] = 1;
            }
            next = (at + count) % FRAMES;
            frames_used += count;
            return MEMORY + (pa_t)at * ABI_PAGE;
        }
    }
    return 0;
}

pa_t ak_frame_alloc_large(void)
{
    return 0;                              // no 2 MiB in a row
}

pa_t ak_frame_alloc(void)
{
    return ak_frame_alloc_run(1);
}

bool com_fault(struct frame *f)          // nobody signals
{
    (void)f;
    return false;
}

pa_t ak_frame_alloc_in(uint32_t cluster)
{
    assert_true(cluster == AK_CLUSTER_ANY);
    return ak_frame_alloc_run(1);
}

pa_t resources_frame(void)               // nobody has more
{
    return ak_frame_alloc();
}

void ak_frame_get(pa_t frame)
{
    if (frame_index(frame) < FRAMES) {
        assert_true(users[frame_index(frame)]++ > 0);
    }
}

void ak_frame_put(pa_t frame)
{
    unsigned k = frame_index(frame);

    if (k < FRAMES) {
        assert_true(users[k] > 0);
        if (--users[k] == 0) {
            assert_int_equal(mapped[k], 0);              // a program could still reach it
            frames_used--;
            ASAN_POISON_MEMORY_REGION(ak_window(frame), ABI_PAGE);
        }
    }
}

unsigned ak_frame_users(pa_t frame)
{
    return frame_index(frame) < FRAMES ? users[frame_index(frame)] : 2;
}

uint64_t ak_frames_free(void)
{
    return FRAMES - frames_used;
}

void *ak_alloc(size_t size)
{
    size_t whole = (OBJECT_HEADER + size + 63) & ~(size_t)63;

    if (!allowed()) {
        return NULL;
    }
    uint8_t *p = aligned_alloc(64, whole);
    memset(p, 0, whole);
    *(size_t *)p = size;
    ASAN_POISON_MEMORY_REGION(p, OBJECT_HEADER);
    ASAN_POISON_MEMORY_REGION(p + OBJECT_HEADER + size, whole - OBJECT_HEADER - size);
    objects++;
    return p + OBJECT_HEADER;
}

void ak_free(void *p, size_t size)
{
    if (p != NULL) {
        uint8_t *whole = (uint8_t *)p - OBJECT_HEADER;
        ASAN_UNPOISON_MEMORY_REGION(whole, OBJECT_HEADER);
        assert_int_equal(*(size_t *)whole, size);
        objects--;
        free(whole);
    }
}

// ---- threads and locks ------------------------------------------------------------------------------------

err_t ak_thread_create(struct ak_thread *t, uint32_t priority, uint32_t flags)
{
    t->state = ak_alloc(sizeof(*t->state));
    t->priority = priority;
    t->flags = flags;
    return t->state != NULL ? ERR_OK : ERR_LIMIT;
}

void ak_thread_destroy(struct ak_thread *t)
{
    ak_free(t->state, sizeof(*t->state));
}

void ak_thread_run(struct ak_thread *t, void (*fn)(void *), void *arg)
{
    (void)fn, (void)arg;
    t->known = true;
}

_Noreturn void ak_thread_exit(struct ak_thread *t)
{
    assert_int_equal(giant.state, 0);
    t->next_queued = dead;
    dead = t;
    longjmp(*machine_leave, MACHINE_LEFT_ENDED);
}

struct ak_thread *ak_thread_collect(void)
{
    struct ak_thread *t = dead;

    if (t != NULL) {
        dead = t->next_queued;
        ak_thread_destroy(t);
    }
    return t;
}

void ak_thread_interrupt(struct ak_thread *t)
{
    machine_interrupts++;
    machine_woken = (struct task *)t;
}

void ak_thread_reload(struct ak_thread *t)
{
    (void)t;
}

void ak_wake(struct ak_thread *t)
{
    t->woken = 1;
    machine_woken = (struct task *)t;
}

// Nobody may act while the giant is held.  A sleep that nobody will end is ended as if a signal had come.
err_t ak_block(struct ak_thread *thread, uint64_t deadline)
{
    struct task *t = (struct task *)thread;

    assert_int_equal(giant.state, 0);
    while (!thread->woken) {
        if (machine_on_sleep != NULL && machine_on_sleep(t)) {
            continue;
        }
        if (deadline != 0) {
            return ERR_TIMEOUT;
        }
        assert_false(machine_asleep);                    // it does not end: nobody could
        machine_asleep = t->interrupted = true;
        return ERR_OK;
    }
    thread->woken = 0;
    return ERR_OK;
}

void ak_pause(void)
{
}

uint64_t ak_ticks_from_ns(uint64_t ns)
{
    return ns;
}

uint64_t ak_ns_from_ticks(uint64_t ticks)
{
    return ticks;
}

void ak_service_until(uint64_t time)
{
    (void)time;
}

err_t ak_thread_load(struct ak_thread *t)
{
    (void)t;
    return ERR_AGAIN;
}

struct ak_thread *ak_thread_next(const struct ak_thread *after)
{
    (void)after;
    return NULL;
}

uint32_t ak_thread_level(const struct ak_thread *t)
{
    return t->priority;
}

void ak_thread_set_priority(struct ak_thread *t, uint32_t priority)
{
    t->priority = priority;
}

void ak_service_kick(void)
{
}

void ak_stop(int value)
{
    machine_stopped = value;
}

void ak_spin_lock(uint32_t *lock)
{
    assert_int_equal((*lock)++, 0);
}

void ak_spin_unlock(uint32_t *lock)
{
    assert_int_equal(--*lock, 0);
}

void ak_mutex_lock(struct ak_mutex *m, struct ak_thread *self)
{
    (void)self;
    assert_int_equal(m->state++, 0);
}

void ak_mutex_unlock(struct ak_mutex *m)
{
    assert_int_equal(--m->state, 0);
}

void ak_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

void ak_panic(const char *format, ...)
{
    printf("panic: %s\n", format);
    abort();
}

// ---- for machine_program.c --------------------------------------------------------------------------------

void machine_memory_begin(void)
{
    void *at = ak_window(MEMORY);

    if (mmap(at, (size_t)FRAMES * ABI_PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at) {
        perror("mmap");
        abort();
    }
    ASAN_POISON_MEMORY_REGION(at, (size_t)FRAMES * ABI_PAGE);
}
