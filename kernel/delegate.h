// delegate.h - the allocator's policy in the hands of a server: questions, answers, and what holds meanwhile.
//
// The interface is abi/allocation.h. States: nobody has taken over (`on` is not set), asked (`open`), answered
// (`holds`), given up. The last pair of pages of the clock belongs to this, and so does its alarm, which is never shown
// to anybody: when it rings, the allocator looks.
// The server can only limit a claimant. What it gives is put through the same fair_share() as its wishes would be, so
// levels, threads and taking turns are none of its business, and an answer that does not fit any more is dropped.
// All that is needed of a question is kept here: a server may write both pages, and what it writes is read once.
// Locking: the instance lock.  Scheduler Activations, 3.3 and 4.1.
#pragma once
#include <abi/allocation.h>

#include "fair.h"

struct delegate {                              // all l
    bool     on, open, holds;                  // somebody has taken over; the question has no answer; one is in force
    uint64_t number, asked;                    // of the last question; when
    uint32_t count;                            // claimants in it
    oid_t    space[ALLOCATION_CLAIMANTS];
    struct claimant claim[ALLOCATION_CLAIMANTS];
    uint32_t most[ALLOCATION_CLAIMANTS];       // that each may have, while an answer holds
};

// Somebody has taken over: ask what is to be asked, and deal the n claimants what his answer leaves of fair shares, in
// the instance's `fair` and `claimant`, as fair_share() does.
void  delegate_run(struct cpu *cpu, uint32_t n);
// The answer's page was signalled.
err_t delegate_answer(struct cpu *cpu);
