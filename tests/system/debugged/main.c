// main.c - a thread in each state, for a debugger to find (tests/command/gdb_threads.sh).  With two processors, on
// activations, it comes to rest like this:
//
//   hold_and_fault, the first thread    touched what it may not; an upcall's handler has it in hand
//   look_here                           where that handler stays, on one processor
//   run_on                              runs on the other one
//   wait_mutex, wait_condition, wait_semaphore, wait_join, wait_moment, wait_unblock    what they say
//   wait_kernel                         blocked in the kernel
//   wait_job                            waits for job_waits, whose worker of lib/steal waits; so does task_waits
//   be_ready                            of a low priority: never runs
//   ended                               can be joined
#include <steal.h>
#include <tasks.h>
#include <threads_impl.h>
#include <threads_native.h>

enum { WAITERS = 7, HIGH = 20, LOW = 1, AN_HOUR = 3600 };

THREADS_NATIVE(16, 64);

void look_here(void);

static struct mutex held, other;
static struct condition happens;
static struct semaphore nothing;
static struct thread *runner;
static struct steal jobs;
static struct tasks home;
static struct task task;
static struct event never;
static volatile uint32_t running, seen, packages_begun;

static uint64_t an_hour(void)
{
    return AN_HOUR * native_told()->tsc_hz;
}

static void *wait_mutex(void *argument)
{
    mutex_lock(&held);
    return argument;
}
static void *wait_condition(void *argument)
{
    mutex_lock(&other);
    (void)condition_wait(&happens, &other);
    return argument;
}
static void *wait_semaphore(void *argument)
{
    (void)semaphore_wait(&nothing);
    return argument;
}
static void *wait_join(void *argument)
{
    (void)thread_join(runner, NULL);
    return argument;
}
static void *wait_moment(void *argument)
{
    (void)thread_sleep(threads_native_clock() + an_hour());
    return argument;
}
static void *wait_unblock(void *argument)
{
    (void)thread_block(0);
    return argument;
}
static void *wait_kernel(void *argument)
{
    (void)native_block(an_hour());
    return argument;
}
static void job_waits(void *argument)
{
    (void)argument;
    __atomic_fetch_add(&packages_begun, 1, __ATOMIC_RELAXED);
    event_wait(&never);
    seen++;                              // so that it is on the stack
}
static void *wait_job(void *argument)
{
    steal_call(&jobs, job_waits, argument);
    return argument;
}
static enum task_step task_waits(struct task *t)
{
    __atomic_fetch_add(&packages_begun, 1, __ATOMIC_RELAXED);
    return task_wait(t, &never) ? TASK_WAIT : TASK_DONE;
}

static void *run_on(void *argument)
{
    for (;;) {
        running++;
    }
    return argument;
}
static void *be_ready(void *argument)
{
    seen++;
    return argument;
}
static void *ended(void *argument)
{
    return argument;
}

__attribute__((noinline)) void look_here(void)
{
    seen++;
}
static bool event(struct thread *thread, const struct upcall_slot *slot)
{
    (void)thread, (void)slot;
    for (;;) {
        look_here();
    }
    return false;
}
void threads_program_setup(struct threads_setup *setup)
{
    setup->machine.event = event;
}

static struct thread *fork(void *(*fn)(void *), uint32_t priority)
{
    const struct thread_attributes a = {.has_priority = true, .priority = priority};
    struct thread *t;

    if (thread_fork(&t, &a, fn, NULL) != THREAD_OK) {
        native_exit(1);
    }
    return t;
}
static bool rests(const struct thread *t)
{
    return *(struct wait_list *volatile *)&t->list != NULL || *(volatile uint32_t *)&t->blocked != 0;
}
// As long as there is a processor for their workers.
static void begin_packages(void)
{
    if (steal_begin(&jobs, 1, 1, 0) != THREAD_OK || tasks_begin(&home, 1, 1) != THREAD_OK) {
        native_exit(1);
    }
    (void)fork(wait_job, HIGH);
    task_begin(&home, &task, task_waits);
    while (packages_begun < 2 || *(volatile int32_t *)&jobs.package.running != 0 ||
           *(volatile int32_t *)&home.package.running != 0) {
        thread_yield();
    }
}
static __attribute__((noinline)) void hold_and_fault(void)
{
    static void *(*const waiter[WAITERS])(void *) = {wait_mutex, wait_condition, wait_semaphore, wait_moment,
                                                     wait_unblock, wait_kernel, wait_join};
    const struct thread *t[WAITERS];

    mutex_lock(&held);
    begin_packages();
    (void)fork(ended, HIGH);
    runner = fork(run_on, HIGH + 1);
    while (running == 0) {
        thread_yield();
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        t[i] = fork(waiter[i], HIGH);
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        while (!rests(t[i])) {
            thread_yield();
        }
    }
    (void)fork(be_ready, LOW);
    native_print("all are where they are to be\n");
    *(volatile int *)0x123000 = 1;
}
int threads_program(const struct native_info *info)
{
    (void)info;
    hold_and_fault();
    return 1;
}
