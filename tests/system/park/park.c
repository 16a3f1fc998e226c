// park.c - a million threads at rest.
//
// Each has run, waits for a message, and is parked: a record of a few hundred bytes in the memory of this kernel, which
// is all there is of it.  Its mailbox is a word of a message page, whose signals go to the first thread (the owner): it
// redirects them before anybody is unloaded.  Another thread sends messages to members at random; for each the owner
// puts the record back into a state page, queues the address that it got there, loads the thread, and parks it again
// when it has answered.  The answer shows whether all its registers are as they were.
#include "../harness.h"

#include <park.h>

enum {
    MEMBERS = 1000000, SAMPLE = 20000, BATCH = 32, WAITING = 48,     // the last: messages that are not answered yet
    BOXES = ABI_PAGE / 8, PAGES = (MEMBERS + BOXES - 1) / BOXES,
    OWNER_PRIORITY = 8, SENDER_PRIORITY = 9, MEMBER_PRIORITY = 10,
    STEP = 16,                           // records are in places of a multiple of this
};
#define MESSAGE (1ull << 63)
static const va_t out_at = 0x200000000000, in_at = 0x210000000000;

struct slot {                            // a state page that a member runs in
    struct test_thread thread;           // first: the cookie
    uint32_t member;
    uint64_t message;
};

static struct slot slot[BATCH];
static unsigned slots;
static uint32_t members;                 // MEMBERS; fewer where each load crosses processors
static uint32_t *record_of;              // of each member, in units of 8 bytes from the beginning of the memory
static uint16_t *answers_of;             // how often it has answered
static pa_t boxes;                       // PAGES message pages
static uint64_t wrong, woken, used, seed;
static struct test_thread sender;
void member_begin(void);

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 31) * 0x7fb5d329728ea185ull;
    return v ^ v >> 27;
}

// ---- memory of the records ----------------------------------------------------------------------------------

static uint32_t free_place[AK_PARK_MOST / STEP + 1];     // the first free place of each size; 0: none
static pa_t  place_next, place_end;

static void *place_of(uint32_t place)
{
    return window(info->range[0].base + (pa_t)place * 8);
}

static uint32_t place_take(size_t size)
{
    size_t class = (size + STEP - 1) / STEP;
    uint32_t place = free_place[class];

    if (place != 0) {
        free_place[class] = *(uint32_t *)place_of(place);
        return place;
    }
    if (place_end - place_next < class * STEP) {
        place_next = page_take();        // the end of the last page is left
        place_end = place_next + ABI_PAGE;
        used += ABI_PAGE;
    }
    place = (uint32_t)((place_next - info->range[0].base) / 8);
    place_next += class * STEP;
    return place;
}

static void place_give(uint32_t place, size_t size)
{
    size_t class = (size + STEP - 1) / STEP;

    *(uint32_t *)place_of(place) = free_place[class];
    free_place[class] = place;
}

// Adjacent pages: nothing has been given back yet.
static pa_t pages_take(size_t bytes)
{
    pa_t first = page_take();

    for (size_t n = ABI_PAGE; n < bytes; n += ABI_PAGE) {
        (void)page_take();
    }
    used += bytes;
    return first;
}

// ---- members ------------------------------------------------------------------------------------------------

static volatile uint64_t *box_of(uint32_t member)
{
    return (volatile uint64_t *)window(boxes) + member;
}

// The registers of a member, in the order in which it adds them up; R13, R15 and the last three are not chosen freely.
static uint64_t answer_to(uint64_t message, uint32_t member, uint64_t answers)
{
    uint64_t r = mix(seed + member), sum = message;
    const uint64_t word[] = {r, r ^ 1, r ^ 2, r >> 18, r ^ 3, r ^ 4, r ^ 5, r ^ 6, ABI_WINDOW + boxes - in_at, r ^ 7,
                             answers, r >> 17 & ~0xfffull, r, r};

    for (unsigned i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
        sum = sum * 0x01000193 + word[i];
    }
    return sum & ~MESSAGE;
}

static void member_create(struct slot *s, uint32_t member)
{
    struct thread_state *state = s->thread.state;
    struct frame *f = &state->frame[0];
    uint64_t r = mix(seed + member);

    memset(state, 0, sizeof(*state));
    state->fs_base = r >> 17 & ~0xfffull;
    *f = (struct frame){
        .rbx = r, .rbp = r ^ 1, .rsi = r ^ 2, .rsp = r >> 18, .r8 = r ^ 3, .r9 = r ^ 4, .r10 = r ^ 5, .r12 = r ^ 6,
        .r13 = ABI_WINDOW + boxes - in_at, .r14 = r ^ 7, .rip = (uint64_t)member_begin, .rflags = 0x202,
        .rdx = in_at + 8 * (va_t)member,
    };
    s->member = member;
    s->message = *box_of(member) = mix(r) | MESSAGE;
}

// ---- running them -------------------------------------------------------------------------------------------

// It goes on, whatever it was doing when it was unloaded; and again if it is replaced before it has answered.
static void slot_load(struct slot *s)
{
    s->thread.desc.flags = LOAD_SIGNALED;
    while (sys_thread_load(&s->thread.desc, &s->thread.id) == ERR_AGAIN) {
        (void)sys_yield();
    }
}

static bool slot_finish(struct slot *s)
{
    uint64_t until = now() + milliseconds(20000);

    while ((*box_of(s->member) & MESSAGE) != 0) {
        if (now() > until) {
            check(false, "an answer", "member %u has none", s->member);
            return false;
        }
        if (!thread_loaded(&s->thread)) {
            slot_load(s);
        }
        __asm__ volatile("pause");
    }
    wrong += *box_of(s->member) != answer_to(s->message, s->member, answers_of[s->member]);
    answers_of[s->member]++;
    (void)sys_thread_unload(s->thread.id, 0);
    return true;
}

static void slot_park(struct slot *s)
{
    static uint64_t record[AK_PARK_MOST / 8];
    size_t size = ak_park(s->thread.state, record, sizeof(record));

    wrong += size == 0;
    uint32_t place = place_take(size);
    memcpy(place_of(place), record, size);
    __atomic_store_n(&record_of[s->member], place, __ATOMIC_RELEASE);
}

// Load n slots, and park them when they have answered.
static bool slots_run(unsigned n)
{
    bool good = true;

    for (unsigned i = 0; i < n; i++) {
        slot_load(&slot[i]);
    }
    for (unsigned i = 0; i < n && good; i++) {
        good = slot_finish(&slot[i]);
        slot_park(&slot[i]);
    }
    return good;
}

static void park_all(void)
{
    bool good = true;

    for (uint32_t i = 0; i < members && good; i += slots) {
        unsigned n = members - i < slots ? members - i : slots;
        for (unsigned k = 0; k < n; k++) {
            member_create(&slot[k], i + k);
        }
        good = slots_run(n);
    }
    check(good && wrong == 0, "all have run, and are parked", "%lu wrong", (unsigned long)wrong);
}

// ---- messages -----------------------------------------------------------------------------------------------

// Redirect a page's signals to the owner; then it can be written for signals.
static bool redirect(va_t page)
{
    return sys_mapping_load_signal(info->space, in_at + page * ABI_PAGE, boxes + page * ABI_PAGE, MAP_READ,
                                   info->thread) == ERR_OK &&
           sys_mapping_load(info->space, out_at + page * ABI_PAGE, boxes + page * ABI_PAGE, MAP_WRITE | MAP_MESSAGE) ==
               ERR_OK;
}

static void send(uint32_t member)
{
    uint64_t receivers = 0;

    *box_of(member) = mix(seed - member) | MESSAGE;
    while (sys_signal_at(out_at + 8 * (va_t)member, &receivers) != ERR_OK || receivers != 1) {
        if (!redirect(member / BOXES)) {
            (void)sys_wait(now() + machine->slice / 8);
        }
    }
}

// Members at random; one that has a message already, or has just answered one and is not parked yet, is passed over.
static _Noreturn void send_all(struct test_thread *t)
{
    uint64_t r = seed;

    (void)t;
    for (uint64_t i = 0; i < SAMPLE;) {
        r = mix(r + i + 1);
        uint32_t member = (uint32_t)(r % members);
        if ((*box_of(member) & MESSAGE) != 0 || __atomic_load_n(&record_of[member], __ATOMIC_ACQUIRE) == 0) {
            continue;
        }
        while (i - __atomic_load_n(&woken, __ATOMIC_SEQ_CST) >= WAITING) {
            (void)sys_wait(now() + machine->slice / 8);
        }
        i++;                             // from here on it may be answered
        send(member);
    }
    thread_end(0);
}

// The record of the member whose message this is goes back into a state page, with the signal that came for it.
static void slot_wake(struct slot *s, va_t va)
{
    struct thread_state *state = s->thread.state;

    s->member = (uint32_t)((va - in_at) / 8);
    s->message = mix(seed - s->member) | MESSAGE;
    place_give(record_of[s->member], ak_unpark(place_of(record_of[s->member]), state));
    record_of[s->member] = 0;
    state->signal[state->signal_head++ % SIGNAL_ENTRIES] = (struct signal_entry){va, 0};
}

static void sender_start(void)
{
    thread_make(&sender, NULL);
    sender.desc.priority = SENDER_PRIORITY;
    struct frame *f = &sender.state->frame[0];
    f->rip = (uint64_t)send_all;
    f->rsp = ABI_WINDOW + page_take() + ABI_PAGE - 8;
    f->rflags = 0x202;
    check_error(thread_start(&sender), ERR_OK, "a sender");
}

static void wake_some(void)
{
    uint64_t until = now() + milliseconds(60000), twice = 0;

    sender_start();
    while (woken < SAMPLE && now() < until) {
        unsigned n = 0;
        va_t va = 0;
        do {
            (void)sys_wait_signal(now() + (n > 0 ? 0 : machine->slice), &va);
            if (va >= in_at && va < in_at + 8ull * members) {
                twice += record_of[(va - in_at) / 8] == 0;
                slot_wake(&slot[n++], va);
            }
        } while (va != 0 && n < slots && twice == 0);
        if (!slots_run(n)) {
            break;
        }
        __atomic_add_fetch(&woken, n, __ATOMIC_SEQ_CST);
        if (!thread_loaded(&sender) && sender.state->reason == REASON_EVICTED) {
            sender.desc.flags = LOAD_SIGNALED;
            (void)sys_thread_load(&sender.desc, &sender.id);
        }
    }
    check(woken == SAMPLE && wrong == 0 && twice == 0, "those who got a message went on with their registers",
          "%lu of %u, %lu wrong, %lu twice", (unsigned long)woken, (unsigned)SAMPLE, (unsigned long)wrong,
          (unsigned long)twice);
    (void)EVENTUALLY(!thread_loaded(&sender));
}

// All records again, without running them: none was disturbed by what happened to the others.
static void look_at_all(void)
{
    uint64_t bad = 0, bytes = 0;

    for (uint32_t i = 0; i < members; i++) {
        struct thread_state *s = slot[0].thread.state;
        uint64_t r = mix(seed + i);
        bytes += ak_unpark(place_of(record_of[i]), s);
        bad += s->frame[0].rbx != r || s->frame[0].r14 != (r ^ 7) || s->frame[0].r15 != answers_of[i] ||
               s->fs_base != (r >> 17 & ~0xfffull) || answers_of[i] == 0;
    }
    check(bad == 0, "all records are whole", "%lu are not", (unsigned long)bad);
    note("%u threads at rest: records of %lu bytes, %lu bytes each of the owner's memory with tables and mailboxes, "
         "0 of the supervisor's; memory granted: %lu MiB", members, (unsigned long)(bytes / members),
         (unsigned long)(used / members), (unsigned long)(info->range[0].length >> 20));
}

static void set_up(void)
{
    uint32_t free = stats->free_threads;

    seed = now() | 1;
    members = machine->cpus == 1 ? MEMBERS : MEMBERS / 10;
    note("seed 0x%lx", (unsigned long)seed);
    check_error(sys_thread_priority(info->thread, OWNER_PRIORITY), ERR_OK, "a priority below the members'");
    slots = free > BATCH + 4 ? BATCH : free > 4 ? free - 4 : 1;
    for (unsigned i = 0; i < slots; i++) {
        thread_make(&slot[i].thread, NULL);
        slot[i].thread.desc.priority = MEMBER_PRIORITY;
    }
    record_of = window(pages_take(MEMBERS * sizeof(record_of[0])));
    answers_of = window(pages_take(MEMBERS * sizeof(answers_of[0])));
    boxes = pages_take((size_t)PAGES * ABI_PAGE);
}

unsigned test_main(void)
{
    struct counts before = counts_now();
    uint64_t n;

    set_up();
    park_all();
    counts_check(&before, "they hold nothing of the supervisor: free descriptors as before");
    wake_some();
    check_error(sys_mapping_unload(info->space, out_at, (uint64_t)PAGES * ABI_PAGE, &n), ERR_OK, "unload the pages");
    check_error(sys_mapping_unload(info->space, in_at, (uint64_t)PAGES * ABI_PAGE, &n), ERR_OK, "unload the pages");
    look_at_all();
    if (machine->mappings > 10000) {
        counts_check(&before, "nothing is left behind");
    }
    return failures();
}
