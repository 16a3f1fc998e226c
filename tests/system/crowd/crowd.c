// crowd.c - a thousand threads on far fewer descriptors.
//
// Their owner is the first thread.  It learns what was written back, loads again what was running then, and leaves
// alone what was waiting until somebody asks for it: whoever signals a member by an id that is stale marks it as wanted
// and signals the owner.  Nothing else remembers a member than its state page.
#include "../harness.h"

enum { MEMBERS = 1000, STEPS = 200000, ROUNDS = 3, PRIORITY = 2 };

struct member {
    struct test_thread thread;           // first: the cookie
    pa_t     stack;
    uint64_t number;
    volatile uint64_t turns, sum;
    volatile uint32_t wanted;
};

static struct member member[MEMBERS];
static volatile uint64_t token;          // whose turn it is: the member with its number modulo MEMBERS
static uint64_t written_back, refused;

static uint64_t mix(uint64_t v)
{
    v ^= v << 13;
    v ^= v >> 7;
    return v ^ v << 17;
}

// ---- members ------------------------------------------------------------------------------------------------

static uint64_t counted(uint64_t number)
{
    uint64_t v = number + 1;

    for (unsigned i = 0; i < STEPS; i++) {
        v = mix(v);
        __asm__ volatile("" : "+r"(v));  // step by step, as a program would
    }
    return v;
}

static _Noreturn void count_up(struct member *m)
{
    thread_end(counted(m->number));
}

static void wake(struct member *m)
{
    if (sys_signal(__atomic_load_n(&m->thread.id, __ATOMIC_ACQUIRE)) != ERR_OK) {
        __atomic_store_n(&m->wanted, 1, __ATOMIC_SEQ_CST);
        (void)sys_signal(*(volatile const oid_t *)&info->thread);
    }
}

static _Noreturn void pass_on(struct member *m)
{
    while (m->turns < ROUNDS) {
        uint64_t t = __atomic_load_n(&token, __ATOMIC_SEQ_CST);
        if (t % MEMBERS != m->number) {
            (void)sys_wait(0);
            continue;
        }
        m->sum += t;
        m->turns++;
        __atomic_store_n(&token, t + 1, __ATOMIC_SEQ_CST);
        wake(&member[(t + 1) % MEMBERS]);
    }
    thread_end(m->sum);
}

static void member_make(struct member *m, uint64_t number, void (*run)(struct member *m))
{
    pa_t stack = m->stack;

    memset(m, 0, sizeof(*m));
    thread_make(&m->thread, NULL);
    m->stack = stack != 0 ? stack : page_take();
    m->number = number;
    m->thread.desc.priority = PRIORITY;
    struct frame *f = &m->thread.state->frame[0];
    f->rip = (uint64_t)run;
    f->rdi = (uint64_t)m;
    f->rsp = ABI_WINDOW + m->stack + ABI_PAGE - 8;
    f->rflags = 0x202;
}

// ---- the owner ----------------------------------------------------------------------------------------------

static void read_channel(void)
{
    struct channel *c = window(info->channel);

    while (c->tail != __atomic_load_n(&c->head, __ATOMIC_ACQUIRE)) {
        const struct channel_entry *e = &c->entry[c->tail % CHANNEL_ENTRIES];
        written_back += e->type == OBJECT_THREAD && e->reason == REASON_EVICTED;
        __atomic_store_n(&c->tail, c->tail + 1, __ATOMIC_RELEASE);
    }
}

// Load m, or signal it, if there is a reason to.  False: there is no room now.
static bool attend(struct member *m)
{
    struct thread_state *s = m->thread.state;
    bool wanted = __atomic_exchange_n(&m->wanted, 0, __ATOMIC_SEQ_CST);

    if (thread_loaded(&m->thread)) {
        if (wanted && sys_signal(m->thread.id) != ERR_OK) {
            m->wanted = 1;               // it went meanwhile
        }
        return true;
    }
    if (s->reason == REASON_EXITED || (!wanted && s->reason != REASON_NONE && s->run == RUN_WAITING)) {
        return true;
    }
    oid_t id;
    m->thread.desc.flags = LOAD_SIGNALED;                // what came for it before is not lost
    err_t e = sys_thread_load(&m->thread.desc, &id);
    if (e == ERR_OK) {
        __atomic_store_n(&m->thread.id, id, __ATOMIC_RELEASE);
        return true;
    }
    refused += e != ERR_AGAIN;
    m->wanted = 1;
    return false;
}

static unsigned ended(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MEMBERS; i++) {
        n += !thread_loaded(&member[i].thread) && member[i].thread.state->reason == REASON_EXITED;
    }
    return n;
}

// Until all have ended.  It begins with another member each time, so that each is loaded in its turn.
static unsigned look_after(void)
{
    uint64_t until = now() + milliseconds(60000);
    unsigned first = 0;

    while (ended() < MEMBERS && now() < until) {
        bool room = true;
        for (unsigned i = 0; i < MEMBERS && room; i++) {
            room = attend(&member[(first + i) % MEMBERS]);
            first = room ? first : (first + i) % MEMBERS;
        }
        read_channel();
        (void)sys_wait(now() + machine->slice / 4);
    }
    return ended();
}

static void round_of(void (*run)(struct member *m), uint64_t (*expected)(uint64_t), const char *name)
{
    struct counts before = counts_now();
    uint64_t wrong = 0, loads = stats->loads[OBJECT_THREAD];

    written_back = refused = token = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        member_make(&member[i], i, run);
    }
    unsigned n = look_after();
    for (unsigned i = 0; i < MEMBERS; i++) {
        wrong += member[i].thread.state->value != expected(i);
        thread_free(&member[i].thread);
    }
    check(n == MEMBERS && wrong == 0 && refused == 0, name, "%u of %u ended, %lu with a wrong sum, %lu refused", n,
          (unsigned)MEMBERS, (unsigned long)wrong, (unsigned long)refused);
    loads = stats->loads[OBJECT_THREAD] - loads;
    check(loads >= MEMBERS && written_back > 0, "descriptors were used again", "%lu loads, %lu written back",
          (unsigned long)loads, (unsigned long)written_back);
    note("%u descriptors, %lu loads, %lu written back", machine->threads, (unsigned long)loads,
         (unsigned long)written_back);
    counts_check(&before, "free descriptors as before");
}

// The turns of a member are its number, and MEMBERS more each time.
static uint64_t turns_sum(uint64_t number)
{
    return ROUNDS * number + (uint64_t)MEMBERS * (ROUNDS * (ROUNDS - 1) / 2);
}

unsigned test_main(void)
{
    check_error(sys_listen(info->thread), ERR_OK, "listen");
    round_of(count_up, counted, "a thousand count, all at once");
    round_of(pass_on, turns_sum, "a thousand wait, and hand a token on");
    CHECK(token == (uint64_t)MEMBERS * ROUNDS, "the token was passed to each, as often as it should");
    return failures();
}
