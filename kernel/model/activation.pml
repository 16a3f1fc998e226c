/* activation.pml - scheduler activations: events, slots and processors of one space (claim.c, upcall.c, allocator.c).
 *
 * The claim that follows one that blocks runs at once, as in the code if nobody comes before it there; if somebody does,
 * it is a claim like any other and TAKEN is told.
 *
 * Two processors, two activations, two threads of a program, slots; a rival that takes processors and gives them back,
 * between two instructions of the program or while an upcall waits to begin. Each atomic step of a processor is one
 * with the instance lock held, to its sched_exit(). A context is a thread of the program or an upcall handler, which is
 * named by the slot whose stack it has. The program does what lib/threads does: a handler takes the contexts out of its
 * slots, gives back all but its own, continues a handler that was stopped in that or goes on with a thread, or gives
 * the processor back; with the stack left, its own slot is given back too.  A handler that waits does so for anything,
 * or (`locks`) until the first thread, which was told to have blocked, is told to go on: so slots are kept for that.
 *
 * Shown: each context is at exactly one place (an activation's, a slot told and not taken out, in the program's hands),
 * so it is told once and never lost; running activations = processors held; BLOCKED is told before or with UNBLOCKED;
 * ADDED - TAKEN - released = held when nothing waits to be told or to go on; an upcall that was let begin has a slot;
 * nothing stops as long as something is to be told or can go on.  And for fair processors, though threads compute for
 * ever: each event is told in the end, each context that was stopped is told or goes on, each claim in line runs, and no
 * processor stays idle while one is in line.  Not so: an event for which no slot is left, while the handlers that have
 * the slots are stopped and a thread computes on; a context with upcalls disabled, while the space has no more
 * processors than threads that compute.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_KEPT        a claim for the processor of one that blocks waits in line, where a rival can come before it
 *   BREAK_UNTOLD      a claim begins an upcall and forgets the context that it had been preempted with
 *   BREAK_TWICE       what another upcall has told is told again by the claim itself
 *   BREAK_ADDED       a claim that goes on by itself and begins an upcall later tells ADDED
 *   BREAK_DROP        a processor taken back is still held
 *   BREAK_NESTED      one that has blocked and can go on, all untold, waits for a slot that nobody is left to give
 *   BREAK_EARLY       an event that waits for a slot is told with BLOCKED, and the context that is not to run with it
 *   BREAK_LOOK        an event makes nobody look
 *   BREAK_WANTS       an event of a space that wants more is seen to, and the allocator does not look
 *   BREAK_FITS        nor if the space claims more than it gets, as one does that was to leave and is preempted
 *   BREAK_POKE        the processor that is to tell is not interrupted
 *   BREAK_PASSED      a claim that goes on by itself leaves events to nobody, which others have left to it
 *   BREAK_GIVE        a program that gives slots back does not ask for the events that have waited for them
 *   BREAK_RESERVE     no slots are kept for those that were told to have blocked
 *   BREAK_SEE         nobody who runs is asked to tell: events wait for the next claim
 *
 * Too small for it: that somebody's blocking is not told for want of slots, and another one, with a slot, is next
 * (unit.kernel.kept); that takes three activations.
 * Left out: shares (the rival decides), timers, batches, processors of blocked activations' handlers, faults of
 * upcalls on one page (`stalled`), unloads, nonsense in shared words.
 */
#define A 2                /* activations */
#define K 2                /* threads; contexts 0 ... K-1 */
#define S 4                /* slots; contexts K ... K+S-1 are their handlers */
#define NOBODY 15
#define ROUNDS 1           /* times that the rival changes its mind */
#define FAULTS 1           /* of handlers: each one more has a slot until it is through */

#define BLOCKED 1
#define UNBLOCKED 2
#define PREEMPTED 4
#define TAKEN 8
#define OWNER 16
#define ADDED 32

mtype = { FRESH, CLAIM, WAITS, STOPPED };            /* WAITS: ACT_BLOCKED */

mtype act[A] = FRESH;
byte ctx[A] = NOBODY;      /* whose registers it has */
byte ev[A];
bool fresh[A] = true;      /* ... its registers are told, or never were any */
bool listed[A], paused[A], upcall[A], added[A], entering[A], drop[A], quiet[A], handler[A], disabled[A];
bool ready[A];             /* a claim in line */
byte runs[2] = NOBODY;     /* activation on a processor */
bool holds[2], rival_on[2];
byte rival, rounds, faults;
bool look;                 /* instance.realloc */
bool trapped;              /* while upcalls were disabled */
byte wanted = 1, gets;

bool given[S] = true;      /* in the ring */
byte slot_ctx[S] = NOBODY;
byte owner_of[S] = NOBODY; /* slot whose handler has it to give back */
bool events_left[S];       /* the handler has not taken them out yet */
bool pool[K + S];          /* in the program's hands */
bool said[K + S];          /* BLOCKED has been told of it, UNBLOCKED not */
short balance;             /* ADDED - TAKEN - released */
bool locks;                /* handlers that wait do so for the first thread */
bool can_tell, tellable[A];         /* there are slots, after each step */

/* Scratch of one step. */
byte t, o, s, n, kinds, target, first;
bool ok, on, running;

#define slots (given[0] + given[1] + given[2] + given[3])
/* For each that was told to have blocked two slots are kept. */
#define owed (said[0] + said[1] + said[2] + said[3] + said[4] + said[5])
#ifdef BREAK_RESERVE
#define kept(more) 0
#else
#define kept(more) (owed + more <= S / 4 -> 2 * (owed + more) : S / 2)
#endif
#define is_owed(e) (((e) & (BLOCKED | UNBLOCKED)) == UNBLOCKED)
#define room_for(e) (slots > S / 2 || (is_owed(e) -> slots != 0 : \
                     slots > kept((((e) & (BLOCKED | UNBLOCKED)) == BLOCKED))))
#define keep_none (slots > S / 2 || (listed[0] && is_owed(ev[0])) || (listed[1] && is_owed(ev[1])))
#define free (keep_none -> slots : (slots > kept(0) -> slots - kept(0) : 0))
#define scarce (free <= (A < S / 2 -> A : S / 2))
#define told_now(a) (act[a] == WAITS -> ev[a] & (BLOCKED | TAKEN) : ev[a])
#define count ((act[0] == CLAIM) + (act[1] == CLAIM))
#define dropping (drop[0] + drop[1])
#define held (holds[0] + holds[1])
#define events (listed[0] || listed[1])
#define goes_on(a) (act[a] == STOPPED && paused[a])
#ifdef BREAK_NESTED
#define just(a) (ev[a] != 0 && (ev[a] & ~(PREEMPTED | TAKEN)) == 0)
#else
#define back (BLOCKED | UNBLOCKED | TAKEN)
#define just(a) (ev[a] != 0 && (ev[a] & ~(PREEMPTED | back)) == 0 && \
                 ((ev[a] & (BLOCKED | UNBLOCKED)) == 0 || (ev[a] & back) == back))
#endif
#define thread_runs (held > 0)

/* ---- activation.c, and of allocator.c what an event needs ---- */

inline first_of(condition)              /* o: the first activation, or A */
{
    o = 0;
    do
    :: o < A && !(condition) -> o++
    :: else -> break
    od
}

inline see_to_events()
{
    if
#ifdef BREAK_SEE
    :: true -> skip
#endif
    :: events && free >= 2 && !(ready[0] || ready[1]) ->
        first_of(act[o] == CLAIM && upcall[o] && !drop[o]);
        if
        :: o == A ->
            first_of(act[o] == CLAIM && !drop[o]);
            if
            :: o < A -> upcall[o] = true
            :: else -> skip
            fi
        :: else -> skip
        fi
    :: else -> skip
    fi
}

#ifdef BREAK_FITS
#define fits true
#else
#define fits (count - dropping <= gets)
#endif
inline event()                          /* allocator_event() */
{
    if
#ifdef BREAK_LOOK
    :: true -> skip
#elif defined(BREAK_WANTS)
    :: true -> see_to_events()
#endif
    :: !look && count != 0 && wanted <= count && fits -> see_to_events()
    :: else -> look = true
    fi
}

inline tell(a, k)
{
    ev[a] = ev[a] | (k);
    listed[a] = true;
    event()
}

inline recycle(a)
{
    act[a] = FRESH; fresh[a] = true; ctx[a] = NOBODY; upcall[a] = false; entering[a] = false; added[a] = false
}

inline told(a)
{
#ifdef BREAK_EARLY
    ev[a] = 0;
#else
    ev[a] = (act[a] == WAITS -> ev[a] & OWNER : 0);
#endif
    listed[a] = false;
    if
    :: act[a] == STOPPED -> recycle(a)
#ifndef BREAK_TWICE
    :: act[a] == CLAIM -> fresh[a] = true; ctx[a] = NOBODY
#endif
    :: else -> skip
    fi
}

inline untell(a)
{
    ev[a] = 0; paused[a] = true; listed[a] = false
}
inline end_claim(a) { drop[a] = false; upcall[a] = false; entering[a] = false; added[a] = false }
inline pause(a) { act[a] = STOPPED; paused[a] = true; look = true }

/* ---- upcall.c ---- */

inline put(a, k)                        /* ok: it is in slot n */
{
    n = 0;
    do
    :: n < S && !given[n] -> n++
    :: else -> break
    od;
    ok = n < S;
    if
    :: ok ->
        given[n] = false;
        first = (first == NOBODY -> n : first);
        owner_of[n] = first;
        balance = balance + (((k) & ADDED) != 0) - (((k) & TAKEN) != 0);
        if
        :: ctx[a] != NOBODY && ((k) & BLOCKED) -> said[ctx[a]] = true
        :: else -> skip
        fi;
        if
        :: (k) & (PREEMPTED | UNBLOCKED | OWNER) ->
            if
            :: (k) & UNBLOCKED -> assert(said[ctx[a]]); said[ctx[a]] = false
            :: else -> skip
            fi;
            slot_ctx[n] = ctx[a]
        :: else -> skip
        fi
    :: else -> skip
    fi
}

inline put_others()
{
    o = 0;
    do
    :: o < A && listed[o] ->
#ifdef BREAK_EARLY
        kinds = ev[o];
#else
        kinds = (act[o] == WAITS -> ev[o] & (BLOCKED | TAKEN) : ev[o]);
#endif
        if
        :: room_for(kinds) -> put(o, kinds); told(o)
        :: else -> skip
        fi;
        o++
    :: o < A && !listed[o] -> o++
    :: else -> break
    od
}

inline withdraw(p)
{
    look = true;
    runs[p] = NOBODY;
    holds[p] = false;
    end_claim(t);
    if
    :: fresh[t] -> recycle(t)
    :: else -> act[t] = STOPPED
    fi
}

inline interrupt(p)                     /* upcall_enter() from hold() on, of one that does not go on by itself */
{
    kinds = (fresh[t] -> 0 : (ev[t] != 0 -> ev[t] : PREEMPTED)) | (added[t] -> ADDED : 0);
    first = NOBODY;
    ok = true;
    if
    :: kinds != 0 && free != 0 -> put(t, kinds)
    :: kinds != 0 && free == 0 -> ok = false
    :: else -> skip
    fi;
    if
    :: !ok && running ->
        upcall[t] = ev[t] != 0
    :: !ok && !running -> withdraw(p)
    :: ok ->
#ifndef BREAK_UNTOLD
        if
        :: !fresh[t] -> told(t)
        :: else -> skip
        fi;
#endif
        put_others();
        if
        :: first == NOBODY -> put(t, 0)
        :: else -> skip
        fi;
        if
        :: first == NOBODY -> withdraw(p)
        :: else ->
            events_left[first] = true;
            ctx[t] = K + first;
            fresh[t] = false;
            added[t] = false
        fi
    fi
}

inline upcall_enter(p)
{
    t = runs[p];
    running = !entering[t] && !fresh[t];
    upcall[t] = false;
    entering[t] = false;
    if
    :: running && !((ev[t] != 0 || (events && free > 1)) && !disabled[t]) -> skip
    :: else ->
        holds[p] = true;
        if
        :: !paused[t] && just(t) && scarce -> untell(t)
        :: else -> skip
        fi;
        on = paused[t];
        paused[t] = false;
        if
        :: on ->
#ifndef BREAK_ADDED
            added[t] = false;
#endif
#ifndef BREAK_PASSED
            look = look || events
#endif
        :: else -> interrupt(p)
        fi
    fi
}

/* ---- claim.c ---- */

inline claim()                          /* activation_claim(): o, or A */
{
    first_of(goes_on(o));
    if
    :: o == A ->
        if
        :: scarce -> first_of(act[o] == STOPPED && just(o));
            if
            :: o < A -> untell(o)
            :: else -> skip
            fi
        :: else -> skip
        fi;
        if
        :: o == A && slots != 0 && !(scarce && (free == 0 || !events)) ->
            first_of(act[o] == FRESH);
            if
            :: o == A -> first_of(act[o] == STOPPED)
            :: else -> skip
            fi
        :: else -> skip
        fi
    :: else -> skip
    fi;
    if
    :: o < A -> act[o] = CLAIM; upcall[o] = true; added[o] = true; entering[o] = true
    :: else -> skip
    fi
}

inline leave_program(a, k)
{
    act[a] = WAITS;
    if
    :: disabled[a] -> quiet[a] = true; look = true
    :: else -> tell(a, k)
    fi
}

inline preempted(p)
{
    t = runs[p];
    runs[p] = NOBODY;
    holds[p] = false;
    if
    :: handler[t] -> end_claim(t); leave_program(t, BLOCKED | TAKEN)
    :: else ->
        drop[t] = false;
        upcall[t] = true; added[t] = true; entering[t] = true;
        ready[t] = true;
        if
        :: disabled[t] || (ev[t] == 0 && scarce) -> paused[t] = true; look = true
        :: else -> tell(t, PREEMPTED | TAKEN)
        fi
    fi
}

inline dropped(p)
{
    t = runs[p];
    runs[p] = NOBODY;
#ifndef BREAK_DROP
    holds[p] = false;
#endif
    end_claim(t);
    if
    :: handler[t] -> leave_program(t, BLOCKED | TAKEN)
    :: !handler[t] && disabled[t] -> pause(t)
    :: else -> act[t] = STOPPED; tell(t, PREEMPTED | TAKEN)
    fi
}

inline blocked(p)
{
    t = runs[p];
    runs[p] = NOBODY;
    ok = !drop[t] && !disabled[t];
    end_claim(t);
    o = A;
    if
    :: ok -> claim()
    :: else -> skip
    fi;
    if
    :: o < A ->
        added[o] = !room_for(BLOCKED);
        act[t] = WAITS;                 /* told in this step, or left on the list */
        ev[t] = ev[t] | (paused[o] || added[o] -> BLOCKED | TAKEN : BLOCKED);
        listed[t] = true;
        look = look || wanted > count;
#ifdef BREAK_KEPT
        ready[o] = true;
        rival_on[p] = rival_on[0] + rival_on[1] < rival
#else
        runs[p] = o
#endif
    :: else -> holds[p] = false; leave_program(t, BLOCKED | TAKEN)
    fi
}

inline unblocked(a)
{
    handler[a] = false;
    if
    :: quiet[a] && disabled[a] -> quiet[a] = false; pause(a)
    :: else ->
        act[a] = STOPPED;
        tell(a, UNBLOCKED | (quiet[a] -> BLOCKED | TAKEN : 0));
        quiet[a] = false
    fi
}

inline unclaim(a)
{
    ready[a] = false;
    end_claim(a);
    if
    :: paused[a] -> pause(a)
    :: !paused[a] && ev[a] != 0 -> act[a] = STOPPED
    :: else -> recycle(a)
    fi
}

/* ---- allocator.c and settle.c ---- */

#define wants (wanted == 0 && (count > 0 || events || goes_on(0) || goes_on(1)) -> 1 : wanted)

inline adjust(p)
{
    target = wants;
    target = (target < 2 - rival -> target : 2 - rival);
    gets = target;
    do
    :: count - dropping < target && dropping > 0 ->
        first_of(drop[o]);
        drop[o] = false
    :: count - dropping < target && dropping == 0 ->
        claim();
        if
        :: o < A -> ready[o] = true
        :: else -> break
        fi
    :: count - dropping > target ->
        first_of(ready[o]);
        if
        :: o < A -> unclaim(o)
        :: o == A && p < 2 && runs[p] != NOBODY && !drop[runs[p]] -> dropped(p)
        :: else ->
            first_of(act[o] == CLAIM && !drop[o]);
            drop[o] = true
        fi
    :: else -> break
    od
}

#define interrupted(p) (entering[runs[p]] || fresh[runs[p]] || (upcall[runs[p]] && !handler[runs[p]] && \
    !drop[runs[p]] && !disabled[runs[p]] && (ev[runs[p]] != 0 -> free > 0 : events && free > 1)))

inline leave_supervisor(p)              /* sched_exit(): settle() and allocate() */
{
    do
    :: p < 2 && runs[p] == NOBODY && !rival_on[p] && (ready[0] || ready[1]) ->
        first_of(ready[o]);
        ready[o] = false;
        runs[p] = o
    :: p < 2 && runs[p] != NOBODY && interrupted(p) -> upcall_enter(p)
    :: look -> look = false; adjust(p); see_to_events()
    :: else -> break
    od;
    can_tell = free > 1;
    tellable[0] = can_tell && listed[0] && room_for(told_now(0));
    tellable[1] = can_tell && listed[1] && room_for(told_now(1));
    t = 0; o = 0; n = 0; kinds = 0; target = 0; first = 0; ok = false; on = false; running = false; s = 0
}

/* ---- what runs ---- */

#define me ctx[runs[p]]
#define in_program (runs[p] != NOBODY && !handler[runs[p]])
#define is_handler (in_program && me >= K)
#define stopped_handler(h) (pool[K + h])
#define any_thread (pool[0] || pool[1])

/* A handler that has nothing left, and whose stack is left. */
inline leave_stack(h) { owner_of[h] = NOBODY; given[h] = true }

/* Slots have been given back, and events waited for some: the call `processors`. */
inline ask(p)
{
    if
#ifndef BREAK_GIVE
    :: events && free > 1 -> upcall[runs[p]] = true; look = true
#endif
    :: else -> skip
    fi
}

inline take_out(h)                      /* all contexts, and all slots but its own are given back */
{
    s = 0;
    do
    :: s < S && owner_of[s] == h ->
        if
        :: slot_ctx[s] == NOBODY -> skip
        :: slot_ctx[s] != NOBODY && slot_ctx[s] >= K && !events_left[slot_ctx[s] - K] ->
            n = slot_ctx[s] - K;
            slot_ctx[s] = NOBODY;
            leave_stack(n)              /* a scheduler: dropped */
        :: else -> pool[slot_ctx[s]] = true; slot_ctx[s] = NOBODY
        fi;
        if
        :: s != h -> owner_of[s] = NOBODY; given[s] = true
        :: else -> skip
        fi;
        s++
    :: s < S && owner_of[s] != h -> s++
    :: else -> break
    od;
    events_left[h] = false
}

inline go_on(p, c)                      /* the handler that runs there becomes context c */
{
    n = me - K;
    me = c;
    pool[c] = false;
    leave_stack(n);
    ask(p);
    wanted = (any_thread -> 2 : wanted)
}

inline release(p)
{
    t = runs[p];
    n = me - K;
    leave_stack(n);
    wanted = (runs[1 - p] != NOBODY -> 1 : 0);
    fresh[t] = true;
    ctx[t] = NOBODY;
    if
    :: events && free != 0 -> added[t] = false
    :: else ->
        holds[p] = false;
        runs[p] = NOBODY;
        end_claim(t);
        recycle(t);
        balance--
    fi;
    look = true
}

/* The program's handlers, and what the owner's do: they go on, or come to wait. */
proctype processor(byte p)
{
    do
    :: in_program && me < K && !disabled[runs[p]] -> skip       /* it computes, for ever if it likes */
    :: atomic {
    if
    :: d_step { is_handler && events_left[me - K] -> s = me - K; first = s; take_out(first); ask(p); n = 0; first = 0; s = 0 }
    :: d_step { is_handler && !events_left[me - K] ->
        s = 0;
        do
        :: s < S && !stopped_handler(s) -> s++
        :: else -> break
        od;
        if
        :: s < S -> go_on(p, K + s)
        :: s == S && pool[0] -> go_on(p, 0)
        :: s == S && pool[1] -> go_on(p, 1)
        :: s == S && !any_thread -> release(p)
        fi }
    /* A thread: it traps, disables upcalls, traps once more, enables them. */
    :: d_step { in_program && me < K && !(disabled[runs[p]] && trapped) ->
        trapped = disabled[runs[p]];
        handler[runs[p]] = true }
    :: d_step { in_program && me == 1 && !disabled[runs[p]] -> disabled[runs[p]] = true }
    :: d_step { in_program && disabled[runs[p]] ->
        disabled[runs[p]] = false;
        trapped = false;
        upcall[runs[p]] = upcall[runs[p]] || events || ev[runs[p]] != 0;
        look = true }
    /* A handler has faults too, which the owner has to wait for. */
    :: d_step { is_handler && events_left[me - K] && faults < FAULTS -> faults++; handler[runs[p]] = true }
    /* In the owner: it goes on in the program, with an event or without, or waits. */
    :: d_step { runs[p] != NOBODY && handler[runs[p]] -> handler[runs[p]] = false }
    :: d_step { runs[p] != NOBODY && handler[runs[p]] && me == 0 && !disabled[runs[p]] ->
        handler[runs[p]] = false;
        ev[runs[p]] = ev[runs[p]] | OWNER;
        upcall[runs[p]] = true
        }
    :: d_step { runs[p] != NOBODY && handler[runs[p]] -> blocked(p) }
    :: d_step { runs[p] == NOBODY && !rival_on[p] && (ready[0] || ready[1]) -> skip }
    :: d_step { runs[p] == NOBODY && !rival_on[p] && look -> skip }
    fi;
    d_step { leave_supervisor(p) } }
    od
}

proctype interrupts(byte p)
{
    do
    :: atomic {
    if
    :: d_step { runs[p] != NOBODY && drop[runs[p]] -> dropped(p) }
#ifndef BREAK_POKE
    :: d_step { runs[p] != NOBODY && !drop[runs[p]] && !handler[runs[p]] && upcall[runs[p]] && !disabled[runs[p]] &&
                (ev[runs[p]] != 0 -> free > 0 : events && free > 1) -> skip }
#endif
    fi;
    d_step { leave_supervisor(p) } }
    od
}

proctype wakes(byte a)                  /* what a blocked activation waits for */
{
    do
    :: atomic {
    d_step { act[a] == WAITS && !(locks && said[0] && ctx[a] >= K) -> unblocked(a) };
    d_step { leave_supervisor(2) } }
    od
}

#define rivals (rival_on[0] + rival_on[1])

proctype others()
{
    byte near;                          /* the processor that sees it first */

    do
    :: atomic {
    if
    :: d_step { rounds < ROUNDS && rival != 1 -> rounds++; rival = 1; near = 2; look = true }
    :: d_step { rounds < ROUNDS && rival != 0 -> rounds++; rival = 0; near = 2; look = true }
    :: d_step { rounds + 1 < ROUNDS && rival != 2 -> rounds++; rival = 2; near = 2; look = true }
    :: d_step { rivals < rival && !rival_on[0] ->
        near = 0; rival_on[0] = true;
        if :: runs[0] != NOBODY -> preempted(0) :: else -> skip fi }
    :: d_step { rivals < rival && !rival_on[1] ->
        near = 1; rival_on[1] = true;
        if :: runs[1] != NOBODY -> preempted(1) :: else -> skip fi }
    :: d_step { rivals > rival && rival_on[0] -> near = 0; rival_on[0] = false; look = true }
    :: d_step { rivals > rival && rival_on[1] -> near = 1; rival_on[1] = false; look = true }
    fi;
    d_step { leave_supervisor(near) } }
    od
}

/* ---- what is shown ---- */

#define at(c) ((ctx[0] == c) + (ctx[1] == c) + pool[c] + \
               (slot_ctx[0] == c) + (slot_ctx[1] == c) + (slot_ctx[2] == c) + (slot_ctx[3] == c))
#define handler_at(h) (at(K + h) == (owner_of[h] == h))
#define handlers_at (handler_at(0) && handler_at(1) && handler_at(2) && handler_at(3))
#define holding(p) (holds[p] == (runs[p] != NOBODY))
#define one_activation (runs[0] == NOBODY || runs[0] != runs[1])
#define waiting (events || paused[0] || paused[1] || quiet[0] || quiet[1])

init {
    atomic {
        pool[0] = true; pool[1] = true;
        if :: true -> locks = true :: true -> skip fi;
        wanted = 1; look = true;
        adjust(2);
        run processor(0); run processor(1); run interrupts(0); run interrupts(1); run wakes(0); run wakes(1);
        run others()
    };
end:
    atomic {
        !(at(0) == 1 && at(1) == 1 && handlers_at && holding(0) && holding(1) && one_activation &&
          (waiting || balance == held)) -> assert(false)
    }
}

#define room (rival == 0 && wanted == 2)
#define stopped(a) (ready[a] || tellable[a] || \
                    (act[a] == STOPPED && ((paused[a] && room) || (!paused[a] && can_tell))))
#define idle(p) (runs[p] == NOBODY && !rival_on[p])

ltl told_first { [] (stopped(0) -> <> !stopped(0)) }
ltl told_second { [] (stopped(1) -> <> !stopped(1)) }
ltl nobody_idles { [] <> !((ready[0] || ready[1]) && (idle(0) || idle(1))) }
