// program.c - the simulation as a program of the application kernel: where it starts, and how it asks.
#include "program.h"

#include "sim.h"

_Noreturn void program_start(unsigned me);

static void call(enum program_call number)
{
    uint64_t rax = number;

    __asm__ volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
}

static void store_mark(enum sim_mark mark)
{
    ((volatile uint64_t *)PROGRAM_MARK)[mark] = 1;
}

void sim_barrier(struct sim *s, unsigned me)
{
    (void)me;
    if (s->setup.threads > 1) {
        call(CALL_BARRIER);
    }
}

// The kernel's own numbers are taken outside of what the plug-in counts.
void sim_mark(struct sim *s, enum sim_mark mark)
{
    (void)s;
    if (mark == SIM_BEGIN) {
        call(CALL_BEGIN);
        store_mark(mark);
    } else {
        store_mark(mark);
        call(CALL_FINISH);
    }
}

__attribute__((section(".text.start"))) _Noreturn void program_start(unsigned me)
{
    sim_work((struct sim *)PROGRAM_SIM, me);
    for (;;) {
        call(CALL_END);
    }
}
