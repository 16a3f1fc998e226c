/* senders.pml - multi-mapping consistency: senders_flush() in steps against loads, redirections and signals.
 *
 * One page.  Program 0 can send through its mapping; program 1 both sends and receives through its own, B.  A is the
 * mapping whose signals go to thread R.  The owner unloads A, or B, or R; and has A's signals sent to a thread of its own
 * before that, meanwhile, or never.  A call that is not done is made again or never; ticks carry thread R's unload on.
 * Each atomic step is one with the instance lock held; one in which a sender was stopped may end before the next.
 *
 * A handler whose program has faulted lets that program send, and nobody else, and only then loads the receivers that
 * are missing: so none of them can go without the program faulting again.
 *
 * Shown: a signal finds all receivers; a thread that signals go to is loaded or on its way out; each signal is taken,
 * wherever R is; an unload that has begun ends, and programs get to send when unloads end, whoever left them half done.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_STAY            senders stay when a receiver goes
 *   BREAK_RECEIVER_FIRST  the receiver goes in the first step, its senders in that and later ones
 *   BREAK_BOTH_GO         a sender that is a receiver too is unloaded while others may send to it
 *   BREAK_ADMIT           a sender is loaded though a receiver is leaving
 *   BREAK_LEFT            ... is not loaded then, but waits for whoever began the unload
 *   BREAK_MARK_KEPT       a redirected receiver is still leaving
 *   BREAK_RECEIVERS_FIRST a handler loads the receivers first, then its program's right to send
 *
 * Left out: how many signals are queued (signal.pml), locks, several receivers of a kind, remote mappings, which are
 * stopped last and could not send before either.
 */
#define ROUNDS 3           /* steps that the owner takes */

mtype = { LOADED, UNLOADING, FREE };

bool s0;                   /* program 0's mapping is there */
bool a, a_leaving, a_to_owner;
bool b, b_sends;
mtype r = LOADED;
bool r_due, owner_due;     /* a signal for A's receiver is queued: with R, with the owner's thread */
bool handler[2];           /* the program is in its fault handler */
bool redirected;           /* A's signals have been sent elsewhere since its unload began */
/* Scratch of one step. */
bool some, gone;

#define senders (s0 || (b && b_sends))
#ifdef BREAK_STAY
#define must_stop false
#else
#define must_stop true
#endif

inline stop_b()
{
#ifdef BREAK_BOTH_GO
    b = false;
#endif
    b_sends = false
}

inline drop_a()                                         /* mapping_drop() */
{
    gone = true;
    some = false;
    if
    :: a ->
        if
        :: !a_leaving -> redirected = false; a_leaving = true
        :: else -> skip
        fi;
        do
        :: must_stop && s0 -> s0 = false; some = true
        :: must_stop && b && b_sends -> stop_b(); some = true
        :: must_stop && some && senders -> gone = false; break
        :: !must_stop || !senders -> break
        od;
#ifdef BREAK_RECEIVER_FIRST
        a = false;
        a_leaving = false;
#endif
        if
        :: gone -> a = false; a_leaving = false
        :: else -> skip
        fi
    :: else -> skip
    fi
}

inline drop_b()
{
    gone = true;
    if
    :: b ->                                             /* one sender at most: there is no step between */
        if
        :: must_stop -> s0 = false
        :: else -> skip
        fi;
        b = false;
        b_sends = false
    :: else -> skip
    fi
}

inline admit()                                          /* senders_admit() */
{
    gone = true;
#ifndef BREAK_ADMIT
    if
    :: a_leaving ->
#ifdef BREAK_LEFT
        gone = false
#else
        assert(!redirected);
        drop_a()
#endif
    :: else -> skip
    fi
#endif
}

inline load_a()                                         /* R is loaded again for it */
{
    do
    :: atomic { a -> break }
    :: atomic { !a && r == FREE -> r = LOADED }
    :: atomic { !a && r == LOADED -> a = true; a_to_owner = false; break }
    od
}

inline load_b()
{
    atomic {
        if
        :: !b -> b = true; b_sends = false
        :: else -> skip
        fi
    }
}

inline let_send(me)
{
    do
    :: atomic {
        admit();
        if
        :: gone && me == 0 -> s0 = true; break
        :: gone && me == 1 -> b = true; b_sends = true; break
        :: !gone -> skip                                /* the call is made again */
        fi
    }
    od
}

inline signal()
{
    assert(a && b);
    if
    :: a_to_owner -> owner_due = true
    :: else -> assert(r != FREE); r_due = true
    fi
}

proctype program(byte me)
{
    do
    :: atomic { !handler[me] && (me == 0 -> s0 : b && b_sends) -> signal() }
    :: atomic { !handler[me] && !(me == 0 -> s0 : b && b_sends) -> handler[me] = true };
#ifdef BREAK_RECEIVERS_FIRST
        load_a(); load_b(); let_send(me);
#else
        let_send(me); load_a(); load_b();
#endif
        atomic { handler[me] = false }
    od
}

inline thread_step()                                    /* thread_unload_step() */
{
    gone = true;
    if
    :: a && !a_to_owner -> drop_a()
    :: else -> skip
    fi;
    if
    :: gone -> r = FREE
    :: else -> skip
    fi
}

inline redirect(where)                                       /* mapping_displace(): in place */
{
    if
    :: a ->
        a_to_owner = where;
#ifndef BREAK_MARK_KEPT
        a_leaving = false;
#endif
        redirected = a_leaving
    :: else -> skip
    fi
}

proctype owner()
{
    byte rounds = 0;

    do
    :: rounds < ROUNDS -> rounds++;
        if
        :: atomic { drop_a() }                          /* not done: made again in another round, or never */
        :: atomic { drop_b() }
        :: skip; atomic { redirect(true) }
        :: skip; atomic { if :: r == LOADED -> r = UNLOADING :: else -> skip fi }
        fi
    :: rounds == ROUNDS -> break
    od
}

/* Ticks; thread R, which takes its signals; and the owner's thread, which loads R again when it gets R's signal, has A's
 * signals sent there, and passes this one on.  One process, for what they do excludes each other.
 */
proctype threads()
{
    do
    :: atomic { r == UNLOADING -> thread_step() }
    :: atomic { r == LOADED && r_due -> r_due = false }
    :: atomic { r == FREE && owner_due -> r = LOADED }
    :: atomic { r == LOADED && owner_due -> redirect(false); owner_due = false; r_due = true }
    od
}

init { atomic { run program(0); run program(1); run owner(); run threads() } }

ltl unload_ends { [] (r == UNLOADING -> <> (r != UNLOADING)) }
ltl taken { [] (r_due -> <> !r_due) }
ltl first_sends { [] <> (s0 && !handler[0]) }
ltl second_sends { [] <> (b && b_sends && !handler[1]) }
