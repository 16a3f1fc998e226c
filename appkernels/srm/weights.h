// weights.h - processors in proportion to the weights of application kernels.
//
// What the supervisor's own policy cannot say: it shares alike among spaces. Here the kernels of one level share in
// proportion to their weights, however many spaces each has, and the spaces of a kernel alike. Levels come first, as
// they must (abi/allocation.h), and what one does not want the others get, by their weights.
// A kernel's part of the processors is no whole number, so parts come out right over some decisions: what it had too
// little or too much of it is its credit, and the highest credit has what is left over. Nothing is owed to whoever does
// not want more, or waits for a higher level.
// It does nothing itself (allocate.c does).
#pragma once
#include <abi/allocation.h>

#include "policy.h"

enum { WEIGHTS_OTHERS = POLICY_KERNELS, WEIGHTS_OWNERS, WEIGHTS_MOST = 1000 };

struct weights {
    uint64_t quantum;                                // ticks for which a decision is thought to hold
    uint32_t weight[WEIGHTS_OWNERS];                 // 1 to WEIGHTS_MOST; the last: of all that are not in the policy
    int64_t  credit[WEIGHTS_OWNERS];                 // processors, in parts of 65536, times quanta
    int64_t  owed[WEIGHTS_OWNERS];                   // so much too little the last decision gives, without the quanta
    uint64_t asked;                                  // the moment of its question
    uint32_t turn;                                   // decisions so far
};

void weights_start(struct weights *w, const struct policy *policy, uint64_t quantum);
// Claimant i of the question belongs to kernel owner[i] of the policy, or WEIGHTS_OTHERS.
void weights_divide(struct weights *w, const struct allocation_question *q, const unsigned *owner, uint32_t processors,
                    uint32_t *gets);
