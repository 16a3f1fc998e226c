// activations.c - FastThreads on the activations of a native program.
//
// The area, its slots and their stacks are there when the program begins, with its first upcall.  That one begins the
// library, with upcalls disabled (entry.S), and then is the library's first.
#include "threads_native.h"

enum { PAUSE = 100000 };                 // ticks
enum { FAILED = 139, FAILURES = 4 };     // as if its kernel had ended it; so many are said, if saying it fails, too

void threads_native_begin(void);
void threads_native_pause(void);
extern const char threads_native_release[], threads_native_release_end[];

_Static_assert((int)NATIVE_UPCALL_ROOM >= (int)THREADS_RECORD, "a record above each stack");
_Static_assert(offsetof(struct activation_user, disabled) == 24 && sizeof(struct activation_user) == 64 &&
                   sizeof(struct activation_kernel) == 64, "entry.S");

static void processors(void)
{
    uint64_t held;

    (void)sys_processors(&held);
}

static void wait_until(uint64_t until)
{
    (void)sys_wait(until);
}

// The post-mortem.
static void fail(const struct upcall_slot *slot)
{
    static uint32_t failures;            // a
    const struct frame *f = &slot->context;

    if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) < FAILURES) {
        native_print("threads: an upcall handler may not touch %lx: rip %lx rsp %lx error %lx, activation %u on "
                     "processor %u, record %lx\n", (unsigned long)f->addr, (unsigned long)f->rip, (unsigned long)f->rsp,
                     (unsigned long)f->error, slot->activation, slot->processor, (unsigned long)slot->fs_base);
    }
    native_exit(FAILED);
}

// Another activation begins the library; it needs the processor, if there is one only.
void threads_native_pause(void)
{
    wait_until(threads_native_clock() + PAUSE);
}

void threads_native_begin(void)
{
    static struct threads_setup setup;
    const struct native_info *told = native_told();
    char *area = (char *)told->area;

    threads_native_words(&setup);
    setup.machine.kernel = (struct space_kernel_page *)area;
    if (!area_known(setup.machine.kernel, told->activations, told->slots)) {
        native_print("threads: the supervisor's area (version %u) is not as this program knows it (version %u)\n",
                     setup.machine.kernel->header.version, AREA_VERSION);
        native_exit(1);
    }
    setup.machine.user = (struct space_user_page *)(area + ABI_PAGE);
    setup.machine.activation = (struct activation_user *)(area + area_user_blocks(told->activations));
    setup.machine.slot = (struct upcall_slot *)(area + area_slots(told->activations));
    setup.machine.activations = told->activations;
    setup.machine.slots = told->slots;
    setup.machine.processors = processors;
    setup.machine.release = threads_native_release;
    setup.machine.release_end = threads_native_release_end;
    setup.machine.wait = wait_until;
    setup.machine.fail = fail;
    enum thread_status e = threads_begin(&setup, threads_native_first, (void *)told);
    if (e != THREAD_OK) {
        threads_native_failed(e);
    }
}
