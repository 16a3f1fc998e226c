// signal.c - the one instruction from which a channel's signals are sent, so that its fault can be told from others.
#include <sys.h>

#include "communication.h"

extern const char com_instruction[], com_after[];

// One copy: it defines symbols.
__attribute__((noinline, noclone)) err_t com_signal(va_t va, uint64_t *receivers)
{
    uint64_t e = SYS_signal_at, value = 0;

    __asm__ volatile(".globl com_instruction, com_after\ncom_instruction:\n\tsyscall\ncom_after:"
                     : "+a"(e), "+d"(value) : "D"(va), "S"(0) : "rcx", "r11", "memory");
    *receivers = value;
    return (err_t)e;
}

bool com_fault(struct frame *f)
{
    if (f->rip != (va_t)com_instruction) {
        return false;
    }
    f->rip = (va_t)com_after;
    f->rax = ERR_STALE;
    f->rdx = 0;
    return true;
}
