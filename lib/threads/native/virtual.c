// virtual.c - FastThreads on kernel threads: each is a processor, for the library alone (threads_processor).
//
// The supervisor runs them by slices.  One whose thread holds a lock may be stopped, others look for work that is not
// there, and one whose thread blocks is lost until that goes on: what activations are for.  What they have is an alarm,
// for timed waits and rotation: one of them is interrupted and begins as by an upcall, so that a thread that is
// interrupted in a critical section is brought to the end of that.  Scheduler Activations, 2.2.
#include "threads_native.h"

enum { VIRTUAL_STACK = 8192, SLOTS_EACH = 8 };

static struct threads_machine machine;

static void begin(const struct activation_kernel *block)
{
    if (native_upcalls((va_t)machine.kernel, machine.activations, machine.slots, (va_t)threads_upcall) == ERR_OK) {
        threads_processor(block);
    }
    native_print("a kernel thread cannot be interrupted\n");
    native_exit(1);
}

static void processors(void)
{
}

static void alarm(uint64_t until)
{
    (void)native_alarm(until);
}

// As an owner would have made it for a space with so many processors.
static bool make_area(uint32_t count)
{
    uint32_t slots = SLOTS_EACH * count;
    va_t area;

    if (native_map(area_size(count, slots), MAP_READ | MAP_WRITE, 0, &area) != ERR_OK) {
        return false;
    }
    machine = (struct threads_machine){.kernel = (struct space_kernel_page *)area,
                                       .user = (struct space_user_page *)(area + ABI_PAGE),
                                       .activation = (struct activation_user *)(area + area_user_blocks(count)),
                                       .slot = (struct upcall_slot *)(area + area_slots(count)),
                                       .activations = count, .slots = slots, .processors = processors,
                                       .cpus = count, .alarm = alarm};
    *machine.kernel = (struct space_kernel_page){.header = area_header(count, slots), .activations = count,
                                                 .slots = slots, .held = count, .holds = UINT64_MAX >> (64 - count)};
    struct activation_kernel *block = (struct activation_kernel *)(area + area_kernel_blocks());
    for (uint32_t i = 0; i < count; i++) {
        block[i] = (struct activation_kernel){.index = i, .processor = i, .user = (va_t)&machine.activation[i],
                                              .area = area};
    }
    return true;
}

void threads_native_virtual(struct threads_setup *setup, uint32_t count)
{
    bool made = make_area(count);

    machine.now = setup->machine.now;
    machine.event = setup->machine.event;
    setup->processors = count;
    setup->machine = machine;
    enum thread_status e = made ? threads_begin(setup, threads_native_first, (void *)native_told()) : THREAD_NO_MEMORY;
    if (e != THREAD_OK) {
        threads_native_failed(e);
    }
    struct activation_kernel *block = (struct activation_kernel *)((va_t)machine.kernel + area_kernel_blocks());
    for (uint32_t i = 1; i < count; i++) {
        char *stack = threads_native_memory(VIRTUAL_STACK);
        if (stack == NULL || native_thread_create((va_t)begin, (va_t)stack + VIRTUAL_STACK, (uint64_t)&block[i], 0) !=
            ERR_OK) {
            native_print("there is no kernel thread for processor %u\n", i);
            native_exit(1);
        }
    }
    begin(&block[0]);
    __builtin_unreachable();
}
