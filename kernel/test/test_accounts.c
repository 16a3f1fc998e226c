// test_accounts.c - random programs on activations: every context is told exactly once, and accounts balance.
//
// The test plays two programs on up to four processors.  A context is a number in RBX.  Each is either with the program
// (which may run it), on a processor, or with the supervisor: stopped or blocked.  An upcall gives it back; that it
// was with the supervisor is checked, and at the end nothing is missing.  Now and then the owner writes activations or
// a whole space back, wherever they are, and loads them again later.
#include "activations.h"

enum { CONTEXTS = 64, STEPS = 400, SEEDS = 60 };
enum whereabouts { WITH_PROGRAM, ON_PROCESSOR, WITH_SUPERVISOR };

static struct party party[2];
static enum whereabouts place[2][CONTEXTS];
static uint64_t random_state;
static uint32_t often;                   // the owner writes back, once in so many steps
static uint32_t disables;                // 1: programs disable and enable upcalls, of any activation

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % n;
}

// Contexts that were on a processor and are not there any more are with the supervisor.
static void look(void)
{
    for (unsigned p = 0; p < 2; p++) {
        for (unsigned i = 0; i < CONTEXTS; i++) {
            bool runs = false;
            for (uint32_t n = 0; n < host_instance()->cpus; n++) {
                const struct frame *f = running(&party[p], n) >= 0 ? frame_on(n) : NULL;
                runs = runs || (f != NULL && f->rip != UPCALL &&
                                host_instance()->cpu[n].thread->state->frame[0].rbx == i + 1);
            }
            if (place[p][i] == ON_PROCESSOR && !runs) {
                place[p][i] = WITH_SUPERVISOR;
            }
        }
    }
}

// The program takes what an upcall brings.  A context may be an upcall that was stopped before it did anything.
static void take(unsigned p, const struct frame *f)
{
    uint32_t i = (uint32_t)f->rdi;

    assert_int_equal(f->rip, UPCALL);
    while (i != SLOT_NONE) {
        const struct upcall_slot *s = slot(&party[p], i);
        uint64_t id = s->context.rbx;
        if (s->kinds & UPCALL_CONTEXT && id == 0) {
            take(p, &s->context);
        } else if (s->kinds & UPCALL_CONTEXT) {
            assert_true(id <= CONTEXTS);
            assert_int_equal(place[p][id - 1], WITH_SUPERVISOR);
            place[p][id - 1] = WITH_PROGRAM;
        }
        uint32_t next = s->next;
        give(&party[p], i);
        i = next;
    }
}

// And runs something.
static void handle(unsigned p, uint32_t n)
{
    take(p, frame_on(n));
    for (uint32_t i = 0, at = below(CONTEXTS); i < CONTEXTS; i++) {
        uint32_t id = (at + i) % CONTEXTS;
        if (place[p][id] == WITH_PROGRAM) {
            place[p][id] = ON_PROCESSOR;
            works(n, id + 1);
            return;
        }
    }
    assert_true(false);
}

// The program keeps the context that it runs on n, and gives the processor back.
static void put_away(unsigned p, uint32_t n)
{
    place[p][frame_on(n)->rbx - 1] = WITH_PROGRAM;
    frame_on(n)->rbx = 0;
    words(&party[p], (uint32_t)running(&party[p], n))->disabled = 0;
    (void)call(n, SYS_processor_release, 0, 0, 0);
}

static void act(unsigned p, uint32_t n)
{
    struct thread *t = host_instance()->cpu[n].thread;

    if (t->depth > 0) {
        (void)call(n, below(2) ? SYS_wait : SYS_resume, below(2) ? host.clock + below(5000) + 1 : 0, 0, 0);
        return;
    }
    switch (below(7)) {
    case 0:
        (void)call(n, SYS_wait, host.clock + below(5000) + 1, 0, 0);
        break;
    case 1:
        trap(n);
        break;
    case 2:
        user_of(&party[p])->wanted = below(5);
        (void)call(n, SYS_processors, 0, 0, 0);
        break;
    case 3:
        put_away(p, n);
        break;
    case 4:
        (void)call(n, SYS_yield, 0, 0, 0);
        break;
    case 5:
        words(&party[p], below(party[p].activations))->disabled ^= disables;
        break;
    default:
        break;
    }
}

// Whose thread it is; -1: neither party's.
static int party_of(const struct thread *t)
{
    for (unsigned p = 0; p < 2; p++) {
        for (uint32_t i = 0; i < party[p].activations; i++) {
            if (party[p].state[i] == t->state_pa) {
                return (int)p;
            }
        }
    }
    return -1;
}

// Load the space again, and of its activations all or some.
static void load_again(unsigned p, bool all)
{
    struct party *x = &party[p];

    if (space_find(host_instance(), x->space) == NULL) {
        assert_int_equal(load_space(x), ERR_OK);
    }
    for (uint32_t i = 0; i < x->activations; i++) {
        const struct thread_state *s = host_at(x->state[i]);
        if (s->loaded == 0 && (all || below(2))) {
            assert_int_equal(load_activation(x, i, s->run), ERR_OK);
        }
    }
}

// The owner writes back, or loads again.
static void cache(void)
{
    struct party *x = &party[below(2)];

    first_wakes();
    switch (below(8)) {
    case 0:
        (void)call(0, SYS_space_unload, x->space, 0, 0);
        break;
    case 1:
    case 2:
        load_again((unsigned)(x - party), false);
        break;
    default:
        (void)call(0, SYS_thread_unload, x->thread[below(x->activations)], 0, 0);
        break;
    }
    first_sleeps();
}

// Handlers that wait without a deadline are woken by their owner, who then sleeps again.
static void wake_all(void)
{
    first_wakes();
    for (unsigned p = 0; p < 2; p++) {
        for (uint32_t i = 0; i < party[p].activations; i++) {
            (void)call(0, SYS_signal, party[p].thread[i], 0, 0);
        }
    }
    first_sleeps();
}

static void step(void)
{
    uint32_t n = below(host_instance()->cpus);
    struct thread *t = host_instance()->cpu[n].thread;
    int p = t == NULL ? -1 : party_of(t);

    look();
    if (p >= 0 && t->depth > 0) {
        (void)call(n, below(3) ? SYS_resume : SYS_wait, below(2) ? 0 : party[p].space, 0, 0);
    } else if (p >= 0 && frame_on(n)->rip == UPCALL) {
        handle((unsigned)p, n);
    } else if (p >= 0) {
        act((unsigned)p, n);
    }
    if (below(20) == 0) {
        host_advance(host_instance()->slice);
    }
    if (below(40) == 0) {
        wake_all();
    }
    if (below(often) == 0) {
        cache();
    }
    settle();
}

// Every context comes back, and the sums agree.
static void finish(unsigned p)
{
    uint32_t supervisor = 0;

    for (unsigned i = 0; i < CONTEXTS; i++) {
        supervisor += place[p][i] == WITH_SUPERVISOR;
    }
    assert_int_equal(supervisor, 0);
    accounts_balance(&party[p]);
    assert_int_equal(times_told(&party[p], UPCALL_BLOCKED), times_told(&party[p], UPCALL_UNBLOCKED));
}

static bool done(void)
{
    look();
    for (unsigned p = 0; p < 2; p++) {
        for (unsigned i = 0; i < CONTEXTS; i++) {
            if (place[p][i] == WITH_SUPERVISOR) {
                return false;
            }
        }
        for (uint32_t i = 0; i < party[p].activations; i++) {    // it may be an upcall that has no context yet
            const struct thread *t = thread_find(host_instance(), party[p].thread[i]);
            if (t != NULL && (t->paused || t->quiet)) {
                return false;
            }
        }
        if (page_of(&party[p])->pending != 0) {
            return false;
        }
    }
    return true;
}

// Nobody blocks any more, and nobody wants a processor: what is with the supervisor comes back.
static void drain(void)
{
    user_of(&party[0])->wanted = user_of(&party[1])->wanted = 0;
    first_wakes();
    for (unsigned p = 0; p < 2; p++) {
        for (uint32_t i = 0; i < party[p].activations; i++) {
            words(&party[p], i)->disabled = 0;
        }
    }
    load_again(0, true);
    load_again(1, true);
    first_sleeps();
    for (unsigned round = 0; round < 4000 && !done(); round++) {
        uint32_t n = round % host_instance()->cpus;
        if (round % 50 == 0) {
            wake_all();
            look();
        }
        const struct thread *t = host_instance()->cpu[n].thread;
        int p = t == NULL ? -1 : party_of(t);
        if (p >= 0 && t->depth > 0) {
            (void)call(n, SYS_resume, party[p].space, 0, 0);
        } else if (p >= 0 && frame_on(n)->rip == UPCALL) {
            handle((unsigned)p, n);
        } else if (p >= 0) {
            put_away((unsigned)p, n);
        }
        look();
        host_advance(host_instance()->slice / 4);
        settle();
    }
}

static void balance(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        random_state = seed;
        memset(place, 0, sizeof(place));
        boot(1 + seed % 4);
        disables = seed % 2;
        often = seed % 3 == 0 ? UINT32_MAX : 5 + 10 * (seed % 5);
        make(&party[0], 2 + seed % 7, seed % 4 == 0 ? 12 : 64, 1 + seed % 4);
        make(&party[1], 8, 64, 2);
        first_sleeps();
        for (unsigned i = 0; i < STEPS; i++) {
            step();
        }
        drain();
        finish(0);
        finish(1);
        host_shutdown();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
