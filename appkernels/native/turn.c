// turn.c - whose turn it is to have its space, where there is not room for those of all programs.
//
// A space that is loaded may write another one back.  Two programs that both load theirs again at once would do nothing
// else, so a program whose space was written back waits until the one that loaded last has had it for a while (TURN),
// and longer if others wait that come before it: they go round by their numbers, and each has a moment to come.  The
// first load of a space does not wait; where there is room for all, no other load happens.
//
// States of a program: new; its space was loaded last (`last`); it waits (`waits`); neither.  Locking: none.  Two that
// come at the same moment may both load: the first one's space goes, and it waits like everybody.
#include "program.h"

enum { TURN = 20000000, LATE = TURN / 4 };           // ns

static uint32_t last;                    // a  number of a program, plus 1; 0: none yet
static uint64_t ends;                    // a  its turn
static uint32_t begun[PROGRAMS_MOST];    // a
static uint32_t waits[PROGRAMS_MOST];    // a

uint64_t turn_begins(const struct program *p)
{
    uint32_t of = __atomic_load_n(&last, __ATOMIC_ACQUIRE);              // pairs with turn_take()
    uint64_t at = __atomic_load_n(&ends, __ATOMIC_RELAXED), now = ak_now();

    if (__atomic_load_n(&begun[p->number], __ATOMIC_RELAXED) == 0 || (of == p->number + 1 && now < at)) {
        return 0;
    }
    __atomic_store_n(&waits[p->number], 1, __ATOMIC_RELAXED);
    for (uint32_t i = of % PROGRAMS_MOST; i != p->number; i = (i + 1) % PROGRAMS_MOST) {
        at += __atomic_load_n(&waits[i], __ATOMIC_RELAXED) != 0 ? ak_ticks_from_ns(LATE) : 0;
    }
    return at > now ? at : 0;
}

void turn_take(const struct program *p)
{
    uint32_t of = __atomic_load_n(&last, __ATOMIC_RELAXED);
    uint64_t now = ak_now();

    turn_leave(p);
    __atomic_store_n(&begun[p->number], 1, __ATOMIC_RELAXED);
    if (of != p->number + 1 || now >= __atomic_load_n(&ends, __ATOMIC_RELAXED)) {
        __atomic_store_n(&ends, now + ak_ticks_from_ns(TURN), __ATOMIC_RELAXED);
        __atomic_store_n(&last, p->number + 1, __ATOMIC_RELEASE);        // pairs with turn_begins()
    }
}

void turn_leave(const struct program *p)
{
    __atomic_store_n(&waits[p->number], 0, __ATOMIC_RELAXED);
}
