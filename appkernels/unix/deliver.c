// deliver.c - what happens to a task before its program goes on: ends, stops, and handlers of signals.
//
// A handler's frame is laid out as Linux does on x86-64: return address, ucontext, siginfo; above them the extended
// state as XSAVE writes it, with the marks by which libraries know it.  The extended state is the program's still in
// the registers: the emulator uses general registers only.
#include "signal.h"

#include <base.h>

#include "vm.h"

enum {
    RED_ZONE = 128,
    FP_MAGIC1 = 0x46505853, FP_MAGIC2 = 0x46505845, FP_COMPONENTS = 7,
    FP_HEADER = 512, FP_UNWRITTEN = 416, FP_SOFTWARE = 464, FP_MXCSR = 24, FP_LEGACY = 512,
    UC_XSTATE = 1, UC_SS = 6,
    USER_CS = 0x33, USER_SS = 0x2b,
    FLAG_TF = 0x100, FLAG_DF = 0x400, FLAG_RF = 0x10000,
    FLAGS_FIXED = 0x202, FLAGS_USER = 0x50dd5,
};

struct fp_state {                        // XSAVE area, and the mark behind it
    uint8_t  bytes[XSTATE_SIZE];
    uint32_t magic2;
} __attribute__((aligned(64)));

// What is put on the program's stack, to the byte: it is copied at once.  `frame` begins 8 below a multiple of 16.
struct pushed {
    uint8_t  unused[56];                 // not copied
    struct linux_sigframe frame;
    uint8_t  gap[16];
    struct fp_state fp;
};
enum {
    PUSHED_FRAME = offsetof(struct pushed, frame),
    PUSHED_FP    = offsetof(struct pushed, fp) - PUSHED_FRAME,       // from `frame` to the extended state
    FP_SIZE      = offsetof(struct fp_state, magic2) + sizeof(uint32_t),
    PUSHED_SIZE  = PUSHED_FP + FP_SIZE,
    RESTORER     = offsetof(struct linux_sigframe, uc_flags),        // the return address, which RET takes
};
_Static_assert(PUSHED_FRAME % 16 == 8 && offsetof(struct pushed, gap) + 16 == offsetof(struct pushed, fp), "pushed");

struct fp_software {                     // in bytes the processor leaves to software
    uint32_t magic1, extended_size;
    uint64_t features;
    uint32_t xstate_size;
};

static void fp_save(struct fp_state *s)
{
    memset(s->bytes + FP_UNWRITTEN, 0, FP_HEADER + 64 - FP_UNWRITTEN);   // what XSAVE does not write, and its header
    __asm__ volatile("xsave64 %0" : "+m"(s->bytes) : "a"(FP_COMPONENTS), "d"(0));
    *(struct fp_software *)(s->bytes + FP_SOFTWARE) =
        (struct fp_software){FP_MAGIC1, XSTATE_SIZE + sizeof(uint32_t), FP_COMPONENTS, XSTATE_SIZE};
    s->magic2 = FP_MAGIC2;
}

// Every bit that XRSTOR would refuse is looked at first.
static bool fp_restore(struct fp_state *s, bool extended)
{
    uint64_t *header = (uint64_t *)(s->bytes + FP_HEADER);

    if (!extended) {
        memset(header, 0, XSTATE_SIZE - FP_HEADER);
        header[0] = 3;
    }
    for (unsigned i = 1; i < 8; i++) {
        if (header[i] != 0) {
            return false;
        }
    }
    if ((header[0] & ~(uint64_t)FP_COMPONENTS) != 0 || (*(uint32_t *)(s->bytes + FP_MXCSR) & ~0xffffu) != 0) {
        return false;
    }
    __asm__ volatile("xrstor64 %0" : : "m"(s->bytes), "a"(FP_COMPONENTS), "d"(0));
    return true;
}

static bool on_alt_stack(const struct task *t, va_t sp)
{
    return sp > t->alt_sp && sp - t->alt_sp <= t->alt_size;
}

static void context_save(struct linux_sigcontext *c, const struct frame *f)
{
    c->r8 = f->r8;
    c->r9 = f->r9;
    c->r10 = f->r10;
    c->r11 = f->r11;
    c->r12 = f->r12;
    c->r13 = f->r13;
    c->r14 = f->r14;
    c->r15 = f->r15;
    c->rdi = f->rdi;
    c->rsi = f->rsi;
    c->rbp = f->rbp;
    c->rbx = f->rbx;
    c->rdx = f->rdx;
    c->rax = f->rax;
    c->rcx = f->rcx;
    c->rsp = f->rsp;
    c->rip = f->rip;
    c->rflags = f->rflags;
    c->cs = USER_CS;
    c->ss = USER_SS;
    c->error = f->error;
    c->trapno = f->vector;
    c->cr2 = f->addr;
}

static void context_restore(struct frame *f, const struct linux_sigcontext *c)
{
    f->r8 = c->r8;
    f->r9 = c->r9;
    f->r10 = c->r10;
    f->r11 = c->r11;
    f->r12 = c->r12;
    f->r13 = c->r13;
    f->r14 = c->r14;
    f->r15 = c->r15;
    f->rdi = c->rdi;
    f->rsi = c->rsi;
    f->rbp = c->rbp;
    f->rbx = c->rbx;
    f->rdx = c->rdx;
    f->rax = c->rax;
    f->rcx = c->rcx;
    f->rsp = c->rsp;
    f->rip = c->rip;
    f->rflags = (c->rflags & FLAGS_USER) | FLAGS_FIXED;
    f->kind = FRAME_NONE;                // RCX and R11 count: after FRAME_TRAP they would be lost
}

// Enter the handler: a frame on the program's stack.  False: there is no room for it.
static bool push_frame(struct task *t, const struct linux_sigaction *a, const struct linux_siginfo *info)
{
    struct frame *f = &t->thread.state->frame[0];
    struct pushed p;
    struct linux_sigframe *frame = &p.frame;
    va_t sp = f->rsp - RED_ZONE;

    if ((a->flags & SA_ONSTACK) && t->alt_size != 0 && !on_alt_stack(t, f->rsp)) {
        sp = t->alt_sp + t->alt_size;
    }
    va_t fp_at = (sp - FP_SIZE) & ~63ull, at = fp_at - PUSHED_FP;
    memset(frame, 0, PUSHED_FP);
    fp_save(&p.fp);
    frame->restorer = a->restorer;
    frame->uc_flags = UC_XSTATE | UC_SS;
    frame->stack = (struct linux_stack){t->alt_sp, (int32_t)t->alt_flags, 0, t->alt_size};
    if (t->alt_size == 0) {
        frame->stack.flags = SS_DISABLE;
    } else if (on_alt_stack(t, f->rsp)) {
        frame->stack.flags |= SS_ONSTACK;
    }
    context_save(&frame->context, f);
    frame->mask = frame->context.oldmask = t->restore_mask ? t->saved_mask : t->blocked;
    frame->context.fpstate = fp_at;
    memcpy(frame->info, info, sizeof(*info));
    if (ux_copy_out(t, at, frame, PUSHED_SIZE) != 0) {
        return false;
    }
    f->rdi = (uint64_t)info->signo;
    f->rsi = at + offsetof(struct linux_sigframe, info);
    f->rdx = at + offsetof(struct linux_sigframe, uc_flags);
    f->rax = 0;
    f->rsp = at;
    f->rip = a->handler;
    f->rflags &= ~(uint64_t)(FLAG_TF | FLAG_DF | FLAG_RF);
    return true;
}

// A call that a signal interrupted: again, or -EINTR.
static void settle_restart(struct task *t, bool again)
{
    struct frame *f = &t->thread.state->frame[0];

    if (t->restart == RESTART_NONE) {
        return;
    }
    if (again) {
        f->rip -= 2;
        f->rax = t->call;
    } else {
        f->rax = (uint64_t)-EINTR;
        t->sleep_until = 0;
    }
    t->restart = RESTART_NONE;
}

static void run_handler(struct task *t, const struct linux_siginfo *info)
{
    struct linux_sigaction *a = &t->sighand->action[info->signo - 1];

    settle_restart(t, t->restart == RESTART_CALL && (a->flags & SA_RESTART));
    if (!push_frame(t, a, info)) {
        process_exit(t->process, SIGSEGV);
        return;
    }
    t->restore_mask = false;
    t->blocked |= a->mask & ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
    if (!(a->flags & SA_NODEFER)) {
        t->blocked |= SIG_BIT(info->signo);
    }
    if (a->flags & SA_RESETHAND) {
        a->handler = SIG_HANDLER_DFL;
    }
    if (t->alt_flags & LINUX_SS_AUTODISARM) {
        t->alt_sp = t->alt_size = 0;
        t->alt_flags = 0;
    }
}

static void run_default(struct task *t, int signal)
{
    switch (signal_default(signal)) {
    case DEFAULT_IGNORE:
        break;
    case DEFAULT_STOP:
        if (signal == SIGSTOP || !signal_group_orphaned(t->pgid)) {
            process_stop(t->process, signal);
        }
        break;
    case DEFAULT_CORE:                   // without a core
    case DEFAULT_END:
        process_exit(t->process, signal);
        break;
    }
}

void signal_deliver(struct task *t)
{
    struct process *p = t->process;
    struct linux_siginfo info;

    for (;;) {
        if (t->thread.failed != 0) {
            t->thread.failed = 0;
            process_exit(p, SIGSEGV);
        }
        if (p->exiting) {
            task_exit(t, p->status);
        }
        if (t->ending) {
            task_exit(t, 0);
        }
        if (p->stopped) {
            (void)sleep_quietly(t, &p->stop_wait, 0);
            continue;
        }
        if (!signal_take(t, ~t->blocked, &info)) {
            break;
        }
        uint64_t handler = t->sighand->action[info.signo - 1].handler;
        if (handler == SIG_HANDLER_DFL) {
            run_default(t, info.signo);
        } else if (handler != SIG_HANDLER_IGN) {
            run_handler(t, &info);
        }
    }
    settle_restart(t, true);
    if (t->restore_mask) {
        t->restore_mask = false;
        t->blocked = t->saved_mask;
    }
    signal_recalculate(t);
}

// What the program has at `at` is not as it was pushed: it may have built it itself.
static bool read_parts(struct task *t, struct pushed *p, va_t at)
{
    if (ux_copy_in(t, &p->frame.uc_flags, at + RESTORER, sizeof(p->frame) - RESTORER) != 0) {
        return false;
    }
    va_t fp_at = p->frame.context.fpstate;
    if (fp_at == 0) {
        return true;
    }
    if (ux_copy_in(t, p->fp.bytes + FP_LEGACY, fp_at + FP_LEGACY, FP_SIZE - FP_LEGACY) != 0) {
        p->fp.magic2 = 0;
    }
    return ux_copy_in(t, &p->fp, fp_at, FP_LEGACY) == 0;
}

// From the program's stack; what can be checked is checked in this copy.
static bool read_pushed(struct task *t, struct pushed *p, va_t at)
{
    return (ux_copy_in(t, &p->frame.uc_flags, at + RESTORER, PUSHED_SIZE - RESTORER) == 0 &&
            p->frame.context.fpstate == at + PUSHED_FP) ||
           read_parts(t, p, at);
}

static bool is_extended(const struct fp_state *s)
{
    const struct fp_software *software = (const struct fp_software *)(s->bytes + FP_SOFTWARE);

    return software->magic1 == FP_MAGIC1 && software->xstate_size == XSTATE_SIZE && s->magic2 == FP_MAGIC2;
}

long signal_return(struct task *t)
{
    struct frame *f = &t->thread.state->frame[0];
    struct pushed p;
    const struct linux_sigframe *frame = &p.frame;

    if (!read_pushed(t, &p, f->rsp - RESTORER) ||
        (frame->context.fpstate != 0 && !fp_restore(&p.fp, is_extended(&p.fp)))) {
        signal_force(t, SIGSEGV, SI_KERNEL, 0);
        return (long)f->rax;
    }
    context_restore(f, &frame->context);
    if (!on_alt_stack(t, f->rsp) && frame->stack.size != 0 && !(frame->stack.flags & SS_DISABLE)) {
        t->alt_sp = frame->stack.sp;
        t->alt_size = frame->stack.size;
        t->alt_flags = (uint32_t)frame->stack.flags & LINUX_SS_AUTODISARM;
    }
    t->restart = RESTART_NONE;
    signal_set_mask(t, frame->mask);
    return (long)f->rax;
}
