// upcalls.c - the smallest proper program on activations: one flow, and upcalls that go on with what was stopped.
//
// The flow begins in the first upcall, on its stack.  It blocks in the kernel, until its context has come behind that
// call, answered, by UNBLOCKED; makes an access that is refused, which is told by FAULT, and goes on behind it.  At the
// end as many events were heard as the supervisor says it told.
//
// A context is a frame on the stack that it was stopped on, known by its RSP.  An upcall keeps those of its events,
// gives the slots back, and goes on with one, other upcalls before the flow; or it gives the processor back, if there
// is none.  Its own slot, which has its stack, it gives when it has left that.  All this may be stopped anywhere; then
// it is a context like any other.
#include <base.h>
#include <native.h>

#include <abi/activation.h>
#include <abi/syscalls.h>

enum { ACTIVATIONS = 8, SLOTS = 16, BAD = 0x123000, BELOW = 128, FRAME_WORDS = 18, READY_MOST = 32, PATIENCE = 10 };
_Static_assert(SYS_processor_release == 27 && offsetof(struct frame, r15) == 120, "context.S");

NATIVE_NOTE(upcall, 8, 16);
_Noreturn void upcall(uint64_t first, uint64_t count, const struct activation_kernel *k);
void slot_give(uint32_t slot);
_Noreturn void context_resume(va_t frame, uint32_t slot);
_Noreturn void context_rest(uint32_t bit, uint32_t *left);
bool context_touch(va_t va);
extern const char context_loading[], context_loaded[], context_resting[], context_rested[], context_refused[];

static va_t stack;                       // of the flow: its top
static uint32_t begun, left;             // a  has the flow begun; slots whose stacks are not used any more
static va_t ready[READY_MOST];           // a  contexts
static uint64_t heard[UPCALL_KINDS];     // a
static uint32_t answered, unanswered, refused;   // a  contexts of the flow that were told so
static unsigned failures;

static uint8_t *area(void)
{
    return (uint8_t *)native_told()->area;
}

static const volatile struct space_kernel_page *kernel_page(void)
{
    return (const volatile struct space_kernel_page *)area();
}

static struct space_user_page *user_page(void)
{
    return (struct space_user_page *)(area() + ABI_PAGE);
}

static struct upcall_slot *slot_at(uint32_t n)
{
    return (struct upcall_slot *)(area() + area_slots(ACTIVATIONS)) + n;
}

static uint64_t told(uint32_t kind)
{
    return kernel_page()->told[__builtin_ctz(kind)];
}

// ---- slots and contexts ---------------------------------------------------------------------------------------

// The upper half of an entry says in which round it was written.  Who finds one that is not counted yet counts it.
void slot_give(uint32_t slot)
{
    struct space_user_page *user = user_page();

    for (bool mine = false; !mine;) {
        uint32_t given = __atomic_load_n(&user->slots_given, __ATOMIC_ACQUIRE), round = given / SLOTS_MOST + 1;
        uint32_t *entry = &user->slot[given % SLOTS_MOST], old = __atomic_load_n(entry, __ATOMIC_RELAXED);
        mine = old >> 16 < round && __atomic_compare_exchange_n(entry, &old, round << 16 | slot, false,
                                                                __ATOMIC_RELEASE, __ATOMIC_RELAXED);
        if (mine || old >> 16 == round) {
            (void)__atomic_compare_exchange_n(&user->slots_given, &given, given + 1, false, __ATOMIC_RELEASE,
                                              __ATOMIC_RELAXED);
        }
    }
}

static bool of_flow(va_t rsp)
{
    return stack - rsp < NATIVE_UPCALL_STACK;
}

static void put(va_t rsp)
{
    for (unsigned i = 0;; i++) {
        va_t none = 0;
        if (__atomic_compare_exchange_n(&ready[i % READY_MOST], &none, rsp, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            return;
        }
    }
}

// The flow, or another one; 0: there is none.
static va_t take(bool flow)
{
    for (unsigned i = 0; i < READY_MOST; i++) {
        va_t rsp = __atomic_load_n(&ready[i], __ATOMIC_ACQUIRE);
        if (rsp != 0 && of_flow(rsp) == flow &&
            __atomic_compare_exchange_n(&ready[i], &rsp, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return rsp;
        }
    }
    return 0;
}

static void keep(const struct frame *from, va_t rip)
{
    uint64_t *frame = (uint64_t *)(from->rsp - BELOW) - FRAME_WORDS;

    if (rip >= (va_t)context_loading && rip < (va_t)context_loaded) {
        put(from->rsp);
    } else if (rip < (va_t)context_resting || rip >= (va_t)context_rested) {
        for (unsigned i = 0; i < 16; i++) {
            frame[i] = ((const uint64_t *)from)[i];
        }
        frame[16] = from->rflags;
        frame[17] = rip;
        put((va_t)frame);
    }
}

// ---- the flow -------------------------------------------------------------------------------------------------

static void check(bool good, const char *what, uint64_t value)
{
    native_print("%s %s (%lx)\n", good ? "ok" : "not ok", what, (unsigned long)value);
    failures += !good;
}

static bool balanced(void)
{
    bool equal = told(UPCALL_ADDED) - told(UPCALL_TAKEN) - kernel_page()->released == kernel_page()->held;

    for (unsigned k = 0; k < UPCALL_KINDS; k++) {
        equal = equal && kernel_page()->told[k] == __atomic_load_n(&heard[k], __ATOMIC_RELAXED);
    }
    return equal;
}

static _Noreturn void flow(const struct activation_kernel *k)
{
    uint64_t tick = native_told()->tsc_hz / 500;
    va_t gs;

    __asm__("movq %%gs:16, %0" : "=r"(gs));      // activation_kernel.area, of whichever it is by now
    check(k->area == native_told()->area && gs == k->area, "RDX and GS", gs);
    check(native_told()->schedule == NATIVE_ACTIVATIONS, "what it is told", native_told()->schedule);
    do {                                         // a slow host may let the moment pass before the wait begins
        failures += native_block(tick) != ERR_OK;
    } while (__atomic_load_n(&answered, __ATOMIC_RELAXED) == 0);
    check(unanswered == 0, "what blocked has its answer", answered);
    bool touched = context_touch(BAD);
    check(!touched && refused == 1, "a refused access", refused);
    for (unsigned i = 0; i < PATIENCE * 500 && !balanced(); i++) {
        (void)native_block(tick);                // some of it is on its way
    }
    check(balanced(), "events told are events heard, and processors balance", kernel_page()->held);
    check(kernel_page()->held >= 1 && kernel_page()->activations == ACTIVATIONS && kernel_page()->slots == SLOTS,
          "what the space holds", kernel_page()->held);
    check(told(UPCALL_ADDED) >= 1 && told(UPCALL_UNBLOCKED) >= 1 && told(UPCALL_BLOCKED) >= told(UPCALL_UNBLOCKED) &&
              told(UPCALL_FAULT) == 1, "each has come", kernel_page()->upcalls);
    native_exit(failures);
}

// ---- upcalls --------------------------------------------------------------------------------------------------

// Also others' calls may wait, and pages; only what the flow asked for is looked at.
static void hear(const struct upcall_slot *s)
{
    const struct frame *f = &s->context;
    va_t rip = f->rip;

    for (unsigned k = 0; k < UPCALL_KINDS; k++) {
        (void)__atomic_fetch_add(&heard[k], s->kinds >> k & 1, __ATOMIC_RELAXED);
    }
    if (s->kinds & UPCALL_FAULT) {
        bool good = of_flow(f->rsp) && rip == (va_t)context_touch && f->addr == BAD && (f->error & FAULT_WRITE);
        if (!good) {
            check(false, "an access was refused", rip);
            native_exit(1);
        }
        (void)__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
        rip = (va_t)context_refused;
    } else if (s->kinds & UPCALL_UNBLOCKED && f->kind % FRAME_OWNER == FRAME_TRAP && of_flow(f->rsp)) {
        bool good = f->rax == ERR_OK && rip >= 0x40000000 && rip < 0x40010000;
        (void)__atomic_fetch_add(good ? &answered : &unanswered, 1, __ATOMIC_RELAXED);
    }
    if (s->kinds & UPCALL_CONTEXT) {
        keep(f, rip);
    }
}

static _Noreturn void go_on(uint32_t slot)
{
    va_t rsp = take(false);

    rsp = rsp != 0 ? rsp : take(true);
    if (rsp != 0) {
        context_resume(rsp, slot);
    }
    context_rest(1u << slot, &left);
}

void upcall(uint64_t first, uint64_t count, const struct activation_kernel *k)
{
    uint32_t slot = (uint32_t)first, next;

    if (__atomic_exchange_n(&begun, 1, __ATOMIC_SEQ_CST) == 0) {
        stack = slot_at(slot)->stack;
        user_page()->wanted = 0;                 // from now on one for each that goes on is enough
    }
    for (uint64_t i = 0; i < count && slot < SLOTS; i++, slot = next) {
        next = slot_at(slot)->next;
        hear(slot_at(slot));
        if (i != 0) {
            slot_give(slot);
        }
    }
    for (uint32_t some = __atomic_exchange_n(&left, 0, __ATOMIC_ACQ_REL); some != 0; some &= some - 1) {
        slot_give((uint32_t)__builtin_ctz(some));
    }
    if (slot_at((uint32_t)first)->stack == stack) {
        flow(k);
    }
    go_on((uint32_t)first);
}

// Only for the kind `threads`.
int native_main(const struct native_info *info)
{
    (void)info;
    check(false, "the program was started as one of threads", 0);
    return 1;
}
