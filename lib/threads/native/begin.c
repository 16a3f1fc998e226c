// begin.c - what all three ways of a native program have in common: its words, its first thread, the clock.
#include "threads_native.h"

enum { SPINS = 100 };

void *threads_native_first(void *info)
{
    native_exit((uint64_t)threads_program(info));
}

uint64_t threads_native_clock(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

__attribute__((weak)) void threads_program_setup(struct threads_setup *setup)
{
    (void)setup;
}

void threads_native_words(struct threads_setup *setup)
{
    uint64_t processors = native_number("processors", native_told()->cpus);

    *setup = (struct threads_setup){.memory = {threads_native_memory}, .interval = native_number("interval", 0),
                                    .spins = (uint32_t)native_number("spins", SPINS)};
    setup->processors = processors > THREADS_PROCESSORS ? THREADS_PROCESSORS : (uint32_t)processors;
    setup->machine.now = threads_native_clock;
    setup->machine.cpus = native_told()->cpus;
    threads_program_setup(setup);
}

_Noreturn void threads_native_failed(enum thread_status why)
{
    bool memory = why == THREAD_NO_MEMORY;

    native_print("the threads library cannot begin: %s\n",
                 memory ? "there is no memory" : "processors=0, or less than two slots for each activation");
    native_exit(1);
}

// Only for kernel threads.
int native_main(const struct native_info *info)
{
    struct threads_setup setup;
    uint64_t processors = native_number("virtual", 0);

    (void)info;
    threads_native_words(&setup);
    if (processors == 0) {
        threads_native_kernel(&setup);
    }
    threads_native_virtual(&setup, processors > THREADS_PROCESSORS ? THREADS_PROCESSORS : (uint32_t)processors);
}
