// handlers.c - faults and exceptions of a C program: the end, with a line in the log.  A program may have
// its own.
#include "quoin_c.h"

enum { SIGNAL_ILL = 4, SIGNAL_FPE = 8, SIGNAL_SEGV = 11, SIGNAL_SYS = 31 };

__attribute__((weak)) void c_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_log("unexpected trap at 0x%lx", (unsigned long)s->frame[depth].rip);
    c_end(128 + SIGNAL_SYS);
}

__attribute__((weak)) void c_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    const struct frame *f = &s->frame[depth];

    (void)cookie;
    ak_log("page fault at 0x%lx: %s 0x%lx", (unsigned long)f->rip,
           f->error & FAULT_EXEC ? "ran code at" : f->error & FAULT_WRITE ? "wrote to" : "read from",
           (unsigned long)f->addr);
    c_end(128 + SIGNAL_SEGV);
}

__attribute__((weak)) void c_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    const struct frame *f = &s->frame[depth];

    (void)cookie;
    ak_log("exception %u at 0x%lx", f->vector, (unsigned long)f->rip);
    c_end(128 + (f->vector == 6 ? SIGNAL_ILL : f->vector == 0 || f->vector >= 16 ? SIGNAL_FPE : SIGNAL_SEGV));
}
