// upcalls.c - the smallest program on activations: it never goes on with a context, and looks at what it is told.
//
//   ADDED       the first upcall blocks in the kernel
//   BLOCKED     comes on a fresh activation, which spins
//   UNBLOCKED   has the context of the first one, behind its call, answered; then a refused access is made
//   FAULT       has the context of that, and what it was
// Whatever else comes (PREEMPTED beside UNBLOCKED: the one that spun) is counted.
#include <base.h>
#include <native.h>

#include <abi/activation.h>

enum { ACTIVATIONS = 8, SLOTS = 16, BAD = 0x123000 };

NATIVE_NOTE(upcall, 8, 16);
_Noreturn void upcall(uint64_t first, uint64_t count, const struct activation_kernel *k);

static uint32_t seen;                    // a  kinds so far
static unsigned failures;

static void check(bool good, const char *what, uint64_t value)
{
    native_print("%s %s (%lx)\n", good ? "ok" : "not ok", what, (unsigned long)value);
    failures += !good;
}

static uint8_t *area(void)
{
    return (uint8_t *)native_told()->area;
}

static struct upcall_slot *slot_at(uint64_t n)
{
    return (struct upcall_slot *)(area() + area_slots(ACTIVATIONS)) + n;
}

static uint64_t told(uint32_t kind)
{
    return __atomic_load_n(&((const struct space_kernel_page *)area())->told[__builtin_ctz(kind)], __ATOMIC_RELAXED);
}

static void check_unblocked(const struct upcall_slot *s)
{
    check(s->context.rax == ERR_OK && s->context.rip >= 0x40000000 && s->context.rip < 0x40010000,
          "what blocked has its answer", s->context.rip);
}

static void check_fault(const struct upcall_slot *s)
{
    const struct space_kernel_page *k = (const struct space_kernel_page *)area();

    check(s->context.addr == BAD && (s->context.error & FAULT_WRITE), "a refused access", s->context.addr);
    check(k->held == 1 && k->activations == ACTIVATIONS && k->slots == SLOTS, "what the space holds", k->held);
    check(k->upcalls >= 3 && k->told[0] >= 1, "what it was told", k->upcalls);
}

// Only for the kind `threads`.
int native_main(const struct native_info *info)
{
    (void)info;
    check(false, "the program was started as one of threads", 0);
    return 1;
}

static void begin(const struct activation_kernel *k)
{
    uint64_t gs;

    __asm__("movq %%gs:16, %0" : "=r"(gs));      // activation_kernel.area
    check(k->area == native_told()->area && gs == k->area, "RDX and GS", gs);
    check(native_told()->schedule == NATIVE_ACTIVATIONS, "what it is told", native_told()->schedule);
    do {                                         // a slow host may let the moment pass before the wait begins
        (void)native_block(native_told()->tsc_hz / 500);
    } while (told(UPCALL_BLOCKED) == 0);
    check(false, "the supervisor went on with a context", 0);
    native_exit(1);
}

void upcall(uint64_t first, uint64_t count, const struct activation_kernel *k)
{
    uint32_t kinds = 0, next = (uint32_t)first;

    for (uint64_t i = 0; i < count && next < SLOTS; i++) {
        const struct upcall_slot *s = slot_at(next);
        kinds |= s->kinds;
        if (s->kinds & UPCALL_UNBLOCKED) {
            check_unblocked(s);
        }
        if (s->kinds & UPCALL_FAULT) {
            check_fault(s);
        }
        next = s->next;
    }
    uint32_t before = __atomic_fetch_or(&seen, kinds, __ATOMIC_SEQ_CST);
    if (kinds & UPCALL_FAULT) {
        check(told(UPCALL_ADDED) > 0 && told(UPCALL_UNBLOCKED) > 0 && told(UPCALL_BLOCKED) >= told(UPCALL_UNBLOCKED),
              "each has come", before);
        native_exit(failures);
    }
    if (kinds & UPCALL_UNBLOCKED) {
        *(volatile int *)BAD = 1;
        check(false, "a refused access went on", 0);
    }
    if (kinds & UPCALL_ADDED && !(before & UPCALL_ADDED)) {
        begin(k);
    }
    check(told(UPCALL_BLOCKED) > 0, "blocked", kinds);       // more: a handler that loses its processor blocks, too
    for (;;) {
        __asm__ volatile("pause");
    }
}
