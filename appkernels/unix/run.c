// run.c - entering the emulator from a program, and going back.
//
// The three handlers run on the program's own thread.  The way back is ux_return(): from ak_returning() on the thread
// may be written back and started again in ux_resume() at any moment, which does the same once more.  Anything asked
// of the task sets a bit of `attention` and then interrupts the thread (task_kick), so it is seen here or there.
#include <base.h>
#include <communication.h>
#include <sys.h>

#include "calls.h"
#include "signal.h"
#include "vm.h"

enum { CALLS = 512 };

static const ux_call with_giant[CALLS] = {
#define G(number, name) [number] = ux_sys_##name,
#define N(number, name)
#define UX(number, name, flags) flags(number, name)
#include "calls_file.def"
#include "calls_process.def"
#undef G
#undef N
};

static const ux_call without_giant[CALLS] = {
#define G(number, name)
#define N(number, name) [number] = ux_sys_##name,
#include "calls_file.def"
#include "calls_process.def"
#undef UX
#undef G
#undef N
};

// The space that cached the program's pages is gone, or there never was one.
static void space_reload(struct task *t)
{
    for (;;) {
        giant_lock(t);
        struct vm *vm = t->vm;
        err_t e = ERR_OK;
        if (vm->as.id == t->thread.space) {            // nobody else has done it
            if (vm->as.id != 0) {
                ak_space_finish(vm->as.id);            // it writes its place, which the next one shares
                vm->as.id = 0;
            }
            struct space_desc d = {.rule = TRAP_FORWARD, .cookie = (uint64_t)vm, .place = ak_window_pa(&vm->place)};
            e = sys_space_load(&d, &vm->as.id);
        }
        if (e != ERR_OK) {
            vm->as.id = 0;
        }
        t->thread.space = vm->as.id;
        giant_unlock();
        if (e == ERR_OK) {
            return;
        }
        if (e != ERR_AGAIN) {
            ak_panic("a space cannot be loaded: error %d", e);
        }
        ak_pause();
    }
}

static bool is_asked(const struct task *t)
{
    return (*(const volatile uint32_t *)&t->attention | *(const volatile uint32_t *)&t->thread.failed) != 0;
}

// Into the program, or not: false if something is asked of the task, true if its space is not there.
static inline bool try_return(struct task *t)
{
    ak_returning(&t->thread);
    if (is_asked(t)) {
        return false;
    }
    t->thread.space = t->vm->as.id;
    if (t->thread.space != 0) {
        (void)ak_resume(&t->thread);
    }
    return true;
}

static _Noreturn __attribute__((noinline)) void return_slowly(struct task *t, bool space_gone)
{
    for (;;) {
        ak_staying(&t->thread);
        if (space_gone) {
            space_reload(t);
        } else {
            giant_lock(t);
            signal_deliver(t);
            giant_unlock();
        }
        space_gone = try_return(t);
    }
}

_Noreturn void ux_return(struct task *t)
{
    return_slowly(t, try_return(t));
}

void ux_resume(struct ak_thread *thread)
{
    ux_return((struct task *)thread);
}

// ---- calls ------------------------------------------------------------------------------------------------

static const char *const names[CALLS] = {
#define CALL(number, name) [number] = #name,
#include "call_names.def"
#undef CALL
};

const char *call_name(uint64_t number)
{
    return number < CALLS && names[number] != NULL ? names[number] : "?";
}

// A call that is not there: said once for each number.
static long unknown_call(uint64_t number)
{
    static uint32_t count[CALLS];

    if (number >= CALLS) {
        return -ENOSYS;
    }
    if (__atomic_fetch_add(&count[number], 1, __ATOMIC_RELAXED) == 0) {
        ak_log("no call %lu (%s)", (unsigned long)number, call_name(number));
    }
    return -ENOSYS;
}

static long slow_call(struct task *t, uint64_t number, const uint64_t a[6])
{
    ux_call fn = number < CALLS ? with_giant[number] : NULL;

    if (fn == NULL) {
        return unknown_call(number);
    }
    giant_lock(t);
    t->call = number;
    long r = fn(t, a);
    if (r == -ERESTARTSYS || r == -ERESTARTNOHAND) {
        t->restart = r == -ERESTARTSYS ? RESTART_CALL : RESTART_NOHAND;
    }
    giant_unlock();
    return r;
}

_Noreturn void ux_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    struct frame *f = &s->frame[0];
    uint64_t number = f->rax;
    uint64_t a[6] = {f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9};

    (void)depth;
    ux_call fast = number < CALLS ? without_giant[number] : NULL;
    f->rax = (uint64_t)(fast != NULL ? fast(t, a) : slow_call(t, number, a));
    ux_return(t);
}

// ---- faults and exceptions --------------------------------------------------------------------------------

static void refuse_fault(struct task *t, int e, uint64_t address)
{
    switch (e) {
    case -EFAULT:
        signal_force(t, SIGSEGV, SEGV_MAPERR, address);
        break;
    case -EACCES:
        signal_force(t, SIGSEGV, SEGV_ACCERR, address);
        break;
    case -EHWPOISON:
        signal_force(t, SIGBUS, BUS_MCEERR_AR, address);
        break;
    case -EIO:
        signal_force(t, SIGBUS, BUS_ADRERR, address);
        break;
    default:
        ak_log("out of memory: process %d (%s) is killed", t->tgid, t->comm);
        process_exit(t->process, SIGKILL);
        break;
    }
}

// The page is there: load it and go on.  While others use the same memory, it must not be taken away in between.
static void map_and_return(struct task *t, const struct map_entry *load)
{
    if (t->vm->as.id == 0 || t->attention != 0) {
        giant_unlock();
        return;
    }
    if (t->vm->users > 1) {
        err_t e = sys_mapping_load(t->vm->as.id, load->va, load->pa, load->flags);
        giant_unlock();
        if (e == ERR_AGAIN) {
            ak_pause();
        }
        return;
    }
    giant_unlock();
    t->thread.space = t->vm->as.id;
    ak_returning(&t->thread);
    if (*(volatile uint32_t *)&t->attention == 0) {
        err_t e = ak_map_and_resume(&t->thread, load->va, load->pa, load->flags);
        ak_staying(&t->thread);
        if (e == ERR_AGAIN) {
            ak_pause();
        }
    }
}

_Noreturn void ux_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    struct frame *f = &s->frame[depth];
    struct map_entry load;

    while (depth != 0 && com_fault(f)) {
        (void)ak_resume(&t->thread);     // a message page is not mapped at present
    }
    if (depth != 0) {
        ak_panic("fault at %lx, address %lx, depth %u", (unsigned long)f->rip, (unsigned long)f->addr, depth);
    }
    giant_lock(t);
    t->faults++;
    int e = f->error & FAULT_LOST ? -EHWPOISON : vm_fault(t->vm, f->addr, f->error, &load);
    if (e != 0) {
        refuse_fault(t, e, f->addr);
        giant_unlock();
        ux_return(t);
    }
    map_and_return(t, &load);
    ux_return(t);
}

static const struct {
    uint8_t signal, code;                // code 0: SI_KERNEL
} exceptions[32] = {
    [0] = {SIGFPE, FPE_INTDIV}, [1] = {SIGTRAP, TRAP_TRACE}, [3] = {SIGTRAP, 0}, [6] = {SIGILL, ILL_ILLOPN},
    [11] = {SIGBUS, 0}, [12] = {SIGBUS, 0}, [13] = {SIGSEGV, 0}, [16] = {SIGFPE, FPE_FLTINV},
    [17] = {SIGBUS, BUS_ADRALN}, [19] = {SIGFPE, FPE_FLTINV},
};

_Noreturn void ux_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    const struct frame *f = &s->frame[depth];
    uint32_t vector = f->vector & 31;
    int signal = exceptions[vector].signal != 0 ? exceptions[vector].signal : SIGSEGV;
    int code = exceptions[vector].code != 0 ? exceptions[vector].code : SI_KERNEL;
    bool at_instruction = vector == 0 || vector == 6 || vector == 16 || vector == 19;

    if (depth != 0) {
        ak_panic("exception %u at %lx, depth %u", f->vector, (unsigned long)f->rip, depth);
    }
    giant_lock(t);
    signal_force(t, signal, code, at_instruction ? f->rip : 0);
    giant_unlock();
    ux_return(t);
}
