/* wanted.pml - how many processors a program says it wants (lib/threads/scheduler.c), against whoever gives and takes them.
 *
 * Threads of one program on processors that come and go.  A thread that computes may make others ready, wait, or block in
 * the supervisor, but it need never do anything again.  A flow that is not a thread is a handler, with threads in its hands,
 * or a scheduler.  Each step of the program is one access to what is shared: the lists with their locks, `wanted`, `held`.
 * Between any two the processor may be taken or interrupted: then threads are told later, and are in nobody's list until a
 * handler is through with them; a handler that was stopped is one whose threads are told again, or blocked; a scheduler is
 * dropped wherever it is.
 *
 * The rules: who makes a thread ready then looks whether less than all processors are wanted, and wants one more than
 * there are; and so does a thread that had taken another one off a list to let it run next, and gives it back.  A
 * scheduler lowers `wanted` before it looks at the lists for the last time.  And since it may be dropped before it has
 * looked, and since handlers and timers have threads on no list meanwhile: a scheduler that finds something to run looks
 * whether it leaves more behind, and then wants one more than there are; else as many as there are.
 *
 * Shown: when nothing is under way but threads that compute for ever, and the supervisor has given and taken all it has
 * to, no thread is ready that could have an idle processor, and none can run while no processor is wanted; and when
 * threads do nothing but compute from some moment on, exactly those processors are wanted and held in the end that they use.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_LATE       a scheduler looks at the lists first, and lowers `wanted` after that
 *   BREAK_ORDER      who makes a thread ready looks at `wanted` first
 *   BREAK_BEHIND     a scheduler does not look whether it leaves threads behind
 *   BREAK_COUNT      ... instead handlers and schedulers count what they have made ready, beside what is held
 *   BREAK_ONE        ... instead handlers that have made any ready want one more
 *   BREAK_HELD       a scheduler that leaves none behind does not see to it that as many are wanted as there are
 *   BREAK_MORE       who makes a thread ready wants one more than were wanted, though there may be more already
 *   BREAK_ONCE       who finds `wanted` changed when it wants to raise it leaves it as it is
 *   BREAK_GIVE       a thread that gives another one back does not look at `wanted`
 *   BREAK_STAY       a scheduler gives its processor back and leaves `wanted` as it is
 *
 * Left out: which list a thread is on, priorities, workers of other packages, slots (kernel/model/activation.pml).
 */
#define P 3                /* processors, of the machine and of the program */
#define N 3                /* threads */
#define MOVES 3            /* times that a thread does something else than compute, or others take a processor */

/* What a thread does: how many of each are somewhere.  They are all alike. */
#define C 0                /* it computes */
#define L 1                /* it has made another one ready, and is about to look at `wanted` */
#define X 2                /* it has another one in hand, which computes */

byte waiting;              /* for others, or for a moment */
byte at[18];               /* [place + C, L or X] */
#define LIST 0             /* ready */
#define TOLD 3             /* to be told */
#define KERNEL 6           /* blocked in the supervisor */
#define HANDS(p) (9 + 3 * p)             /* in the hands of the handler there */

/* What runs on a processor: nothing, a thread, a handler, a scheduler. */
mtype = { NONE, COMPUTES, LOOKS, RAISES, HAS, PUTS, HIDES, HANDLER, SCHEDULER, NEEDS, WANTS, TAKES, LESS, LAST, LATE, LEAVES };
mtype pc[P] = NONE;
byte val[P];               /* what it has read, and makes of it */
bool others_on[P];
byte wanted, moves;
bool told_none;            /* an event without a thread is to be told */

#define held ((pc[0] != NONE) + (pc[1] != NONE) + (pc[2] != NONE))
#define others (others_on[0] + others_on[1] + others_on[2])
#define sum(place) (at[place + C] + at[place + L] + at[place + X])
#define listed sum(LIST)
#define events (told_none || sum(TOLD) > 0)
#define asked (wanted == 0 && (held > 0 || events) -> 1 : wanted)    /* as the supervisor takes it */
#define most(a, b) ((a) > (b) -> (a) : (b))
#define least(a, b) ((a) < (b) -> (a) : (b))
#define is_thread(p) (pc[p] == COMPUTES || pc[p] == LOOKS || pc[p] == RAISES || pc[p] == HAS || pc[p] == PUTS || pc[p] == HIDES)
#define still(p) (pc[p] == NONE || pc[p] == COMPUTES)
#define in_hand(p) sum(HANDS(p))

/* ---- the supervisor ---- */

inline pass(to, from)
{
    at[to + C] = at[to + C] + at[from + C]; at[from + C] = 0;
    at[to + L] = at[to + L] + at[from + L]; at[from + L] = 0;
    at[to + X] = at[to + X] + at[from + X]; at[from + X] = 0
}
inline stop(p, to)                      /* a scheduler is dropped */
{
    if
    :: pc[p] == COMPUTES -> at[to + C]++
    :: pc[p] == LOOKS || pc[p] == RAISES || pc[p] == PUTS || pc[p] == HIDES -> at[to + L]++
    :: pc[p] == HAS -> at[to + X]++
    :: else -> pass(to, HANDS(p))
    fi
}
inline upcall(p)                        /* a handler begins, with all that is to be told */
{
    pass(HANDS(p), TOLD);
    told_none = false;
    pc[p] = (in_hand(p) > 0 -> HANDLER : SCHEDULER);
    val[p] = 0
}
inline take(p)
{
    told_none = told_none || !is_thread(p);
    stop(p, TOLD);
    pc[p] = NONE; val[p] = 0
}

#define may_give(p) (asked > held && pc[p] == NONE && !others_on[p])
/* It may look just when somebody has lowered `wanted` who has not left yet or is to raise it again, and take another, which
 * is told and wants more: as often as it likes, but not for ever.
 */
#define may_take(p) (asked < held && pc[p] != NONE && (moves < MOVES || (still(0) && still(1) && still(2))))

proctype allocator()
{
end:
    do
    :: d_step { may_give(0) -> upcall(0) }
    :: d_step { may_give(1) -> upcall(1) }
    :: d_step { may_give(2) -> upcall(2) }
    :: d_step { may_take(0) -> take(0) }
    :: d_step { may_take(1) -> take(1) }
    :: d_step { may_take(2) -> take(2) }
    od
}
proctype tells()
{
end:
    do
    :: d_step { events && pc[0] != NONE -> stop(0, TOLD); upcall(0) }
    :: d_step { events && pc[1] != NONE -> stop(1, TOLD); upcall(1) }
    :: d_step { events && pc[2] != NONE -> stop(2, TOLD); upcall(2) }
    od
}
inline rival(p)
{
    moves++;
    others_on[p] = true;
    if
    :: pc[p] != NONE -> take(p)
    :: else -> skip
    fi
}
proctype chance()                       /* others take processors and give them back; what was blocked goes on */
{
end:
    do
    :: d_step { moves < MOVES && !others_on[0] -> rival(0) }
    :: d_step { moves < MOVES && !others_on[1] -> rival(1) }
    :: d_step { moves < MOVES && !others_on[2] -> rival(2) }
    :: d_step { others > 0 -> others_on[0] = false; others_on[1] = false; others_on[2] = false }
    :: d_step { moves < MOVES && sum(KERNEL) > 0 -> moves++; pass(TOLD, KERNEL) }
    od
}

/* ---- the program ---- */

inline counted(made)                    /* so many were made ready */
{
#ifdef BREAK_COUNT
    wanted = (made > 0 -> most(wanted, least(P, held + made - 1)) : wanted)
#elif defined(BREAK_ONE)
    wanted = (made > 0 -> least(P, wanted + 1) : wanted)
#else
    skip
#endif
}
/* Whoever raises `wanted` does so by compare-and-swap, again if that fails. */
#define may_move(p) (pc[p] == COMPUTES && moves < MOVES)

proctype processor(byte p)
{
end:
    do
    /* A thread makes another one ready, waits, or blocks in the supervisor. */
#ifdef BREAK_ORDER
    :: d_step { may_move(p) && waiting > 0 -> moves++; pc[p] = (wanted < P -> PUTS : HIDES) }
    :: d_step { pc[p] == PUTS || pc[p] == HIDES ->
        at[LIST + C] = at[LIST + C] + (waiting > 0);
        waiting = waiting - (waiting > 0);
        pc[p] = (pc[p] == PUTS -> LOOKS : COMPUTES) }
#else
    :: d_step { may_move(p) && waiting > 0 -> moves++; waiting--; at[LIST + C]++; pc[p] = LOOKS }
#endif
    :: d_step { pc[p] == LOOKS ->
        if
        :: wanted < P ->
            pc[p] = RAISES;
#ifdef BREAK_ONCE
            val[p] = held * 4 + wanted
#elif !defined(BREAK_MORE)
            val[p] = held
#endif
        :: else -> pc[p] = COMPUTES
        fi }
    :: d_step { pc[p] == RAISES ->
#ifdef BREAK_ONCE
        wanted = (wanted == val[p] % 4 -> least(P, most(wanted, val[p] / 4) + 1) : wanted);
#else
        wanted = least(P, most(wanted, val[p]) + 1);
#endif
        val[p] = 0; pc[p] = COMPUTES }
    :: d_step { may_move(p) && at[LIST + C] > 0 -> moves++; at[LIST + C]--; pc[p] = HAS }
    :: d_step { may_move(p) && at[LIST + L] > 0 -> moves++; at[LIST + L]--; waiting++; pc[p] = LOOKS }
    :: d_step { may_move(p) && at[LIST + X] > 0 -> moves++; at[LIST + X]--; waiting++; pc[p] = HAS }
    :: d_step { may_move(p) && listed == 0 -> moves++; waiting++; pc[p] = SCHEDULER }
    :: d_step { pc[p] == HAS -> waiting++; pc[p] = COMPUTES }
    :: d_step { pc[p] == HAS ->          /* it need not wait any more */
        at[LIST + C]++;
#ifdef BREAK_GIVE
        pc[p] = COMPUTES
#else
        pc[p] = LOOKS
#endif
        }
    :: d_step { (pc[p] == COMPUTES || pc[p] == LOOKS || pc[p] == HAS || pc[p] == HANDLER) && moves < MOVES ->
        moves++;
        stop(p, KERNEL);
        upcall(p) }

    /* A handler. */
    :: d_step { pc[p] == HANDLER ->
        val[p] = in_hand(p);
        pass(LIST, HANDS(p));
        counted(val[p]);
        val[p] = 0; pc[p] = SCHEDULER }

    /* A scheduler. */
    :: d_step { pc[p] == SCHEDULER && moves < MOVES && waiting > 0 ->    /* somebody's moment has come */
        moves++; waiting--; at[LIST + C]++;
        counted(1) }
    :: d_step { pc[p] == SCHEDULER && listed > 0 ->
#if defined(BREAK_BEHIND) || defined(BREAK_COUNT) || defined(BREAK_ONE)
        pc[p] = TAKES
#else
        if
        :: wanted < P -> val[p] = listed > 1; pc[p] = NEEDS
        :: else -> pc[p] = TAKES
        fi
#endif
        }
    :: d_step { pc[p] == NEEDS ->
#ifdef BREAK_HELD
        val[p] = (val[p] -> held + 1 : 0);
#else
        val[p] = held + val[p];
#endif
        pc[p] = WANTS }
    :: d_step { pc[p] == WANTS -> wanted = least(P, most(wanted, val[p])); val[p] = 0; pc[p] = TAKES }
    :: d_step { pc[p] == TAKES && at[LIST + C] > 0 -> at[LIST + C]--; pc[p] = COMPUTES }
    :: d_step { pc[p] == TAKES && at[LIST + L] > 0 -> at[LIST + L]--; pc[p] = LOOKS }
    :: d_step { pc[p] == TAKES && at[LIST + X] > 0 -> at[LIST + X]--; pc[p] = HAS }
    :: d_step { pc[p] == TAKES && listed == 0 -> pc[p] = SCHEDULER }
    :: d_step { pc[p] == SCHEDULER && listed == 0 ->
#ifdef BREAK_LATE
        pc[p] = LATE }
    :: d_step { pc[p] == LATE ->
        wanted = (wanted >= held && wanted != 0 -> wanted - 1 : wanted);
        pc[p] = LEAVES
#else
        pc[p] = (wanted >= held && wanted != 0 -> LESS : LAST)
#endif
        }
    :: d_step { pc[p] == LESS ->
#ifndef BREAK_STAY
        wanted = (wanted > 0 -> wanted - 1 : 0);
#endif
        pc[p] = LAST }
    :: d_step { pc[p] == LAST -> pc[p] = (listed == 0 -> LEAVES : SCHEDULER) }
    :: d_step { pc[p] == LEAVES ->
        if
        :: events -> upcall(p)
        :: else -> pc[p] = NONE
        fi }
    od
}

/* ---- what is shown ---- */

#define rest (still(0) && still(1) && still(2) && !events)
#define runnable (listed + (pc[0] == COMPUTES) + (pc[1] == COMPUTES) + (pc[2] == COMPUTES))

init {
    atomic {
        at[LIST + C] = 1; waiting = N - 1; wanted = 1;           /* the first thread */
        run processor(0); run processor(1); run processor(2);
        run allocator(); run tells(); run chance()
    };
    if
    :: d_step { moves < MOVES -> moves = MOVES }
    :: moves == MOVES -> skip
    fi;
end:
    d_step { rest && asked == held && ((listed > 0 && held < P) || (runnable > 0 && wanted == 0)) -> assert(false) }
}

#define settled (rest && wanted == held && held == runnable)

ltl settles { [] (moves == MOVES -> <> settled) }
