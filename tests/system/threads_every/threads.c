// threads.c - the program of lib/threads: its operations are those of the library's own test.
#include "every.h"

THREADS_NATIVE(32, 256);

// What this program does not run at all, and why.
static const char kernel_threads[] = "kernel threads only", virtual_only[] = "kernel threads as processors only",
                  beginning[] = "before the first upcall, with upcalls disabled", a_fault[] = "a worker's fault",
                  blocks[] = "a worker that blocks in the kernel", several[] = "several processors only";
static const struct unused unused[] = {
    {"exit_kernel", kernel_threads}, {"kernel_main", kernel_threads}, {"critical_exit_kernel", kernel_threads},
    {"critical_exit_kernel_recovery", kernel_threads}, {"wait:critical_exit_kernel", kernel_threads},
    {"threads_become", kernel_threads}, {"threads_become_idle", virtual_only}, {"threads_processor", virtual_only},
    {"ask_next", virtual_only}, {"timers_again", virtual_only}, {"threads_begin", beginning},
    {"thread_record", beginning}, {"timers_tick", beginning}, {"package_end", a_fault}, {"package_blocked", blocks},
    {"scheduler_want", several}, {NULL, NULL},
};
static const struct operation *const operations[] = {operations_threads, operations_waits, operations_others, NULL};
static const struct operation *const none[] = {NULL};

// Of the rest nearly all are for kernel threads (a branch in most critical functions), or follow races of two
// processors.
const struct every every = {
    .table = "bin/threads_every.table", .operations = operations, .large = none, .races = none,
    .unused = unused,
    .least = {[PLACE_CRITICAL] = 80, [PLACE_COPY] = 84, [PLACE_WAIT] = 80, [PLACE_REST] = 77},
};

int threads_program(const struct native_info *info)
{
    (void)info;
    return every_run();
}
