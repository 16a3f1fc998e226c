/* shootdown.pml - tlb_flush_locked() on one processor against programs and calls on two others.
 *
 * Whoever removes a mapping clears its entry, fences, and asks each processor whose `root` is that space; it waits for
 * the answers with the instance lock held.  Who is asked answers by interrupt from a program or from the halt, and by
 * polling where it waits for the lock.  A processor that begins to run in the space stores `root` before it writes
 * its page-table register, which empties its TLB.  Shown: no program uses the translation once the frame is somebody
 * else's, and no processor waits for ever.
 *
 * Left out: weak memory order (there is a full fence on both sides), several pages, interrupts of other kinds.
 */
#define CPUS 3

bool lock = false;         /* the instance lock */
bool entry = true;         /* the page-table entry is present */
bool reused = false;       /* its frame has been given to somebody else */
bool root[CPUS];           /* cpu->root is this space */
bool cached[CPUS];         /* the translation is in the TLB */
bool request[CPUS];        /* cpu->flush is not NULL, and an interrupt */

inline answer(me)
{
    cached[me] = false;
    request[me] = false
}

inline ask(me, other)
{
    if
    :: other != me && root[other] -> request[other] = true
    :: else -> skip
    fi
}

proctype cpu(byte me)
{
    byte rounds = 0;
end:
    do
    :: request[me] -> answer(me)                        /* from the halt */
    :: rounds < 2 ->                                    /* a program in the space */
        rounds++;
        root[me] = true;                                /* arch_space_switch(): first this, */
        cached[me] = false;                             /* then the register */
        do
        :: atomic { entry -> cached[me] = true }        /* the processor walks the tables */
        :: cached[me] -> assert(!reused)                /* and uses what it has cached */
        :: request[me] -> answer(me)
        :: break
        od;
        root[me] = false;
        cached[me] = false
    :: rounds < 2 ->                                    /* a call that unloads the mapping */
        rounds++;
        do
        :: atomic { !lock -> lock = true }; break       /* instance_lock() */
        :: request[me] -> answer(me)
        od;
        if
        :: entry ->
            entry = false;
            ask(me, 0); ask(me, 1); ask(me, 2);
            !request[0] && !request[1] && !request[2];
            reused = true;                              /* free for everybody from here on */
            reused = false;
            entry = true                                /* loaded again */
        :: else -> skip
        fi;
        lock = false
    od
}

init { atomic { run cpu(0); run cpu(1); run cpu(2) } }
