// upcalls.c - what the supervisor takes to tell a program of activations what happens, without any threads library.
//
//   blocked     from before `wait` to the first instruction of the upcall that says so
//   unblocked   from the last instruction of what runs meanwhile (a loop that reads the clock) to the first instruction
//               of the upcall that has both contexts
//   interval    from the last instruction of the same loop to the upcall of the interval timer
//
// Each upcall begins the next measurement itself, so no context is ever gone on with.  There is a slot for each event.
#include <base.h>
#include <native.h>

#include <abi/activation.h>

enum { ACTIVATIONS = 8, SLOTS = 256, TIMES = 21, LATER = 20000 };

__asm__(".pushsection .text\n.globl upcall_entry\nupcall_entry:\n\t"
        "rdtsc\n\tshlq $32, %rdx\n\torq %rax, %rdx\n\tjmp upcall\n.popsection");
NATIVE_NOTE(upcall_entry, 8, 256);
_Noreturn void upcall(uint64_t first, uint64_t count, uint64_t now);

static uint64_t blocked[TIMES], unblocked[TIMES], interval[TIMES], rounds;
static volatile uint64_t before;         // the last look at the clock

static uint64_t clock_read(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
static struct upcall_slot *slot_at(uint64_t n)
{
    return (struct upcall_slot *)(native_told()->area + area_slots(ACTIVATIONS)) + n;
}
static uint64_t median(uint64_t *sample)
{
    for (unsigned i = 1; i < TIMES; i++) {
        for (unsigned k = i; k > 0 && sample[k - 1] > sample[k]; k--) {
            uint64_t v = sample[k];
            sample[k] = sample[k - 1];
            sample[k - 1] = v;
        }
    }
    return sample[TIMES / 2];
}
static uint64_t empty_measurement(void)
{
    static uint64_t sample[TIMES];

    for (unsigned i = 0; i < TIMES; i++) {
        before = clock_read();
        sample[i] = clock_read() - before;
    }
    return median(sample);
}
// Only for the kind `threads`.
int native_main(const struct native_info *info)
{
    (void)info;
    return 1;
}
// Nothing that comes later may be a first touch.
static void touch(void)
{
    for (uint64_t n = 0; n < SLOTS; n++) {
        ((volatile char *)slot_at(n)->stack)[-8] = 0;
        *(volatile uint32_t *)&slot_at(n)->xstate[24];
    }
}
static _Noreturn void look(void)
{
    for (;;) {
        before = clock_read();
    }
}
static _Noreturn void end(void)
{
    uint64_t e = empty_measurement(), b = median(blocked) - e, u = median(unblocked) - e;

    native_print("bench upcall_blocked %lu\n", (unsigned long)b);
    native_print("bench upcall_unblocked %lu\n", (unsigned long)u);
    native_print("bench upcall_pair %lu\n", (unsigned long)(b + u));
    native_print("bench upcall_interval %lu\n", (unsigned long)(median(interval) - e));
    native_exit(0);
}
static struct activation_user *user_block(void)
{
    struct activation_user *u;

    __asm__ volatile("movq %%gs:8, %0" : "=r"(u));
    return u;
}
static _Noreturn void begin_block(void)
{
    before = clock_read();
    (void)sys_wait(before + LATER);
    native_exit(2);                              // it went on by itself
}
_Noreturn void upcall(uint64_t first, uint64_t count, uint64_t now)
{
    uint64_t took = now - before;
    uint32_t kinds = 0, next = (uint32_t)first;

    for (uint64_t i = 0; i < count && next < SLOTS; i++) {
        kinds |= slot_at(next)->kinds;
        next = slot_at(next)->next;
    }
    if (kinds & UPCALL_ADDED) {
        ((struct space_user_page *)(native_told()->area + ABI_PAGE))->tick = 1;
        touch();
        begin_block();
    }
    if (kinds & UPCALL_UNBLOCKED) {
        unblocked[rounds] = took;
        user_block()->interval = native_told()->slice / 2 + rounds;
        look();
    }
    if (kinds & UPCALL_INTERVAL) {
        interval[rounds++] = took;
        if (rounds == TIMES) {
            end();
        }
        begin_block();
    }
    if (kinds & UPCALL_BLOCKED) {
        blocked[rounds] = took;
        look();
    }
    native_exit(3);
}
