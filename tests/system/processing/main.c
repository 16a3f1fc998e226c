// main.c - a kernel whose threads are scheduled by lib/processing, one policy after the other.
//
// The first thread is the scheduler thread.  A thread of the library that it does not schedule runs the phases:
// it has a policy put in place, starts threads, waits until they have ended, and checks what they saw.
#include "test.h"

#include <base.h>
#include <device.h>
#include <sys.h>

_Noreturn void test_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void test_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void test_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(test_trap, test_fault, test_exception);

const char ak_name[] = "processing";

static struct ak_thread control;
static const struct scheduler_operations *wanted;        // a
static uint64_t wanted_slice;
static unsigned failed;

void test_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_panic("trap at %lx", (unsigned long)s->frame[depth].rip);
}

void test_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_panic("fault at %lx, address %lx", (unsigned long)s->frame[depth].rip, (unsigned long)s->frame[depth].addr);
}

void test_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_panic("exception at %lx", (unsigned long)s->frame[depth].rip);
}

bool check(bool good, const char *format, ...)
{
    char line[200];
    va_list arguments;
    uint64_t taken;

    va_start(arguments, format);
    size_t n = (size_t)base_format(line, sizeof(line), "%s ", good ? "ok" : "not ok");
    n += (size_t)base_vformat(line + n, sizeof(line) - n - 1, format, arguments);
    va_end(arguments);
    n = n < sizeof(line) - 1 ? n : sizeof(line) - 2;
    line[n++] = '\n';
    for (size_t done = 0; done < n; done += taken) {
        if (device_write(ak_info, DEVICE_TERMINAL, line + done, n - done, &taken) != ERR_OK) {
            break;
        }
    }
    failed += !good;
    return good;
}

void sleep_for(uint64_t ticks)
{
    uint64_t until = ak_now() + ticks;

    while (ak_now() < until) {
        (void)ak_block(&control, until);
    }
}

void begin(const struct scheduler_operations *policy, uint64_t slice)
{
    wanted_slice = slice;
    __atomic_store_n(&wanted, policy, __ATOMIC_RELEASE);
    ak_service_kick();
    while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) != NULL) {
        ak_pause();
    }
}

void collect(unsigned count)
{
    while (count > 0) {
        if (ak_thread_collect() != NULL) {
            count--;
        } else {
            sleep_for(milliseconds(1));
        }
    }
}

static void poll(void)
{
    const struct scheduler_operations *policy = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);

    if (policy != NULL) {
        processing_begin(policy, wanted_slice, ACTIVE);
        __atomic_store_n(&wanted, NULL, __ATOMIC_RELEASE);
    }
    processing_poll();
}

static void phases(void *arg)
{
    (void)arg;
    begin(&round_robin, milliseconds(1));
    test_blocks();
    begin(&stride, milliseconds(2));
    test_stride();
    if (ak_system->cpus > 1) {
        begin(&gang, milliseconds(2));
        test_gang();
    }
    ak_stop((int)failed);
    ak_thread_exit(&control);
}

int ak_main(const struct kernel_info *info)
{
    (void)info;
    processing_begin(&round_robin, milliseconds(1), ACTIVE);
    if (ak_thread_create(&control, CONTROL, 0) != ERR_OK) {
        return 1;
    }
    ak_thread_run(&control, phases, NULL);
    return ak_service(poll);
}
