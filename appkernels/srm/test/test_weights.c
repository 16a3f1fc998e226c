// test_weights.c - processors by weights: in proportion over time, and always an answer that the supervisor accepts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "weights.h"

enum { QUANTUM = 80000000, DECISIONS = 1200 };

static struct policy policy;
static struct weights weights;
static struct allocation_question question;
static uint32_t machine;                     // processors of it
static unsigned owner[ALLOCATION_CLAIMANTS];
static uint32_t gets[ALLOCATION_CLAIMANTS];

static void begin(uint32_t processors, unsigned kernels, const uint32_t *weight)
{
    policy.count = kernels;
    for (unsigned i = 0; i < kernels; i++) {
        policy.kernel[i].weight = weight[i];
    }
    weights_start(&weights, &policy, QUANTUM);
    machine = processors;
    question = (struct allocation_question){.asked = 12345678};
}
#define W(...) ((const uint32_t[]){__VA_ARGS__})

static void claim(unsigned kernel, uint32_t wants, uint32_t level)
{
    owner[question.count] = kernel;
    question.claimant[question.count++] = (struct allocation_claimant){.wants = wants, .level = level};
}

// What abi/allocation.h asks of an answer.
static void good(void)
{
    uint32_t left = machine;

    for (uint32_t level = 64; level-- > 0;) {
        uint32_t wanted = 0, got = 0;
        for (uint32_t i = 0; i < question.count; i++) {
            if (question.claimant[i].level == level) {
                assert_true(gets[i] <= question.claimant[i].wants);
                wanted += question.claimant[i].wants;
                got += gets[i];
            }
        }
        assert_int_equal(got, wanted < left ? wanted : left);
        left -= got;
    }
}

static void divide(uint64_t elapsed)
{
    question.asked += elapsed;
    weights_divide(&weights, &question, owner, machine, gets);
    good();
}

// Claimant i has part[i] thousandths of the processors' time.
static void expect(const uint32_t *part)
{
    uint64_t had[ALLOCATION_CLAIMANTS] = {0};

    for (unsigned n = 0; n < DECISIONS; n++) {
        divide(QUANTUM);
        for (uint32_t i = 0; i < question.count; i++) {
            had[i] += gets[i];
        }
    }
    for (uint32_t i = 0; i < question.count; i++) {
        uint64_t got = had[i] * 1000 / (DECISIONS * machine);
        if (got + 6 < part[i] || got > part[i] + 6) {
            fail_msg("claimant %u has %lu thousandths instead of %u", i, (unsigned long)got, part[i]);
        }
    }
}

static void in_proportion(void **state)
{
    (void)state;
    for (uint32_t cpus = 1; cpus <= 8; cpus++) {
        begin(cpus, 2, W(3, 1));
        claim(0, cpus, 48);
        claim(1, cpus, 48);
        expect(W(750, 250));
        if (cpus % 4 == 0) {                         // then nobody takes turns
            divide(QUANTUM);
            assert_int_equal(gets[0], cpus * 3 / 4);
            divide(QUANTUM / 1000);
            assert_int_equal(gets[0], cpus * 3 / 4);
        }
        begin(cpus, 3, W(1, 0, 1));                  // none said is one
        for (unsigned i = 0; i < 3; i++) {
            claim(i, cpus, 48);
        }
        expect(W(333, 333, 333));
    }
    begin(4, 3, W(50, 30, 20));
    for (unsigned i = 0; i < 3; i++) {
        claim(i, 4, 48);
    }
    expect(W(500, 300, 200));
}

// The kernel counts, not how many spaces it has; and they share alike.
static void kernels_count(void **state)
{
    (void)state;
    begin(4, 2, W(1, 1));
    claim(0, 4, 48);
    claim(1, 4, 48);
    claim(1, 4, 48);
    claim(1, 4, 48);
    expect(W(500, 167, 167, 167));
    begin(3, 1, W(2));
    claim(0, 4, 48);
    claim(WEIGHTS_OTHERS, 4, 48);
    expect(W(667, 333));
}

// What one does not want the others have, and levels come first.
static void wants_and_levels(void **state)
{
    (void)state;
    begin(4, 2, W(100, 1));
    claim(0, 1, 48);
    claim(1, 4, 48);
    expect(W(250, 750));
    begin(4, 3, W(1, 100, 1));
    claim(0, 2, 49);
    claim(1, 4, 48);
    claim(2, 4, 48);
    expect(W(500, 495, 5));
}

// Who was away, or waited, does not have everything for long.
static void comes_back(void **state)
{
    (void)state;
    begin(1, 2, W(1, 1));
    claim(0, 1, 48);
    claim(1, 0, 48);
    for (unsigned i = 0; i < 1000; i++) {
        divide(QUANTUM);
    }
    question.claimant[1].wants = 1;
    expect(W(500, 500));
    begin(1, 2, W(1, 1));
    claim(0, 1, 49);
    claim(1, 1, 48);
    for (unsigned i = 0; i < 1000; i++) {
        divide(QUANTUM);
    }
    question.claimant[0].level = 48;
    unsigned had = 0;
    for (unsigned i = 0; i < 6; i++) {
        divide(QUANTUM);
        had += gets[1];
    }
    assert_in_range(had, 2, 4);
}

static void anything(void **state)
{
    (void)state;
    srand(1);
    for (unsigned n = 0; n < 2000; n++) {
        begin(1 + (uint32_t)rand() % 64, 3, W(1 + (uint32_t)rand() % 1000, (uint32_t)rand() % 1001, 7));
        for (unsigned i = (unsigned)rand() % (ALLOCATION_CLAIMANTS + 1); i > 0; i--) {
            unsigned kernel = rand() % 4 == 0 ? WEIGHTS_OTHERS : (unsigned)rand() % 3;
            claim(kernel, (uint32_t)rand() % 70, (uint32_t)rand() % 64);
        }
        for (unsigned i = 0; i < 4; i++) {
            divide((uint64_t)rand() * (i == 3 ? 1000 : 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_proportion), cmocka_unit_test(kernels_count), cmocka_unit_test(wants_and_levels),
        cmocka_unit_test(comes_back), cmocka_unit_test(anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
