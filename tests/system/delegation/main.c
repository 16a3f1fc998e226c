// main.c - a server that decides about processors: it is asked, hangs, lies, goes away; booted as the first kernel.
// test: first=delegation smp=1,2,4 cache=default,small,tiny icount=yes slice=500 timeout=150
//
// Two spaces want all processors. What an honest server says they get: three quarters and one quarter. When it does not
// answer, or says what cannot be, they share alike, until it is right again.
#include <abi/allocation.h>

#include "../activations/party.h"

enum { PRIORITY = 5, PARTIES = 2, SLICES = 64, ANSWER_PLACE = PLACE_END + 1, QUESTION_PLACE };
enum manner { HONEST, SILENT, LYING, MIXED };        // of the server

static struct party party[PARTIES];
static volatile struct allocation_answer *const answer = (struct allocation_answer *)DEVICE_PLACE(ANSWER_PLACE);
static volatile const struct allocation_question *const question =
    (const struct allocation_question *)DEVICE_PLACE(QUESTION_PLACE);
static unsigned parties = PARTIES;                   // that there are
static uint64_t answered, turn, seed, sent[2];       // answers that were good, and not

static uint32_t below(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

// ---- the server -------------------------------------------------------------------------------------------------

static err_t send(uint64_t number)
{
    uint64_t receivers;

    answer->number = number;
    err_t e = sys_signal_at((va_t)answer, &receivers);
    if (number > ALLOCATION_BEGIN) {
        sent[e != ERR_OK]++;
    }
    return e;
}

static void attach(void)
{
    pa_t page = allocation_page(machine->devices);

    check_error(sys_mapping_load_signal(info->space, (va_t)question, page + ABI_PAGE, MAP_READ | MAP_LOCKED,
                                        info->thread), ERR_OK, "the question's page");
    check_error(sys_mapping_load(info->space, (va_t)answer, page, MAP_WRITE | MAP_MESSAGE | MAP_LOCKED), ERR_OK,
                "the answer's page");
}

static void detach(void)
{
    uint64_t n;

    check_error(sys_mapping_unload(info->space, (va_t)answer, 2 * ABI_PAGE, &n), ERR_OK, "its pages are unmapped");
}

// Three quarters of all processors are the first space's, over four answers.
static void fill(void)
{
    uint32_t all = machine->cpus, left = all, n = question->count;
    uint32_t first = (uint32_t)((turn + 1) * 3 * all / 4 - turn * 3 * all / 4);

    answer->count = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t wants = question->claimant[i].wants, gets = i == 0 && n > 1 ? first : left;
        gets = gets < wants ? gets : wants;
        answer->claimant[i].space = question->claimant[i].space;
        answer->claimant[i].processors = gets;
        left -= gets;
    }
    turn++;
}

static void spoil(void)
{
    uint32_t i = below(question->count + 1) % ALLOCATION_CLAIMANTS;

    switch (below(6)) {
    case 0:  answer->claimant[i].processors += 1 + below(5); break;
    case 1:  answer->claimant[i].processors = below(2) ? UINT32_MAX : 1u << 31; break;
    case 2:  answer->claimant[i].processors = 0; break;
    case 3:  answer->claimant[i].space += (uint64_t)below(3) << (below(2) ? 0 : 40); break;
    case 4:  answer->count = below(2) ? UINT32_MAX : below(70); break;
    default: answer->claimant[0].space = answer->claimant[1].space; break;
    }
}

static void serve(enum manner manner)
{
    uint64_t number = manner == SILENT ? 0 : question->number;

    if (number == answered || number == 0) {
        return;
    }
    fill();
    answered = number;
    if (manner == LYING) {
        answer->claimant[0].processors += machine->cpus;
    } else if (manner == MIXED && below(2) == 0) {
        spoil();
    }
    (void)send(manner == MIXED && below(8) == 0 ? number - below(5) : number);
}

static void keep_all(void)
{
    struct channel *c = window(info->channel);

    c->tail = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < parties; i++) {
        party_keep(&party[i]);
    }
}

static void serve_for(uint64_t ticks, enum manner manner)
{
    uint64_t until = now() + ticks;

    while (now() < until) {
        serve(manner);
        (void)sys_wait(until);
    }
}

// ---- shares -------------------------------------------------------------------------------------------------------

// Does each get its part of the processors' time, in percent of one?  Instructions are counted, so no time is lost.
static void measure(uint32_t first, uint32_t second, enum manner manner, const char *name)
{
    const uint32_t percent[PARTIES] = {first, second};
    uint64_t ran[PARTIES], got[PARTIES], begin;
    bool good = true;

    serve_for(2 * ALLOCATION_AGAIN * machine->slice, manner);
    begin = now();
    for (unsigned i = 0; i < PARTIES; i++) {
        ran[i] = party_ran(&party[i]);
    }
    serve_for(SLICES * machine->slice, manner);
    for (unsigned i = 0; i < PARTIES; i++) {
        got[i] = (party_ran(&party[i]) - ran[i]) * 100 / (now() - begin);
        good = good && got[i] * 10 >= percent[i] * 9 && got[i] * 10 <= percent[i] * 11;
        (void)party_steps(&party[i]);
    }
    check(good, name, "of one processor in percent %lu %lu", (unsigned long)got[0], (unsigned long)got[1]);
}

// From one question to the end of the supervisor's patience.
static void hangs(void)
{
    serve_for(ALLOCATION_AGAIN * machine->slice, HONEST);
    serve(HONEST);
    uint64_t number = question->number, late = question->late;
    CHECK(EVENTUALLY(question->number > number + 1), "it is asked again");
    uint64_t asked = question->asked, patience = ALLOCATION_PATIENCE * machine->slice;
    CHECK(EVENTUALLY(question->late > late), "the supervisor does not wait for ever");
    uint64_t waited = now() - asked;
    check(waited >= patience && waited <= patience + 3 * machine->slice, "as soon as it says",
          "%lu hundredths of a slice", (unsigned long)(waited * 100 / machine->slice));
}

static void begin(void)
{
    for (unsigned i = 0; i < parties; i++) {
        party_make(&party[i], PRIORITY, WELL_BEHAVED, machine->cpus);
    }
    keep_all();
}

static void end(void)
{
    for (unsigned i = 0; i < parties; i++) {
        party_end(&party[i]);
    }
}

static void test_shares_of_server(void)
{
    uint32_t all = machine->cpus * 100, quarter = machine->cpus * 25;

    begin();
    attach();
    measure(all / 2, all / 2, SILENT, "nobody has taken over");
    CHECK(question->number == 0, "and nobody is asked");
    check_error(send(ALLOCATION_BEGIN), ERR_OK, "it takes over");
    measure(3 * quarter, quarter, HONEST, "what the server says");
    check(question->answers == sent[0] && question->refused == sent[1], "answers are counted", "%lu %lu",
          (unsigned long)question->answers, (unsigned long)question->refused);
    hangs();
    measure(all / 2, all / 2, SILENT, "it does not answer");
    measure(3 * quarter, quarter, HONEST, "it answers again");
    measure(all / 2, all / 2, LYING, "it says too much");
    CHECK(question->refused == sent[1] && sent[1] > 0, "which is refused and counted");
    measure(3 * quarter, quarter, HONEST, "it answers right");
    check_error(send(ALLOCATION_END), ERR_OK, "it gives the decision back");
    answered = question->number;
    measure(all / 2, all / 2, HONEST, "it has");
    CHECK(question->number == answered, "and is not asked any more");
    check_error(send(answered), ERR_INVAL, "an answer that nobody asked for");
    check_error(send(ALLOCATION_BEGIN), ERR_OK, "it takes over again");
    measure(3 * quarter, quarter, HONEST, "so it decides");
    detach();
    measure(all / 2, all / 2, SILENT, "it has gone");
    end();
}

// Descriptors may be too few for all: what was loaded has some time before something else is loaded in its place.
static bool goes_on(const struct party *p, uint64_t steps)
{
    for (uint64_t until = now() + milliseconds(20000); now() < until && party_steps(p) <= steps;) {
        keep_all();
        sleep_for(2 * machine->slice);
    }
    return party_steps(p) > steps;
}

// Whatever it says, and whoever comes and goes, nobody suffers but by a good answer.
static void test_lies(void)
{
    uint64_t until = now() + milliseconds(2000), steps[PARTIES];

    parties = machine->threads >= 16 ? PARTIES : 1;
    begin();
    attach();
    check_error(send(ALLOCATION_BEGIN), ERR_OK, "it takes over");
    sent[0] = question->answers;
    sent[1] = question->refused;
    for (unsigned i = 0; i < 300 && now() < until; i++) {
        serve_for(below((uint32_t)machine->slice), below(8) == 0 ? SILENT : MIXED);
        if (below(16) == 0) {
            (void)send(below(2));
        }
        if (below(8) == 0) {
            (void)sys_space_unload(party[below(parties)].space.id);
        }
        party_user(&party[below(parties)])->wanted = 1 + below(machine->cpus + 1);
        keep_all();
    }
    check(question->answers == sent[0] && question->refused == sent[1], "each answer is counted",
          "%lu %lu, not %lu %lu", (unsigned long)question->answers, (unsigned long)question->refused,
          (unsigned long)sent[0], (unsigned long)sent[1]);
    note("%lu good, %lu refused, %lu too late", (unsigned long)question->answers, (unsigned long)question->refused,
         (unsigned long)question->late);
    for (unsigned i = 0; i < parties; i++) {
        steps[i] = party_steps(&party[i]);
    }
    check_error(send(ALLOCATION_END), ERR_OK, "it gives the decision back");
    for (unsigned i = 0; i < parties; i++) {
        CHECK(goes_on(&party[i], steps[i]), "each goes on");
    }
    detach();
    end();
}

unsigned test_main(void)
{
    seed = now();
    note("seed 0x%lx", (unsigned long)seed);
    check_error(sys_listen(info->thread), ERR_OK, "listen");
    if (machine->threads >= 64) {        // else what is measured is loading them again and again
        test_shares_of_server();
    }
    test_lies();
    return failures();
}
