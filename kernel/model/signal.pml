/* signal.pml - deliver() on one processor against trap_resume() and the signal function on another.
 *
 * The receiver's handler returns without the lock: it makes itself a program (depth 0), then reads `due`.  The sender
 * queues under the lock, sets `due`, and interrupts the receiver's processor.  signal_return ends the function under
 * the lock and goes on with the next signal.  Shown: when all is said, every signal has been taken, each once.
 *
 * Left out: queues that are full, receivers that wait or are unloaded.
 */
#define SIGNALS 3

bool lock = false;
byte queued = 0, taken = 0;
bool due = false, running = false, ipi = false;
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
        ipi = true;                                     /* sched_poke() */
        release()
    :: else -> break
    od
}

active proctype receiver()
{
    byte faults = 0;
end:
    do
    :: depth == 1 ->                                    /* trap_resume() */
        depth = 0;
        if
        :: due -> acquire(); enter(); release()         /* resume_signalled() */
        :: else -> skip
        fi
    :: depth == 0 && faults < 2 -> faults++; depth = 1  /* a fault, forwarded without the lock */
    :: ipi ->                                           /* kernel_interrupt(), sched_exit() */
        ipi = false;
        acquire();
        if
        :: due && depth == 0 -> enter()
        :: else -> skip
        fi;
        release()
    :: depth == 0 && running ->                          /* signal_return */
        acquire();
        running = false;
        due = queued > 0;
        if
        :: due -> enter()
        :: else -> skip
        fi;
        release()
    :: depth == 0 && !running && !ipi && taken == SIGNALS -> break
    :: depth == 0 && !running && !ipi && queued > 0 && !lock ->
        assert(false)                                   /* a signal that nobody will take */
    od;
    assert(queued == 0)
}
