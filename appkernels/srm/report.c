// report.c - why a kernel's first thread died, for whoever reads the log.
#include <base.h>

#include "srm.h"

static const char *const exception_name[32] = {
    [0] = "division error", [1] = "debug exception", [3] = "breakpoint", [4] = "overflow",
    [5] = "bound exceeded", [6] = "invalid instruction", [7] = "no floating-point unit",
    [11] = "segment not present",
    [12] = "stack-segment fault", [13] = "general protection fault", [14] = "page fault",
    [16] = "x87 exception", [17] = "misaligned access", [19] = "SIMD exception",
};

static void describe(const struct frame *f, char *text, size_t size)
{
    const char *name = f->vector < 32 ? exception_name[f->vector] : NULL;

    switch (f->kind) {
    case FRAME_TRAP:
        base_format(text, size, "made call %lu", (unsigned long)f->rax);
        break;
    case FRAME_FAULT:
        base_format(text, size, "page fault: %s 0x%lx, %s", f->error & FAULT_EXEC ? "ran code at"
                    : f->error & FAULT_WRITE ? "wrote to" : "read from", (unsigned long)f->addr,
                    f->error & FAULT_PRESENT ? "which its mapping forbids" : "where nothing is mapped");
        break;
    case FRAME_EXCEPTION:
        base_format(text, size, "%s (vector %u, error 0x%lx)", name == NULL ? "exception" : name, f->vector,
                    (unsigned long)f->error);
        break;
    default:
        base_format(text, size, "was interrupted");
        break;
    }
}

static void show_registers(const struct frame *f)
{
    srm_log("  rax %016lx rbx %016lx rcx %016lx rdx %016lx", (unsigned long)f->rax, (unsigned long)f->rbx,
            (unsigned long)f->rcx, (unsigned long)f->rdx);
    srm_log("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx", (unsigned long)f->rsi, (unsigned long)f->rdi,
            (unsigned long)f->rbp, (unsigned long)f->rsp);
    srm_log("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx", (unsigned long)f->r8, (unsigned long)f->r9,
            (unsigned long)f->r10, (unsigned long)f->r11);
    srm_log("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx", (unsigned long)f->r12, (unsigned long)f->r13,
            (unsigned long)f->r14, (unsigned long)f->r15);
    srm_log("  rip %016lx flags %lx", (unsigned long)f->rip, (unsigned long)f->rflags);
}

void report_death(const struct app *a)
{
    // The page belongs to the kernel: its words are shown, not believed.
    const struct thread_state *s = app_thread_state(a);
    uint32_t depth = s->depth <= ABI_MAX_DEPTH ? s->depth : ABI_MAX_DEPTH;
    char text[128];

    if (s->reason == REASON_DOUBLE_FAULT) {
        srm_log("%s died: a fault with no room for one more handler", a->policy->name);
    } else {
        srm_log("%s died: its registers cannot be loaded into a processor", a->policy->name);
    }
    for (uint32_t d = 0; d <= depth; d++) {
        describe(&s->frame[d], text, sizeof(text));
        srm_log("depth %u: rip 0x%lx rsp 0x%lx: %s", d, (unsigned long)s->frame[d].rip,
                (unsigned long)s->frame[d].rsp, text);
    }
    show_registers(&s->frame[0]);
    if (depth > 0) {
        srm_log("at depth %u:", depth);
        show_registers(&s->frame[depth]);
    }
}
