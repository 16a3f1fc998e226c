/* replace.pml - choose_victim(): two loaders do not evict each other for ever.
 *
 * One slot for a space; two programs, each on a processor of its own, each needs its space there.  A program whose
 * space is gone is in its handler: it loads the space (which may evict the other's), resumes into it, and runs; a
 * resume that finds the id stale loads again.  A load that finds no victim answers `again`, and is tried again.
 *
 * The rule (decisions.md, 4; cache.h): a space that threads run in is safe for a slice after its load, and so is, from
 * all others but its loader, one that nobody has run in yet.  A slice is longer than what lies between a load and the
 * first instruction, if the loader is not kept from running: it ends here when that has run, or left.
 * Shown: again and again a program runs.
 *
 * Each of these must fail, and tools/model sees that it does:
 *   BREAK_NOT_FRESH    there is no slice of safety
 *   BREAK_IDLE_TAKEN   a space that nobody has run in yet is as good a victim as one that nobody runs in any more
 *
 * Left out: how an unload is done (unload.pml); chance, by which the real processors would get out of step.
 */
#define NOBODY 2

byte owner = NOBODY;       /* whose space is in the slot */
bool entered;              /* its program has resumed into it */
bool fresh;                /* less than a slice since the load */
bool ran[2];               /* has run an instruction since the load of its space */

#ifdef BREAK_NOT_FRESH
#define safe false
#else
#ifdef BREAK_IDLE_TAKEN
#define safe (entered && fresh)
#else
#define safe fresh
#endif
#endif

proctype program(byte me)
{
    do
    :: owner != me ->                                   /* in its handler: space_load() */
        atomic {
            if
            :: owner == NOBODY || (owner != me && !safe) ->
                owner = me;
                entered = false;
                fresh = true;
                ran[me] = false
            :: else -> skip                             /* again */
            fi
        };
        if                                              /* resume */
        :: atomic { owner == me -> entered = true }
        :: owner != me -> skip                          /* stale */
        fi
    :: atomic { owner == me && entered -> ran[me] = true };
       if
       :: skip
       :: atomic { owner == me -> owner = NOBODY; entered = false; fresh = false }  /* its process ends, the next begins */
       :: owner != me -> skip
       fi
    od
}

active proctype clock()
{
    do
    :: atomic { fresh && owner != NOBODY && ran[owner] -> fresh = false }
    od
}

init { atomic { run program(0); run program(1) } }

ltl somebody { [] <> (owner != NOBODY && entered && ran[owner]) }
