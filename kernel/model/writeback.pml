/* writeback.pml - thread_unload_step() and writeback_post() against the owner's service thread, which has no lock.
 *
 * The supervisor, with the instance lock: stores the registers and what the thread did (`run`), then loaded = 0, then
 * the entry of the channel, or counts it as lost if the ring is full (here it has one entry), then signals the service
 * thread.  The service thread (lib/appkernel/service.c) empties the channel, takes the reload list, looks at all threads
 * if `lost` has moved, buries who has ended, loads who is ready, and waits.  Thread 0 runs and may end; thread 1 sleeps
 * in ak_block() until somebody wakes it (ak_wake); there are one or two slots for both, and a loader elsewhere
 * evicts them at times.  An unload is one step here: unload.pml has what happens in it.  Of an id is kept whether it is current.
 * Shown: who finds loaded = 0 finds the registers; an ended thread's memory is not touched after it was given back;
 * thread 0 is loaded again for as long as it has not ended, is buried when it has, and thread 1 sees each wakeup.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_LOADED_FIRST   loaded = 0 before the registers
 *   BREAK_NOT_SIGNALLED  a signal to the service thread is lost unless it waits
 *   BREAK_NO_SCAN        the service thread does not look at all threads when entries were lost
 *   BREAK_NO_SIGNALED    threads are loaded without LOAD_SIGNALED
 *   BREAK_NO_QUEUE       ak_wake() forgets who is not loaded
 *   BREAK_BURY_AT_ONCE   bury_all() neither asks for the lock nor empties the channel again
 *
 * Left out: weak memory order (the stores are releases, the loads acquires), deadlines of parked threads, evictions
 * without end by others: after EVICTIONS of them there are only those of the service thread's own loads.
 */
#define EVICTIONS 2

#define NO_ID 0
#define STALE 1
#define CURRENT 2
#define NOBODY 2

bool lock = false;
/* The supervisor's. */
bool held[2];              /* a descriptor is LOADED */
bool waiting[2];           /* in `wait` */
bool signalled[2];
bool used[2];              /* has run since it was loaded; until then it is safe (decisions.md, 4) */
byte room;                 /* free slots */
bool service_waits, service_signalled;
/* The owner's memory, written by the supervisor. */
bool loaded[2], run_waiting[2];
bool saved[2];             /* the registers are in the state page */
bool ring_full;
byte entry = NOBODY;
bool lost_moved;           /* `lost` is not what the service thread saw last */
/* The owner's own. */
byte id[2], waker_id, fresh_id;
bool woken[2], dying[2], queued[2], ready[2], listed[2], buried[2];
bool in_call;              /* ak_block() found woken = 0 and is on its way to wait */
byte grave = NOBODY;
byte loading = NOBODY;     /* whose load has returned fresh_id */

#define runs(t) (held[t] && !waiting[t])

inline signal_service()
{
    if
    :: service_waits -> service_waits = false
#ifdef BREAK_NOT_SIGNALLED
    :: else -> skip
#else
    :: else -> service_signalled = true
#endif
    fi
}

inline signal_thread(t)                                 /* sched_signal() */
{
    if
    :: waiting[t] -> waiting[t] = false
    :: else -> signalled[t] = true
    fi
}

inline stale(t)                                         /* handle_doom() */
{
    held[t] = false;
    if :: id[t] == CURRENT -> id[t] = STALE :: else fi;
    if :: t == 1 && waker_id == CURRENT -> waker_id = STALE :: else fi;
    if :: t == loading -> fresh_id = STALE :: else fi
}

inline store_registers(t)
{
    run_waiting[t] = waiting[t];
    saved[t] = true
}

inline store_entry(t)                                   /* writeback_post() */
{
    if
    :: !ring_full -> entry = t; ring_full = true
    :: else -> lost_moved = true
    fi
}

inline finish(t)
{
    signal_service();
    waiting[t] = false;
    room++
}

inline unload(t)                                        /* with the lock held; who looks has no lock */
{
    d_step {
        stale(t);
#ifndef BREAK_LOADED_FIRST
        store_registers(t)
#endif
    };
    loaded[t] = false;
#ifdef BREAK_LOADED_FIRST
    store_registers(t);
#endif
    d_step { store_entry(t) };
    d_step { finish(t); lock = false }
}

/* ---- programs, and a loader elsewhere ---- */

active proctype runner()
{
end:
    do
    :: atomic { runs(0) && !dying[0] && !used[0] -> used[0] = true }
    :: atomic { runs(0) && !dying[0] -> used[0] = true; dying[0] = true }   /* ak_thread_exit() */
    :: atomic { runs(0) && dying[0] && !lock -> lock = true };
       unload(0)
    od
}

active proctype sleeper()
{
end:
    do
    :: atomic { runs(1) && !in_call ->                  /* ak_block() */
        used[1] = true;
        if
        :: woken[1] -> woken[1] = false
        :: else -> in_call = true
        fi }
    :: atomic { runs(1) && in_call && !lock ->          /* sched_wait() */
        in_call = false;
        used[1] = true;
        if
        :: signalled[1] -> signalled[1] = false
        :: else -> waiting[1] = true
        fi }
    od
}

active proctype waker()
{
end:
    do
    :: atomic { !woken[1] -> woken[1] = true };         /* ak_wake() */
       waker_id = id[1];
       if
       :: atomic { !lock && waker_id == CURRENT -> signal_thread(1); waker_id = NO_ID }
       :: atomic { !lock && waker_id != CURRENT -> waker_id = NO_ID };
#ifndef BREAK_NO_QUEUE
          if
          :: atomic { !queued[1] -> queued[1] = true }; /* ak_queue() */
             listed[1] = true;
             atomic { !lock -> signal_service() }
          :: else -> skip
          fi
#endif
       fi
    od
}

active proctype loader()
{
    byte n = 0;
end:
    do
    :: atomic { n < EVICTIONS && held[0] && !lock -> lock = true; n++ }; unload(0)
    :: atomic { n < EVICTIONS && held[1] && !lock -> lock = true; n++ }; unload(1)
    od
}

/* ---- service.c ---- */

inline consider(t)
{
    assert(!buried[t]);
    if
    :: atomic { loaded[t] -> skip };
       atomic { !lock ->
        if
        :: id[t] == CURRENT -> signal_thread(t)
        :: else -> skip                                 /* stale: it will be in the channel */
        fi }
    :: else ->
        atomic { assert(saved[t]); id[t] = NO_ID };
        atomic {
            if
            :: dying[t] && !queued[t] -> queued[t] = true; grave = t
            :: !dying[t] && !ready[t] && !(run_waiting[t] && !woken[t]) -> ready[t] = true
            :: else -> skip
            fi
        }
    fi
}

inline take_channel()
{
    if
    :: atomic { ring_full && entry == 0 -> entry = NOBODY; ring_full = false }; consider(0)
    :: atomic { ring_full && entry == 1 -> entry = NOBODY; ring_full = false }; consider(1)
    :: else -> skip
    fi
}

inline load(t)
{
    atomic { !lock ->
        assert(saved[t]);
        if
        :: room == 0 && held[1 - t] && (waiting[1 - t] || used[1 - t]) ->
            stale(1 - t); store_registers(1 - t); loaded[1 - t] = false;
            store_entry(1 - t); finish(1 - t)
        :: else -> skip
        fi;
        if
        :: room > 0 ->
            room--;
            loading = t;
            fresh_id = CURRENT;
            held[t] = true;
            saved[t] = false;
            used[t] = false;
#ifdef BREAK_NO_SIGNALED
            signalled[t] = false;
#else
            signalled[t] = true;
#endif
            loaded[t] = true;
            ready[t] = false
        :: else -> again = true
        fi
    };
    if
    :: atomic { loading == t -> id[t] = fresh_id; fresh_id = NO_ID; loading = NOBODY }
    :: else -> skip
    fi
}

active proctype service()
{
    byte dead = NOBODY;
    bool again;

    atomic {
        ready[0] = true; ready[1] = true; saved[0] = true; saved[1] = true;
        if :: room = 1 :: room = 2 fi
    }
end:
    do
    :: take_channel();
       if                                               /* take_reload_list() */
       :: atomic { listed[1] -> listed[1] = false };
          queued[1] = false;
          consider(1)
       :: else -> skip
       fi;
       if                                               /* check_lost() */
#ifndef BREAK_NO_SCAN
       :: atomic { lost_moved -> lost_moved = false };
          if :: !buried[0] && !loaded[0] -> consider(0) :: else -> skip fi;
          if :: !loaded[1] -> consider(1) :: else -> skip fi
#endif
       :: else -> skip
       fi;
       if                                               /* bury_all() */
       :: atomic { grave != NOBODY -> dead = grave; grave = NOBODY };
#ifndef BREAK_BURY_AT_ONCE
          atomic { !lock -> service_signalled = true };
          take_channel();
#endif
          atomic { buried[dead] = true; dead = NOBODY }
       :: else -> skip
       fi;
       if :: ready[0] -> load(0) :: else -> skip fi;    /* load_ready() */
       if :: ready[1] && !again -> load(1) :: else -> skip fi;
       atomic { !lock ->                                /* sys_wait() */
        if
        :: service_signalled -> service_signalled = false
        :: else -> service_waits = true
        fi };
       if
       :: !service_waits -> again = false
       :: atomic { again && !lock -> service_waits = false; again = false }    /* a quarter of a slice has gone */
       fi
    od
}

ltl reloaded { [] (!held[0] && !dying[0] -> <> (held[0] || dying[0])) }
ltl ended { [] (dying[0] -> <> buried[0]) }
ltl wakeups { [] (woken[1] -> <> !woken[1]) }
