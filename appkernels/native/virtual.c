// virtual.c - kernel threads as processors of a program's own thread package: its alarm interrupts them.
//
// When the alarm has come, the service thread sets ASKED_ALARM and interrupts a processor that is in the program, the
// next in turn.  Whichever of them is on its way back to the program finds that and takes it: its registers go to a
// slot of the program's area, and it goes on at the program's entry.  Not taken within a slice (the one that was
// interrupted has come into a handler just then, or gets no processor of the machine), the next one is interrupted.
//
// The area is the program's memory: each word is read once, and nonsense in it harms the program alone.
//
// Scheduler Activations, 2.2: the supervisor schedules kernel threads and knows nothing of what they run.
#include <base.h>

#include "program.h"

enum { MXCSR_AT = 24, XSTATE_HEADER = 512, XSTATE_COMPONENTS = 7, BEGIN_MXCSR = 0x1f80, BEGIN_RFLAGS = 0x202 };

static uint32_t used;                    // a  somebody has asked for an alarm; for good

err_t virtual_begin(struct task *t, const struct upcalls *u)
{
    struct upcalls *of = &t->program->upcalls;

    program_lock(t);
    if (of->area == 0) {
        *of = *u;
    }
    bool same = of->area == u->area && of->entry == u->entry && of->activations == u->activations &&
                of->slots == u->slots;
    program_unlock(t);
    if (!same) {
        return ERR_INVAL;
    }
    __atomic_store_n(&t->processor, 1, __ATOMIC_SEQ_CST);
    return ERR_OK;
}

void virtual_alarm(struct program *p, uint64_t until)
{
    uint64_t earlier = __atomic_load_n(&p->alarm, __ATOMIC_RELAXED);

    __atomic_store_n(&used, 1, __ATOMIC_SEQ_CST);
    while (until < earlier) {
        if (__atomic_compare_exchange_n(&p->alarm, &earlier, until, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            ak_service_kick();
            return;
        }
    }
}

// ---- the alarm comes ----------------------------------------------------------------------------------------

static bool in_program(const struct task *t)
{
    uint32_t kind = *(volatile const uint32_t *)&t->thread.state->frame[0].kind;

    return (kind & AK_RETURNING) != 0 || (kind & (FRAME_OWNER - 1)) == FRAME_NONE;
}

// The n-th processor of p in its program, by which `n` comes down to 0.
static struct task *find(const struct program *p, unsigned *n)
{
    for (struct ak_thread *at = ak_thread_next(NULL); at != NULL; at = ak_thread_next(at)) {
        struct task *t = (struct task *)at;
        if (at->resume == task_resume && t->program == p && __atomic_load_n(&t->processor, __ATOMIC_RELAXED) != 0 &&
            in_program(t) && (*n)-- == 0) {
            return t;
        }
    }
    return NULL;
}

static void interrupt_next(struct program *p)
{
    unsigned most = UINT32_MAX, n;

    (void)find(p, &most);
    if (most == UINT32_MAX) {
        return;                          // the first to come back takes it
    }
    n = p->turn++ % (UINT32_MAX - most);
    struct task *t = find(p, &n);
    if (t != NULL) {
        ak_thread_interrupt(&t->thread);
    }
}

static void look(struct program *p, uint64_t now)
{
    uint64_t alarm = __atomic_load_n(&p->alarm, __ATOMIC_SEQ_CST);

    if (alarm <= now && __atomic_compare_exchange_n(&p->alarm, &alarm, UINT64_MAX, false, __ATOMIC_SEQ_CST,
                                                    __ATOMIC_SEQ_CST)) {
        __atomic_fetch_or(&p->asked, ASKED_ALARM, __ATOMIC_SEQ_CST);
        p->ring_again = now;
        alarm = UINT64_MAX;
    }
    if (alarm != UINT64_MAX) {
        ak_service_until(alarm > now ? alarm : now + 1);
    }
    if ((__atomic_load_n(&p->asked, __ATOMIC_SEQ_CST) & ASKED_ALARM) == 0) {
        return;
    }
    if (p->ring_again <= now) {
        p->ring_again = now + ak_system->slice;
        interrupt_next(p);
    }
    ak_service_until(p->ring_again);
}

void virtual_poll(struct program *programs, unsigned count)
{
    if (__atomic_load_n(&used, __ATOMIC_SEQ_CST) == 0) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!program_ending(&programs[i])) {
            look(&programs[i], ak_now());
        }
    }
}

// ---- and is told --------------------------------------------------------------------------------------------

static void *reach(struct task *t, va_t va, uint32_t access)
{
    uint8_t *at;

    return memory_reach(t, va, access, &at) == ERR_OK ? at : NULL;
}

// The number of a free slot, which is taken; UINT32_MAX: there is none, or its entry names none and is skipped.
static uint32_t take_slot(struct task *t)
{
    struct upcalls *u = &t->program->upcalls;
    struct space_user_page *user = reach(t, u->area + ABI_PAGE, E_READ);

    if (user == NULL || __atomic_load_n(&user->slots_given, __ATOMIC_ACQUIRE) == u->taken) {  // pairs with slot_give()
        return UINT32_MAX;
    }
    uint32_t slot = *(volatile uint32_t *)&user->slot[u->taken % SLOTS_MOST] & 0xffff;
    struct space_kernel_page *kernel = reach(t, u->area, E_WRITE);
    if (kernel == NULL) {
        return UINT32_MAX;
    }
    kernel->slots_taken = ++u->taken;
    if (slot >= u->slots) {
        return UINT32_MAX;
    }
    kernel->upcalls++;
    return slot;
}

static void save(struct upcall_slot *s, const struct frame *f, uint32_t block, uint64_t thread)
{
    uint64_t fs;

    __asm__ volatile("rdfsbase %0" : "=r"(fs));
    s->kinds = UPCALL_ALARM;
    s->activation = s->processor = block;
    s->next = SLOT_NONE;
    s->thread = thread;
    s->fs_base = fs;
    s->value = 0;
    s->context = *f;
    memset(s->xstate + XSTATE_HEADER, 0, 64);
    __asm__ volatile("xsave64 %0" : "+m"(s->xstate) : "a"(XSTATE_COMPONENTS), "d"(0));
}

// As a new program's registers, but for what an upcall is given.
static void begin_upcall(struct frame *f, va_t entry, va_t stack, uint32_t slot, uint64_t gs)
{
    static const uint8_t fresh[XSTATE_SIZE] __attribute__((aligned(64))) = {
        [MXCSR_AT] = BEGIN_MXCSR & 0xff, [MXCSR_AT + 1] = BEGIN_MXCSR >> 8};

    *f = (struct frame){.rip = entry, .rsp = stack - 8, .rdi = slot, .rsi = 1, .rdx = gs, .rflags = BEGIN_RFLAGS};
    __asm__ volatile("wrfsbase %0" : : "r"(0ull));
    __asm__ volatile("xrstor64 %0" : : "m"(fresh), "a"(XSTATE_COMPONENTS), "d"(0));
}

// The lock is held.  False: not now.
static bool tell(struct task *t)
{
    const struct upcalls *u = &t->program->upcalls;
    struct frame *f = &t->thread.state->frame[0];
    uint64_t gs;

    __asm__ volatile("rdgsbase %0" : "=r"(gs));
    uint64_t block = (gs - u->area - area_kernel_blocks()) / sizeof(struct activation_kernel);
    if (gs < u->area + area_kernel_blocks() || block >= u->activations) {
        return false;
    }
    struct activation_user *own = reach(t, u->area + area_user_blocks(u->activations) + block * sizeof(*own), E_READ);
    uint64_t thread = own != NULL ? *(volatile uint64_t *)&own->thread : 0;
    uint32_t slot = take_slot(t);
    struct upcall_slot *s = slot != UINT32_MAX ?
        reach(t, u->area + area_slots(u->activations) + slot * sizeof(*s), E_WRITE) : NULL;
    if (s == NULL) {
        return false;
    }
    save(s, f, (uint32_t)block, thread);
    begin_upcall(f, u->entry, *(volatile va_t *)&s->stack, slot, gs);
    return true;
}

void virtual_tell(struct task *t)
{
    if ((__atomic_fetch_and(&t->program->asked, ~(uint32_t)ASKED_ALARM, __ATOMIC_SEQ_CST) & ASKED_ALARM) == 0) {
        return;
    }
    program_lock(t);
    bool told = tell(t);
    program_unlock(t);
    if (!told) {
        virtual_alarm(t->program, ak_now() + ak_system->slice);
    }
}
