/* unload.pml - the unload of a space and its threads in steps, against what their programs do on other processors.
 *
 * One slot for a space, two for threads, two processors.  Thread `SELF` is one of its kernel's: locked, always in a
 * handler, and the only one to make calls here: load a thread or the space, unload one of them by an id that it may
 * have kept for long, load a thread into a space whose id it kept.  A call takes one step with the lock held; not done,
 * it is made again by the same thread, wherever that runs then, or never.  The others run their program in the space
 * and trap into handlers; they resume without the lock.  A processor that idles, or has its tick, takes a step of
 * whatever is UNLOADING; one that was asked to reschedule looks at its own thread (answer_requests()).
 *
 * Shown: an id finds only what was loaded under it; a FREE space has no thread, no mapping, and is no processor's
 * root; a program executes only while its thread is loaded, in a space that is LOADED or UNLOADING; and an unload that
 * has begun ends, also when the call that began it is never made again.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_SAME_ID         an id has no generation
 *   BREAK_ID_KEPT         handle_doom() leaves the id in place
 *   BREAK_RUNNING_TAKEN   a thread that runs elsewhere is written back at once
 *   BREAK_HANDLER_KEPT    threads in handlers keep a space that goes
 *   BREAK_OK_EARLY        a repeated space_unload does not find what is UNLOADING, and says OK
 *   BREAK_CALLER_ONLY     neither idle processors nor ticks take steps
 * No error is found without these, for they are not what it rests on: the interrupt of a processor whose thread is in
 * the way makes it soon, its next tick would do it; in_use() and the second look of trap_resume() at the id come after
 * the look at t->status, and who resumes is RUNNING.
 *
 * Left out: weak memory order (see resume.pml), kernels (they go as spaces do, threads first), TLB shoot-down
 * (shootdown.pml).  The order of victims does not matter here: whoever may go at all may be unloaded by a call.
 */
#define LOADS 2            /* of each slot */
#define SELF 2             /* beside the slots 0 and 1 */
#define NOBODY 3
#define SPACE 2            /* on the unloading list, beside threads 0 and 1 */

mtype = { FREE, LOADED, UNLOADING, READY, RUNNING, STOPPED };

/* The space. */
mtype state = FREE;
byte id, last_id, loads;   /* loads: what names an incarnation, whatever the id says */
bool mapped;
/* Threads. */
mtype t_state[2] = FREE, t_status[2] = STOPPED;
byte t_id[2], t_loads[2], t_cpu[2];
bool t_space[2];           /* t->space */
bool handler[2];           /* depth 1 */
bool self_ready = true, self_gone;
chan unloading = [3] of { byte };
/* Processors. */
byte thread[2] = NOBODY;
bool root[2], ask[2], may_trap[2];
/* What the kernel keeps: an id, and of which load it was; R9 of the call that unloads the space. */
byte kept, kept_load, kept_t, kept_t_load, r9;
/* Scratch of one step. */
byte head;
bool blocked;

inline poke(c)
{
    ask[c] = true
}

inline doom(t)                                          /* thread_doom() */
{
    if
    :: t_state[t] == LOADED -> t_state[t] = UNLOADING; t_id[t] = 0; unloading!t
    :: else -> skip
    fi
}

inline thread_step(c, t)                                /* thread_unload_step() */
{
    if
#ifndef BREAK_RUNNING_TAKEN
    :: t_status[t] == RUNNING && thread[c] != t -> poke(t_cpu[t])
#endif
    :: else ->
        if
        :: thread[c] == t -> thread[c] = NOBODY
        :: else -> skip
        fi;
        t_status[t] = STOPPED;
        t_space[t] = false;
        handler[t] = false;
        t_state[t] = FREE;
        unloading??eval(t)
    fi
}

inline release(c, t)                                    /* release_threads() for one */
{
    if
    :: !t_space[t] -> skip
    :: t_space[t] && t_status[t] == RUNNING && thread[c] != t -> poke(t_cpu[t]); blocked = true
    :: t_space[t] && !(t_status[t] == RUNNING && thread[c] != t) && handler[t] && t_state[t] == LOADED ->
#ifndef BREAK_HANDLER_KEPT
        t_space[t] = false
#else
        skip
#endif
    :: else ->
        doom(t);
        thread_step(c, t);
        blocked = blocked || t_space[t]
    fi
}

inline space_step(c)                                    /* space_unload_step() */
{
    blocked = false;
    release(c, 0);
    release(c, 1);
    if
    :: blocked -> blocked = false
    :: !blocked && root[1 - c] -> root[c] = false       /* in_use() */
    :: !blocked && !root[1 - c] && mapped -> root[c] = false; mapped = false
    :: else ->
        root[c] = false;
        assert(!t_space[0] && !t_space[1] && !mapped);
        state = FREE;
        unloading??eval(SPACE)
    fi
}

inline space_doom()
{
    if
    :: state == LOADED ->
        state = UNLOADING;
        last_id = id;
#ifndef BREAK_ID_KEPT
        id = 0;
#endif
        unloading!SPACE
    :: else -> skip
    fi
}

inline step_any(c)                                      /* cache_step_any() */
{
    if
    :: unloading?[head] ->
        unloading?<head>;
        if
        :: head == SPACE -> space_step(c)
        :: else -> thread_step(c, head)
        fi;
        head = 0
    :: else -> skip
    fi
}

inline dispatch(c, t)
{
    t_status[t] = RUNNING;
    t_cpu[t] = c;
    thread[c] = t;
    root[c] = !handler[t]
}

inline schedule(c)                                      /* sched_exit() */
{
    if
    :: thread[c] != NOBODY -> skip
    :: thread[c] == NOBODY && self_ready -> self_ready = false; thread[c] = SELF; root[c] = false
    :: thread[c] == NOBODY && t_status[0] == READY -> dispatch(c, 0)
    :: thread[c] == NOBODY && t_status[1] == READY -> dispatch(c, 1)
    :: else -> root[c] = false
    fi
}

inline preempt(c)
{
    if
    :: thread[c] == SELF -> thread[c] = NOBODY; self_ready = true
    :: thread[c] < SELF -> t_status[thread[c]] = READY; thread[c] = NOBODY
    :: skip
    fi
}

inline answer(c)                                        /* answer_requests() */
{
    if
    :: thread[c] < SELF ->
        me = thread[c];
        if
        :: t_state[me] == UNLOADING -> thread_step(c, me)
        :: t_state[me] == LOADED && t_space[me] && state == UNLOADING ->
            if
            :: handler[me] -> t_space[me] = false
            :: else -> doom(me); thread_step(c, me)
            fi
        :: else -> skip
        fi;
        me = 0
    :: else -> skip
    fi
}

#define found (kept != 0 && kept == id)                 /* cache_find() */
#define check_found() assert(state == LOADED && loads == kept_load)

inline load_thread(c, t)                                /* thread_load(), room made in slot t if need be */
{
    if
    :: found && t_state[t] == FREE && t_loads[t] < LOADS ->
        check_found();
        t_loads[t]++;
#ifdef BREAK_SAME_ID
        t_id[t] = 1;
#else
        t_id[t] = t_loads[t];
#endif
        t_state[t] = LOADED;
        t_space[t] = true;
        t_status[t] = READY;
        if :: kept_t = t_id[t]; kept_t_load = t_loads[t] :: t == 1 :: t == 0 fi
    :: found && t_state[t] != FREE -> doom(t); thread_step(c, t)
    :: else -> skip
    fi
}

inline load_space(c)
{
    if
    :: state == FREE && loads < LOADS ->
        loads++;
#ifdef BREAK_SAME_ID
        id = 1;
#else
        id = loads;
#endif
        state = LOADED;
        if :: kept = id; kept_load = loads :: skip fi   /* or somebody else's: the kernel goes on with the old one */
    :: state != FREE -> space_doom(); space_step(c)
    :: else -> skip
    fi
}

/* sys_space_unload(), made again until it says OK: the id is in R9 from the first time on. */
#ifdef BREAK_OK_EARLY
#define going_on false
#else
#define going_on (state == UNLOADING && last_id == kept && r9 == kept)
#endif

inline unload_space(c)
{
    if
    :: found || going_on ->
        assert(loads == kept_load);
        r9 = kept;
        space_doom();
        space_step(c)
    :: else ->
        assert(!(r9 == kept && kept != 0 && state != FREE && loads == kept_load));   /* OK: it is gone */
        r9 = 0
    fi
}

inline unload_thread(c, t)
{
    if
    :: kept_t != 0 && t_id[t] == kept_t && t == 0 ->
        assert(t_state[t] == LOADED && t_loads[t] == kept_t_load);
        doom(t);
        thread_step(c, t)
    :: else -> skip
    fi
}

proctype processor(byte c)
{
    byte me;
    do
    :: atomic { ask[c] -> ask[c] = false; answer(c); schedule(c) }
    :: atomic { !ask[c] && (!may_trap[c] || thread[c] == NOBODY) ->        /* the tick, or the idle loop */
        may_trap[c] = true;
#ifndef BREAK_CALLER_ONLY
        step_any(c);
#endif
        preempt(c);
        schedule(c) }
    :: atomic { !ask[c] && may_trap[c] && thread[c] == SELF ->
        may_trap[c] = false;
        if
        :: true -> load_space(c)
        :: true -> load_thread(c, 0)
        :: true -> load_thread(c, 1)
        :: found -> check_found(); mapped = true
        :: true -> unload_space(c)
        :: true -> unload_thread(c, 0)
        :: thread[c] = NOBODY; self_gone = true         /* the calls it has begun are never made again */
        fi;
        schedule(c) }
    :: atomic { !ask[c] && may_trap[c] && thread[c] < SELF && !handler[thread[c]] ->
        may_trap[c] = false;
        handler[thread[c]] = true;                      /* trap_forward() */
        root[c] = false }
    :: atomic { !ask[c] && may_trap[c] && thread[c] < SELF && handler[thread[c]] ->
        may_trap[c] = false;
        me = thread[c] };
        if                                              /* trap_resume() */
        :: t_space[me] && found -> skip
        :: atomic { !t_space[me] && found -> check_found(); t_space[me] = true }    /* resume_change() */
        :: else -> goto stale
        fi;
        root[c] = true;
        if
        :: !found -> root[c] = false
        :: else -> handler[me] = false
        fi;
stale:  me = 0
    od
}

#define in_program(c) (thread[c] < SELF && !handler[thread[c]])

active proctype monitor()
{
end:
    if
    :: atomic { in_program(0) && (t_state[thread[0]] == FREE || state == FREE || !root[0]) -> assert(false) }
    :: atomic { in_program(1) && (t_state[thread[1]] == FREE || state == FREE || !root[1]) -> assert(false) }
    :: atomic { state == FREE && (t_space[0] || t_space[1] || mapped) -> assert(false) }
    fi
}

init { atomic { run processor(0); run processor(1) } }

ltl space_goes { [] (state == UNLOADING -> <> (state == FREE)) }
ltl thread_goes { [] (t_state[0] == UNLOADING -> <> (t_state[0] == FREE)) }
