// test_portions.c - shares of processors, for kernels with spaces of activations, and for both kinds.
//
// Whatever runs over its kernel's share runs on time that nobody within his wants: that is checked all the time.
#include "clocked.h"

#include <abi/activation.h>

#include "sched.h"

enum { UPCALL = 0x500000, AREA = 0x10000000, STACKS = 0x20000000, SLOTS = 32 };

struct user {                            // a kernel; its own space is one of activations
    struct kernel kernel;
    uint32_t activations, given;
    pa_t     area;
};

static struct user user[4];
static unsigned users;
static uint64_t upcalls, wrong;

static struct space_user_page *words(const struct user *u)
{
    return host_at(u->area + ABI_PAGE);
}

static struct space *space(const struct user *u)
{
    return space_find(host_instance(), u->kernel.space);
}

static void give(struct user *u, uint32_t i)
{
    struct upcall_slot *slot = (struct upcall_slot *)host_at(u->area + area_slots(u->activations)) + i;

    slot->stack = STACKS + (va_t)(i + 1) * 0x10000;
    words(u)->slot[u->given++ % SLOTS_MOST] = i;
    words(u)->slots_given = u->given;
}

// Has somebody who is within his share here less than he wants, while this is idle time?
static void look(void)
{
    for (uint32_t n = 0; n < host.cpus; n++) {
        const struct thread *t = host_instance()->cpu[n].thread;
        for (unsigned i = 0; i < users && (t == NULL || t->level < SHARE_WITHIN); i++) {
            const struct claims *c = &space(&user[i])->claims;
            uint32_t wants = words(&user[i])->wanted;
            wrong += c->held < (wants < host.cpus ? wants : host.cpus) && space(&user[i])->manager->within >> n & 1;
        }
    }
}

// The program takes what it is told, and gives the slots back: also those of a handler that was stopped as it began.
static void take(struct user *u, uint32_t first)
{
    const struct upcall_slot *slot = host_at(u->area + area_slots(u->activations));

    for (uint32_t s = first, next; s != SLOT_NONE; s = next) {
        next = slot[s].next;
        if (slot[s].kinds & UPCALL_PREEMPTED && slot[s].context.rip == UPCALL) {
            take(u, (uint32_t)slot[s].context.rdi);
        }
        give(u, s);
    }
}

// It works on.
static void upcall(struct user *u, uint32_t n)
{
    const struct thread *t = host_instance()->cpu[n].thread;
    struct frame *f = host_instance()->cpu[n].frame;

    if (t != NULL && t->home == space(u) && f->rip == UPCALL) {
        take(u, (uint32_t)f->rdi);
        f->rip = HOST_TEXT;
        upcalls++;
    }
}

static void upcalls_on(uint32_t n)
{
    for (uint32_t i = 0; i < users * host.cpus; i++) {
        upcall(&user[i % users], (n + i / users) % host.cpus);
    }
}

static void run(uint64_t ticks)
{
    uint64_t end = host.clock + ticks;

    while (host.clock < end) {
        run_until(host.clock + SLICE / 3);
        look();
    }
}

static void add(const uint8_t share[CPUS], uint32_t wanted)
{
    struct user *u = &user[users];
    pa_t page = frame();
    struct space_desc *s = host_at(page);

    *u = (struct user){.activations = 8};
    u->area = next_frame + ABI_PAGE;
    for (uint64_t size = area_size(u->activations, SLOTS); size > 0; size -= ABI_PAGE) {
        (void)frame();
    }
    *s = (struct space_desc){.rule = TRAP_NATIVE, .place = frame(), .schedule = SCHEDULE_ACTIVATIONS,
                             .priority = MIDDLE, .activations = u->activations, .slots = SLOTS, .area = u->area,
                             .area_va = AREA, .upcall = UPCALL};
    assert_int_equal(call(SYS_space_load, ABI_WINDOW + page, 0, 0, &u->kernel.space), ERR_OK);
    u->kernel = load_on(u->kernel.space, share);
    for (uint32_t i = 0; i < SLOTS; i++) {
        give(u, i);
    }
    words(u)->wanted = wanted;
    for (uint32_t i = 0; i < u->activations; i++) {
        pa_t state = frame();
        struct thread_desc *d = host_at(page);
        uint64_t id;
        ((struct thread_state *)host_at(state))->run = RUN_FRESH;
        *d = (struct thread_desc){.space = u->kernel.space, .priority = MIDDLE, .state = state, .activation = i,
                                  .state_va = ABI_WINDOW + state, .xstack = 0x700000};
        assert_int_equal(call(SYS_thread_load, ABI_WINDOW + page, 0, 0, &id), ERR_OK);
    }
    users++;
}

static void add_even(uint8_t share, uint32_t wanted)
{
    add((uint8_t[]){share, share, share, share}, wanted);
}

static void begin(uint32_t cpus)
{
    boot(cpus);
    host_instance()->cpu[0].thread->affinity = 1;
    users = 0;
    upcalls = wrong = 0;
    played = upcalls_on;
}

// What each processor gives to a kernel, in percent, is in `ran`; the first kernel sleeps.
static void run_seconds(uint64_t seconds)
{
    assert_int_equal(call(SYS_wait, 0, 0, 0, NULL), -1);
    run(SECOND / 4);
    add_up();
    memset(ran, 0, sizeof(ran));
    upcalls = 0;
    run(seconds * SECOND);
    for (uint32_t k = 0; k < KERNELS; k++) {
        for (uint32_t i = 0; i < CPUS; i++) {
            ran[k][i] /= seconds;
        }
    }
    uint64_t slices = seconds * SECOND / SLICE;
    printf("%.2f upcalls a slice\n", (double)upcalls / (double)slices);
    assert_true(upcalls < 3 * slices * host.cpus);
    assert_int_equal(wrong, 0);
}

// The first kernel's thread runs again.
static void wake(void)
{
    struct cpu *cpu = host_enter(0);

    instance_lock(cpu);
    sched_signal(cpu, thread_find(host_instance(), host_instance()->info->thread));
    sched_exit(cpu);
    instance_unlock(cpu);
    settle();
}

static double all_of(struct kernel k)
{
    double sum = 0;

    for (uint32_t i = 0; i < host.cpus; i++) {
        sum += percent(k, i);
    }
    return sum / host.cpus;
}

static void end(void)
{
    played = NULL;
    host_shutdown();
}

// Spaces that want all processors: each processor is divided as the shares say.
static void all_want_all(void **state)
{
    static const uint8_t share[][4] = {{25, 75}, {20, 30, 50}, {10, 20, 30, 40}};

    (void)state;
    for (uint32_t cpus = 1; cpus <= CPUS; cpus *= 2) {
        for (unsigned m = 0; m < sizeof(share) / sizeof(share[0]); m++) {
            begin(cpus);
            for (unsigned i = 0; i < 4 && share[m][i] != 0; i++) {
                add_even(share[m][i], cpus);
            }
            run_seconds(1);
            for (unsigned i = 0; i < users; i++) {
                expect("of all processors", all_of(user[i].kernel), share[m][i]);
            }
            end();
        }
    }
}

// The processors have shares of their own: so much of each, however the claims move.
static void each_its_own(void **state)
{
    static const uint8_t share[][2][CPUS] = {
        {{50, 0}, {50, 100}},
        {{10, 50, 0, 100}, {90, 50, 100, 0}}, {{25, 25, 50, 50}, {75, 75, 50, 50}},
    };

    (void)state;
    for (unsigned m = 0; m < sizeof(share) / sizeof(share[0]); m++) {
        begin(m < 1 ? 2 : 4);
        for (unsigned i = 0; i < 2; i++) {
            add(share[m][i], host.cpus);
        }
        run_seconds(1);
        for (unsigned i = 0; i < 2 * host.cpus; i++) {
            expect("of each processor", percent(user[i % 2].kernel, i / 2), share[m][i % 2][i / 2]);
        }
        end();
    }
}

// One kind is limited by the other.  What is over the shares of both is divided by threads, of which there are more.
static void with_threads(void **state)
{
    static const uint8_t share[] = {25, 50, 75};

    (void)state;
    for (unsigned m = 0; m < 6; m++) {
        begin(m < 3 ? 2 : 4);
        struct kernel k = load_even(100 - share[m % 3]);
        for (unsigned i = 0; i < 6; i++) {
            start(k, MIDDLE, 0);
        }
        add_even(share[m % 3], host.cpus);
        run_seconds(1);
        double threads = all_of(k), activations = all_of(user[0].kernel);
        printf("threads %.2f, activations %.2f, wanted %u\n", threads, activations, share[m % 3]);
        assert_true(threads >= (100 - share[m % 3]) * 0.95 && activations >= share[m % 3] * 0.9);
        end();
    }
}

// One wants one processor only, and has it as long as it is within its share on any; nobody waits for it.
static void wants_one(void **state)
{
    (void)state;
    for (uint32_t cpus = 2; cpus <= CPUS; cpus *= 2) {
        begin(cpus);
        add_even(100 / (uint8_t)cpus / 2, 1);
        add_even(100, cpus);
        run_seconds(1);
        expect("all that it may", all_of(user[0].kernel) * cpus, 50);
        expect("the rest", all_of(user[1].kernel), 100 - 50.0 / cpus);
        end();
    }
}

// Who has little gets all while the other one wants nothing, and its share when that is back; nobody waits for long.
static void away(void **state)
{
    (void)state;
    for (uint32_t cpus = 1; cpus <= CPUS; cpus *= 2) {
        begin(cpus);
        add_even(25, cpus);
        add_even(75, 0);
        run_seconds(1);
        expect("all", all_of(user[0].kernel), 100);
        words(&user[1])->wanted = cpus;
        wake();
        run_seconds(1);
        expect("back", all_of(user[0].kernel), 25);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {

        cmocka_unit_test(all_want_all),
        cmocka_unit_test(each_its_own),
        cmocka_unit_test(with_threads),
        cmocka_unit_test(wants_one),
        cmocka_unit_test(away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
