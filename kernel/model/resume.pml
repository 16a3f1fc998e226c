/* resume.pml - trap_resume() on one processor against space_unload_step() on another.
 *
 * The resuming processor takes no lock: it stores t->space and its page-table root, then reads the space's id
 * again.  The unloader clears the id, fences, and then looks for threads and roots.  Shown: no program instruction
 * runs in a freed space, and there is no state in which the two are stuck.
 *
 * Left out: weak memory order.  Both sides have a full fence between their store and their load (a write of the
 * page-table register here, fence_full() in handle_doom() there), so these accesses are sequentially consistent.
 */
bool id_valid = true;      /* s->o.id */
bool space_set = true;     /* t->space == s */
bool root_set = false;     /* cpu->root == s->root */
bool user = false;         /* depth 0: program mode */
bool gone = false;         /* the thread was unloaded */
bool freed = false;        /* the slot of s is free */
bool ipi = false;          /* CPU_RESCHEDULE is set and an interrupt pending */
bool lock = false;

#define acquire() atomic { !lock -> lock = true }
#define release() lock = false

active proctype resumer()
{
    bool seen;
    do
    :: gone -> break
    :: !gone && !user && !space_set && !root_set -> break       /* resume says stale: the handler would reload */
    :: !gone && !user && space_set ->
        seen = id_valid;
        if
        :: !seen -> break                                       /* stale at the first look */
        :: seen ->
            space_set = true;
            root_set = true;
            if
            :: !id_valid -> space_set = false; root_set = false  /* stay in the handler */
            :: id_valid -> user = true
            fi
        fi
    :: user -> assert(!freed)                                   /* an instruction of the program */
    :: user && ipi ->                                           /* kernel_interrupt(): answer_requests() */
        ipi = false;
        acquire();
        if
        :: space_set && !id_valid -> user = false; root_set = false; space_set = false; gone = true
        :: else -> skip
        fi;
        release()
    :: user -> user = false; root_set = false                   /* trap_forward(): back into a handler */
    od;
    /* A thread that left resume with `stale` goes on in its kernel and can be interrupted there. */
    do
    :: ipi -> ipi = false; acquire(); space_set = false; release()
    :: freed -> break
    od
}

active proctype unloader()
{
    acquire();
    id_valid = false;                                           /* handle_doom() */
    release();
    do
    :: acquire();
       if
       :: space_set -> ipi = true; release()                    /* release_threads(): sched_poke() */
       :: !space_set && root_set -> release()                   /* in_use() */
       :: else -> assert(!user || gone); freed = true; release(); break
       fi
    od;
}

