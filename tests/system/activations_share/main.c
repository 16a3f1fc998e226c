// main.c - one of two kernels with a space of activations that wants all processors; their shares come to 100 percent.
//
// First both run; then the space of the larger kernel is away; then it is back, and looks how long the other one has
// to wait.  The two agree on the times without a word.
#include "../activations/party.h"

enum { MIDDLE = 16, PHASES = 3 };               // at the middle priority a tick costs a tick

// Moments in slices.
static const uint64_t begins[PHASES] = {100, 360, 520}, ends[PHASES] = {320, 440, 740};
static const uint64_t away = 330, back = 450, all_done = 790;

static struct party party;
static uint64_t start;

static uint64_t at(uint64_t slices)
{
    return start + slices * machine->slice;
}

static void sleep_until(uint64_t time)
{
    for (; now() < time; sleep_for(machine->slice)) {
        party_keep(&party);
    }
}

static const volatile struct kernel_usage *usage(uint32_t kernel, uint32_t cpu)
{
    const volatile struct kernel_usage *u = window(info->system + SYSTEM_USAGE_PAGE * ABI_PAGE);

    return &u[kernel * machine->cpus + cpu];
}

// The descriptor of the kernel with this share.
static uint32_t kernel_with(uint32_t share)
{
    uint32_t i = 0;

    while (i < machine->kernels && usage(i, 0)->share != share) {
        i++;
    }
    return i;
}

static uint64_t spare(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < machine->cpus; i++) {
        sum += usage(OID_SLOT(info->kernel), i)->spare;
    }
    return sum;
}

// Until a phase ends; what the program has in it, in percent of all processors.  *idle: of that, what was nobody's.
static uint64_t measure(unsigned phase, uint64_t *idle)
{
    sleep_until(at(begins[phase]));
    uint64_t ran = party_ran(&party), free = spare(), since = now();
    sleep_until(at(ends[phase]));
    uint64_t all = (now() - since) * machine->cpus;
    *idle = (spare() - free) * 100 / all;
    return (party_ran(&party) - ran) * 100 / all;
}

static void expect(const char *name, uint64_t got, uint64_t wanted)
{
    check(got * 10 + 10 >= wanted * 9 && got * 10 <= wanted * 11 + 10, name, "%lu percent, not %lu",
          (unsigned long)got, (unsigned long)wanted);
}

// How often the other kernel was over its share on processor 0, for how long at most, and what ran of it then.
static void watch(uint32_t kernel, uint64_t until)
{
    uint64_t since = 0, longest = 0, most = 0, begun = 0, times = 0;

    for (; now() < until; sleep_for(machine->slice / 2)) {
        bool over = usage(kernel, 0)->over;
        uint64_t ran = usage(kernel, 0)->ran;
        if (over && since == 0) {
            since = now();
            begun = ran;
            times++;
        } else if (over) {
            longest = now() - since > longest ? now() - since : longest;
            most = ran - begun > most ? ran - begun : most;
        } else {
            since = 0;
        }
    }
    longest /= machine->slice;
    check(times >= 2 && longest >= 5 && longest <= 12, "who is over its share is back in the next period",
          "%lu times, %lu slices", (unsigned long)times, (unsigned long)longest);
    check(most < machine->slice, "and does not run until then", "for %lu ticks", (unsigned long)most);
}

static void smaller(uint64_t share)
{
    uint64_t idle;

    expect("its share, while somebody else wants all", measure(0, &idle), share);
    expect("and no idle time", idle, 0);
    expect("all, while nobody else is there", measure(1, &idle), 100);
    expect("what is beyond its share is idle time", idle, 100 - share);
    expect("its share again", measure(2, &idle), share);
}

static void larger(uint64_t share)
{
    uint64_t idle;

    expect("its share", measure(0, &idle), share);
    sleep_until(at(away));
    party_end(&party);
    while (now() < at(back)) {
        sleep_for(machine->slice);
    }
    party_make(&party, MIDDLE, WELL_BEHAVED, machine->cpus);
    party_keep(&party);
    expect("its share, when it is back", measure(2, &idle), share);
    watch(kernel_with(100 - (uint32_t)share), at(all_done));
}

unsigned test_main(void)
{
    uint64_t share = usage(OID_SLOT(info->kernel), 0)->share;

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    (void)EVENTUALLY(stats->loads[OBJECT_KERNEL] >= 3);
    start = now();
    party_make(&party, MIDDLE, WELL_BEHAVED, machine->cpus);
    party_keep(&party);
    if (share < 50) {
        smaller(share);
    } else {
        larger(share);
    }
    while (now() < at(all_done)) {
        sleep_for(machine->slice);
    }
    (void)party_steps(&party);
    CHECK(party_shared(&party)->wrong == 0, "each context goes on once");
    party_end(&party);
    sleep_for(30 * machine->slice);      // who is over its share is slow to end
    return failures();
}
