// steps.h - random steps for tests of the policies: threads come, go, block, wake and sleep, time passes.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy.h"

enum { STEP_THREADS = 24, SEEDS = 300, STEPS = 600 };

struct steps {
    uint64_t seed, random, now, again;
    struct scheduler s;
    struct scheduled thread[STEP_THREADS];
    unsigned threads;
};

uint64_t draw(struct steps *w, uint64_t below);
void steps_begin(struct steps *w, uint64_t seed, const struct scheduler_operations *op, unsigned cpus,
                 uint64_t slice, unsigned threads);
// One random step, then scheduler_run and what holds for every policy.
void steps_step(struct steps *w);
// Let so much time pass, with scheduler_run whenever it asks for it.
void steps_pass(struct steps *w, uint64_t ticks);
// What holds for every policy after scheduler_run.
void steps_check(const struct steps *w);
#define STEPS_ASSERT(w, good)                                               \
    do {                                                                    \
        if (!(good)) {                                                      \
            print_error("seed %lu: %s\n", (unsigned long)(w)->seed, #good); \
            assert_true(good);                                              \
        }                                                                   \
    } while (0)
