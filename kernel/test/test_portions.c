// test_portions.c - shares of processors, for kernels with spaces of activations, and for both kinds.
//
// The rule is that whatever runs over its kernel's share runs on time that nobody within his wants. That is added up
// tick by tick. Where shares come to 100 and all want all, there is no such time: each has exactly his share.
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
static struct kernel threads;            // id 0, or a kernel with more threads than there are processors
static uint64_t upcalls, wrong, spare;   // ticks: over a share while somebody is within his, and over a share

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

// Does somebody who is within his share on this processor have less than he wants?
static bool lacks(uint32_t n)
{
    bool some = threads.id != 0 && kernel_find(host_instance(), threads.id)->within >> n & 1;

    for (unsigned i = 0; i < users; i++) {
        const struct claims *c = &space(&user[i])->claims;
        uint32_t wants = words(&user[i])->wanted;
        some |= c->held < (wants < host.cpus ? wants : host.cpus) && space(&user[i])->manager->within >> n & 1;
    }
    return some;
}

static void look(uint64_t ticks)
{
    for (uint32_t n = 0; n < host.cpus; n++) {
        const struct thread *t = host_instance()->cpu[n].thread;
        if (t == NULL || t->level < SHARE_WITHIN) {
            spare += ticks;
            wrong += lacks(n) ? ticks : 0;
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
    threads.id = 0;
    played = upcalls_on;
}

// What each processor gives to a kernel, in percent, is in `ran`; the first kernel sleeps.
static void run_seconds(uint64_t seconds)
{
    assert_int_equal(call(SYS_wait, 0, 0, 0, NULL), -1);
    run_until(host.clock + SECOND / 4);
    memset(ran, 0, sizeof(ran));
    upcalls = wrong = spare = 0;
    passed = look;
    run_until(host.clock + seconds * SECOND);
    passed = NULL;
    for (uint32_t k = 0; k < KERNELS; k++) {
        for (uint32_t i = 0; i < CPUS; i++) {
            ran[k][i] /= seconds;
        }
    }
    uint64_t slices = seconds * SECOND / SLICE;
    printf("%.2f upcalls a slice; %lu of %lu ticks wrong\n", (double)upcalls / (double)slices, wrong, spare);
    assert_true(2 * upcalls < 3 * slices * host.cpus);
    assert_true(wrong <= seconds * SECOND / 1000);       // while a processor is on its way
}

// All want all, and shares are 100 in sum: nothing is left over.
static void all_used(uint64_t seconds)
{
    assert_true(spare <= seconds * SECOND / 1000 * host.cpus);
}

static void about(const char *what, double got, double wanted, double by)
{
    printf("%s: %.2f, wanted %.2f\n", what, got, wanted);
    assert_true(got >= wanted - by && got <= wanted + by);
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
            run_seconds(2);
            all_used(2);
            for (unsigned i = 0; i < users; i++) {
                about("of all processors", all_of(user[i].kernel), share[m][i], 0.5);
            }
            end();
        }
    }
}

// The processors have shares of their own: so much of each, however the claims move.  Where each has a processor for
// itself as long as it is within its share there, it makes up for that on the other one afterwards.
static void each_its_own(void **state)
{
    static const struct {
        uint32_t cpus, wanted;
        uint8_t share[2][CPUS];
    } m[] = {
        {2, 2, {{50, 0}, {50, 100}}},
        {2, 2, {{10, 90}, {90, 10}}}, {2, 1, {{10, 90}, {90, 10}}}, {2, 2, {{3, 97}, {97, 3}}},
        {4, 4, {{10, 50, 0, 100}, {90, 50, 100, 0}}}, {4, 4, {{25, 25, 50, 50}, {75, 75, 50, 50}}},
        {4, 4, {{10, 90, 10, 90}, {90, 10, 90, 10}}}, {4, 4, {{10, 20, 30, 40}, {90, 80, 70, 60}}},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
        begin(m[i].cpus);
        add(m[i].share[0], m[i].wanted);
        add(m[i].share[1], m[i].wanted);
        run_seconds(8);
        all_used(8);
        for (unsigned j = 0; j < 2 * host.cpus; j++) {
            about("of each processor", percent(user[j % 2].kernel, j / 2), m[i].share[j % 2][j / 2], 0.5);
        }
        end();
    }
}

// One kind is limited by the other.
static void with_threads(void **state)
{
    (void)state;
    for (uint32_t cpus = 1; cpus <= CPUS; cpus *= 2) {
        for (uint8_t share = 25; share <= 75; share += 25) {
            begin(cpus);
            threads = load_even(100 - share);
            for (unsigned i = 0; i < 6; i++) {
                start(threads, MIDDLE, 0);
            }
            add_even(share, cpus);
            run_seconds(2);
            all_used(2);
            about("threads", all_of(threads), 100.0 - share, 0.5);
            about("activations", all_of(user[0].kernel), share, 0.5);
            end();
        }
    }
}

// One wants one processor only, and has it as long as it is within its share on any; nobody waits for it.
static void wants_one(void **state)
{
    (void)state;
    for (uint32_t cpus = 2; cpus <= CPUS; cpus *= 2) {
        uint8_t share = 50 / (uint8_t)cpus;
        begin(cpus);
        add_even(share, 1);
        add_even(100, cpus);
        run_seconds(2);
        about("all that it may", all_of(user[0].kernel) * cpus, share * cpus, 1);
        about("the rest", all_of(user[1].kernel), 100 - share, 0.5);
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
        about("all", all_of(user[0].kernel), 100, 0.5);
        words(&user[1])->wanted = cpus;
        wake();
        run_seconds(1);
        about("back", all_of(user[0].kernel), 25, 1);
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
