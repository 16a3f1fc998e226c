/* signal.pml - deliver() on one processor against trap_resume() and the signal function on another.
 *
 * The receiver's handler returns without the lock: it makes itself a program (depth 0), then reads `due`.  The sender
 * queues under the lock, sets `due`, and interrupts the receiver's processor.  signal_return ends the function under
 * the lock and goes on with the next signal.  A receiver that waits in its program executes SYSCALL without the lock,
 * too, with interrupts off: what is sent meanwhile interrupts later, when it does not run any more.  Shown: when all is
 * said, every signal has been taken, each once.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_WAIT        who waits does not look whether signals for its function are due (sched_wait(), sched_handoff())
 *   BREAK_WAKE        a signal for a receiver that waits does not make it ready
 *   BREAK_AGAIN       signal_return does not look for more signals
 *
 * Left out: queues that are full, receivers that are unloaded.
 */
#define SIGNALS 3

bool lock = false;
byte queued = 0, taken = 0;
bool due = false, running = false, ipi = false;
bool waiting = false, ready = false;
byte depth = 1;

inline enter()             /* signal_enter(), with the lock held */
{
    if
    :: depth == 0 && !running && queued > 0 ->
        queued--;
        taken++;
        running = true;
        due = false
    :: else ->
        if
        :: depth == 0 -> due = false
        :: else -> skip
        fi
    fi
}

#define acquire() atomic { !lock -> lock = true }
#define release() lock = false

active proctype sender()
{
    byte n = 0;
    do
    :: n < SIGNALS ->
        n++;
        acquire();
        queued++;
        if
        :: !running -> due = true                        /* due_again() */
        :: else -> skip
        fi;
        if
#ifndef BREAK_WAKE
        :: waiting -> waiting = false; ready = true     /* sched_signal() */
#endif
        :: else -> ipi = true                           /* sched_poke() */
        fi;
        release()
    :: else -> break
    od
}

active proctype receiver()
{
    byte faults = 0, waits = 0;
end:
    do
    :: ready ->                                         /* sched_exit() */
        ready = false;
        acquire(); enter(); release()
    :: depth == 0 && !running && !waiting && !ready && waits < 2 ->      /* SYSCALL */
        waits++;
        acquire();
        if
#ifndef BREAK_WAIT
        :: due -> enter()                               /* it goes on, and is interrupted */
#endif
        :: else -> waiting = true
        fi;
        release()
    :: depth == 1 ->                                    /* trap_resume() */
        depth = 0;
        if
        :: due -> acquire(); enter(); release()         /* resume_signalled() */
        :: else -> skip
        fi
    :: depth == 0 && !waiting && !ready && faults < 2 -> faults++; depth = 1  /* a fault, forwarded without the lock */
    :: ipi ->                                           /* kernel_interrupt(), sched_exit() */
        ipi = false;
        acquire();
        if
        :: due && depth == 0 && !waiting && !ready -> enter()
        :: else -> skip
        fi;
        release()
    :: depth == 0 && running ->                          /* signal_return */
        acquire();
        running = false;
#ifndef BREAK_AGAIN
        due = queued > 0;
#endif
        if
        :: due -> enter()
        :: else -> skip
        fi;
        release()
    :: depth == 0 && !running && !ipi && !ready && taken == SIGNALS -> break
    :: depth == 0 && !running && !ipi && !ready && queued > 0 && !lock ->
        assert(false)                                   /* a signal that nobody will take */
    od;
    assert(queued == 0)
}
