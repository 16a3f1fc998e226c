// virtual.c - FastThreads on kernel threads: each is a processor, for the library alone (threads_processor).
//
// The supervisor runs them by slices.  One whose thread holds a lock may be stopped, others look for work that is not
// there, and one whose thread blocks is lost until that goes on: what activations are for.  Scheduler Activations, 2.2.
#include "threads_native.h"

enum { VIRTUAL_STACK = 8192 };

static struct {
    struct space_kernel_page kernel;
    struct space_user_page user;
    struct activation_kernel block[THREADS_PROCESSORS];
    struct activation_user own[THREADS_PROCESSORS];
} area;

static void processor(struct activation_kernel *block)
{
    threads_processor(block);
}

static void processors(void)
{
}

void threads_native_virtual(struct threads_setup *setup, uint32_t count)
{
    setup->processors = count;
    setup->machine = (struct threads_machine){.kernel = &area.kernel, .user = &area.user, .activation = area.own,
                                              .activations = count, .processors = processors,
                                              .now = threads_native_clock, .cpus = count};
    area.kernel.held = count;
    if (threads_begin(setup, threads_native_first, (void *)native_told()) != THREAD_OK) {
        native_print("the threads library cannot begin\n");
        native_exit(1);
    }
    for (uint32_t i = 0; i < count; i++) {
        area.block[i] = (struct activation_kernel){.index = i, .processor = i, .user = (va_t)&area.own[i]};
        char *stack = i > 0 ? threads_native_memory(VIRTUAL_STACK) : NULL;
        if (i > 0 && (stack == NULL || native_thread_create((va_t)processor, (va_t)stack + VIRTUAL_STACK,
                                                            (uint64_t)&area.block[i], 0) != ERR_OK)) {
            native_print("there is no kernel thread for processor %u\n", i);
            native_exit(1);
        }
    }
    threads_processor(&area.block[0]);
}
