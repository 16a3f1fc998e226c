// breaks.c - breakpoints at the instructions of the library at which nobody was stopped yet.
//
// A breakpoint is an instruction that a program may not execute.  Whoever comes there is stopped before it: native has
// the supervisor tell the context as it tells a refused access, and every_upcall() (moments.c) makes a preemption of
// that before the library sees it.  So as long as all are there an instruction cannot be executed unnoticed.
//
// Stopped once, a place has no breakpoint any more.  Whoever is stopped so is stopped in the handler of that again, and
// so on; with few slots left all are taken away until the operation has ended.
//
// The text is written and executed in turn, a page at a time (lib/memory); what writes is in no page of the library's.
#include "every.h"

enum { BREAK = 0xf4, VECTOR = 13, FEW = 4 };     // HLT, and what comes of it; FEW: a fourth of the slots

static uint32_t armed;
bool breaks_gone = true;                 // since the last breaks_set()
uint64_t breaks_hits;

static __attribute__((section("every_text"), noinline)) void put(volatile uint8_t *at, uint8_t code)
{
    *at = code;
}
static void set(struct instruction *p)
{
    p->code = *(const uint8_t *)place_address(p);
    p->state |= PLACE_ARMED;
    put((volatile uint8_t *)place_address(p), BREAK);
    armed++;
}
static void take_away(struct instruction *p)
{
    put((volatile uint8_t *)place_address(p), p->code);
    p->state &= (uint8_t)~PLACE_ARMED;
    armed--;
}
void breaks_set(void)
{
    struct instruction *p;

    if (!breaks_gone) {
        return;
    }
    breaks_gone = false;
    for (uint32_t i = 0; (p = place_number(i)) != NULL; i++) {
        if (!(p->state & (PLACE_ARMED | PLACE_BY_TIMER | PLACE_BY_BREAK))) {
            set(p);
        }
    }
}
static void breaks_remove(void)
{
    struct instruction *p;

    breaks_gone = true;
    for (uint32_t i = 0; armed > 0 && (p = place_number(i)) != NULL; i++) {
        if (p->state & PLACE_ARMED) {
            take_away(p);
        }
    }
}
// Nobody comes twice: its breakpoint may have been taken away since, but then it is one that was not counted yet.
bool breaks_hit(const struct frame *context)
{
    struct instruction *p = place_find(context->rip);

    if (p == NULL || context->kind != FRAME_EXCEPTION || context->vector != VECTOR || p->state & PLACE_BY_BREAK) {
        return false;
    }
    if (p->state & PLACE_ARMED) {
        take_away(p);
    }
    p->state |= PLACE_BY_BREAK;
    breaks_hits++;
    return true;
}
void breaks_look(void)
{
    const struct threads_machine *m = &threads.machine;

    if (armed > 0 && m->user->slots_given - m->kernel->slots_taken < m->slots / FEW) {
        breaks_remove();
    }
}
uint8_t place_code(const struct instruction *p, unsigned n)
{
    return n == 0 && p->state & PLACE_ARMED ? p->code : ((const uint8_t *)place_address(p))[n];
}
