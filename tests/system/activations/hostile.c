// hostile.c - programs and owners that do what they can; a space that behaves well does not suffer.
//
// One space writes nonsense into every word of its area that it can write, makes bad calls, blocks, faults and gives
// processors back at random; one never gives a slot back; one has an upcall entry that is not mapped.  The owner
// unloads the spaces, their activations and mappings at random, loads them again, and writes in their words while they
// run.  Meanwhile a space that behaves well computes checksums: they are right, and it gets its share, if there are
// descriptors for all.
#include "party.h"

enum { HOSTILE = 3, PRIORITY = 5, MEDDLES = 1000 };

static struct party good, bad[HOSTILE];

static uint64_t next(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r * 0x2545f4914f6cdd1dull >> 16;
}

// Words of the program's, from another processor than those that it runs on.
static void meddle_words(struct party *p, uint64_t *r)
{
    struct space_user_page *u = party_user(p);
    struct activation_user *w = activation_words(p, (uint32_t)(next(r) % p->activations));
    uint32_t taken = party_page(p)->slots_taken, nonsense = (uint32_t)next(r);

    u->wanted = next(r) % 4 != 0 ? machine->cpus : nonsense;
    u->tick = next(r) % 2;
    u->slots_given = next(r) % 4 != 0 ? taken + (uint32_t)(next(r) % SLOTS) : nonsense;
    w->disabled = next(r) % 4 == 0;
    w->warn = next(r) % 2;
    w->priority = nonsense;
    w->interval = next(r) % machine->slice;
    w->alarm = now() + next(r) % machine->slice;
}

static void meddle(struct party *p, uint64_t *r)
{
    struct test_thread *t = &p->thread[next(r) % p->activations];
    uint64_t n;

    switch (p->space.id == 0 || t->id == 0 ? 6 : next(r) % 6) {
    case 0:  (void)sys_space_unload(p->space.id); break;
    case 1:  (void)sys_thread_unload(t->id, 0); break;
    case 2:  (void)sys_mapping_unload(p->space.id, 0, ABI_USER_END, &n); break;
    case 3:  (void)sys_signal(t->id); break;
    case 4:                              // what its state page says is the owner's to write
        if (!thread_loaded(t)) {
            t->state->events = next(r);
            t->state->run = (uint32_t)(next(r) % 3);
        }
        break;
    default: break;
    }
}

static void keep_all(void)
{
    struct channel *c = window(info->channel);

    c->tail = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
    party_keep(&good);
    for (unsigned i = 0; i < HOSTILE; i++) {
        party_keep(&bad[i]);
    }
}

void test_hostile(void)
{
    uint64_t r = now() | 1, steps = 0, ran, since, until = now() + milliseconds(40000);

    note("seed 0x%lx", (unsigned long)r);
    party_make(&good, PRIORITY, WELL_BEHAVED, machine->cpus);
    party_make(&bad[0], PRIORITY, SCRIBBLES, machine->cpus);
    party_make(&bad[1], PRIORITY, FORGETS_SLOTS, machine->cpus);
    party_make(&bad[2], PRIORITY, FAULTS, machine->cpus);
    bad[2].entry = 0x123000;
    keep_all();
    ran = party_ran(&good);
    since = now();
    for (unsigned i = 0; i < MEDDLES && now() < until; i++) {
        meddle(&bad[next(&r) % HOSTILE], &r);
        meddle_words(&bad[next(&r) % HOSTILE], &r);
        keep_all();
        sleep_for(next(&r) % (machine->slice / 4));
        bad[2].entry = next(&r) % 2 ? 0x123000 : good.entry;
        if (i % 16 == 0) {
            steps = party_steps(&good);
        }
    }
    uint64_t percent = (party_ran(&good) - ran) * 100 / (now() - since), before = steps;
    uint64_t fair = machine->cpus * 100 / (1 + HOSTILE);
    check(machine->threads < 64 || percent * 2 >= fair, "its share, among hostile ones", "%lu percent of a processor",
          (unsigned long)percent);
    note("%lu percent of a processor, %lu steps, %lu %lu %lu ended, %lu refused, %lu blocked", (unsigned long)percent,
         (unsigned long)party_steps(&good), (unsigned long)bad[0].ended, (unsigned long)bad[1].ended,
         (unsigned long)bad[2].ended, (unsigned long)(bad[0].refused + bad[2].refused), (unsigned long)bad[0].blocks);
    for (unsigned i = 0; i < HOSTILE; i++) {
        party_end(&bad[i]);
    }
    CHECK(EVENTUALLY((party_keep(&good), party_steps(&good)) > before), "it goes on");
    party_check(&good, "and each of its workers");
    party_end(&good);
}
