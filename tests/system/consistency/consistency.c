// consistency.c - consistency faults in the booted machine.
//
// A small distributed shared memory: each node is a space with a frame of its own for the shared page.  One node holds
// the page; the others' mappings are remote.  A node that touches it faults, and its handler takes the page: it makes
// the holder's mapping remote, copies the contents, and loads its own mapping again, in place.  The programs add with
// an instruction that is not locked, so an addition is lost as soon as two of them can write at once.
//
// With "lost" in its arguments (tests/command/lost.sh) memory fails: the line "# lose CPU ADDRESS USED" asks whoever
// runs the machine for a machine check.
#include "../harness.h"

enum { DATA = 0x500000, NODES = 3, ADDITIONS = 100, MOVES = 500, PRIORITY = 5 };
enum { REMOTE = FAULT_PRESENT | FAULT_CONSISTENCY };

struct node {
    struct test_thread thread;           // first
    struct test_space  space;
    pa_t text, frame;
    volatile uint64_t rounds;            // each is so many additions
    volatile bool done;
};

static struct node node[NODES];
static struct node *volatile holder;
static uint32_t moving;                  // a spin lock: of `holder` and the mappings of the page
static volatile uint64_t moves, strange;

static void node_make(struct node *n, const char *begin, const char *end)
{
    memset(n, 0, sizeof(*n));
    check_error(space_open(&n->space, TRAP_NATIVE, 0), ERR_OK, "a space");
    n->text = program_put(&n->space, begin, end);
    n->frame = page_take();
    thread_make(&n->thread, &n->space);
    n->thread.desc.priority = PRIORITY;
    n->thread.state->frame[0].rdi = DATA;
}

static void node_free(struct node *n)
{
    thread_free(&n->thread);
    space_close(&n->space);
    page_give(n->text);
    page_give(n->frame);
}

static err_t node_map(struct node *n, uint64_t flags)
{
    return map_page(&n->space, DATA, n->frame, MAP_WRITE | flags);
}

// ---- a page that goes to and fro ----------------------------------------------------------------------------

static void take_page(struct test_thread *t, unsigned depth)
{
    struct node *n = (struct node *)t;
    const struct frame *f = &t->state->frame[depth];

    strange += depth != 0 || f->addr != DATA || (f->error & ~(uint64_t)FAULT_WRITE) != REMOTE;
    while (__atomic_exchange_n(&moving, 1, __ATOMIC_ACQUIRE)) {
        (void)sys_yield();
    }
    strange += holder == n;
    strange += node_map(holder, MAP_REMOTE) != ERR_OK;       // from here on it cannot write
    memcpy(window(n->frame), window(holder->frame), ABI_PAGE);
    holder = n;
    moves++;
    strange += node_map(n, 0) != ERR_OK;
    __atomic_store_n(&moving, 0, __ATOMIC_RELEASE);
    thread_return(t);
}

static void node_done(struct test_thread *t, unsigned depth)
{
    struct node *n = (struct node *)t;

    n->rounds++;
    if (moves < MOVES) {                 // the others have not been there enough
        thread_return(t);
    }
    n->done = true;
    thread_end(t->state->frame[depth].rax);
}

static bool all_done(uint64_t *added)
{
    bool done = true;

    *added = 0;
    for (unsigned i = 0; i < NODES; i++) {
        *added += node[i].rounds * ADDITIONS;
        done = done && node[i].done && !thread_loaded(&node[i].thread);
    }
    return done;
}

static void to_and_fro(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        node_make(&node[i], PROGRAM(add));
        node[i].thread.on_fault = take_page;
        node[i].thread.on_trap = node_done;
        node[i].thread.state->frame[0].rsi = ADDITIONS;
        check_error(node_map(&node[i], i == 0 ? 0 : MAP_REMOTE), ERR_OK, "the page of a node");
    }
    holder = &node[0];
    for (unsigned i = 0; i < NODES; i++) {
        check_error(thread_start(&node[i].thread), ERR_OK, "a node");
    }
    uint64_t added;
    bool ended = EVENTUALLY(all_done(&added));
    uint64_t sum = *(uint64_t *)window(holder->frame);
    check(ended && sum == added, "every addition of every node is in the page", "ended %d, %lu of %lu", ended,
          (unsigned long)sum, (unsigned long)added);
    check(strange == 0, "only by consistency faults, each of a node without it", "%lu were not",
          (unsigned long)strange);
    note("moved %lu times in %lu additions", (unsigned long)moves, (unsigned long)added);
    for (unsigned i = 0; i < NODES; i++) {
        node_free(&node[i]);
    }
}

// ---- memory that fails --------------------------------------------------------------------------------------

static volatile uint64_t lost_error, lost_addr;
static pa_t spare;                       // what the program gets instead

static uint8_t states_of(pa_t frame)
{
    return ((volatile uint8_t *)window(info->frame_states))[frame / ABI_PAGE - info->first_frame];
}

static uint64_t counted(pa_t frame)
{
    return *(volatile uint64_t *)window(frame);
}

static void replace_page(struct test_thread *t, unsigned depth)
{
    struct node *n = (struct node *)t;

    lost_error = t->state->frame[depth].error & ~(uint64_t)FAULT_WRITE;    // an addition reads first, or not
    lost_addr = t->state->frame[depth].addr;
    strange += map_page(&n->space, DATA, spare, MAP_WRITE) != ERR_OK;
    thread_return(t);
}

static bool moves_on(pa_t frame)
{
    uint64_t before = counted(frame);
    return EVENTUALLY(counted(frame) > before + 100);
}

// The memory that a program counts in fails while it runs.  It is told and goes on elsewhere; another notices nothing.
static void lost_in_use(void)
{
    unsigned cpu = machine->cpus - 1;

    for (unsigned i = 0; i < 2; i++) {
        node_make(&node[i], PROGRAM(count));
        node[i].thread.on_fault = replace_page;
        check_error(node_map(&node[i], 0), ERR_OK, "a page to count in");
    }
    node[0].thread.desc.affinity = 1ull << cpu;
    node[1].thread.desc.affinity = 1;
    spare = page_take();
    check_error(thread_start(&node[0].thread), ERR_OK, "a program");
    check_error(thread_start(&node[1].thread), ERR_OK, "another one");
    check(moves_on(node[0].frame) && moves_on(node[1].frame), "both count", "one stands still");
    check(!(states_of(node[0].frame) & FRAME_LOST), "the frame is good", "it is lost");
    note("lose %u %lx %u", cpu, (unsigned long)node[0].frame, cpu != 0);
    bool told = EVENTUALLY(lost_error != 0);
    check(told && lost_error == (REMOTE | FAULT_LOST) && lost_addr == DATA,
          "the program's access is a consistency fault", "told %d, error %lx, address %lx", told,
          (unsigned long)lost_error, (unsigned long)lost_addr);
    check(states_of(node[0].frame) & FRAME_LOST, "the frame-state table says so", "%x", states_of(node[0].frame));
    check(moves_on(spare), "with another frame it goes on", "it stands still");
    check(moves_on(node[1].frame) && node[1].thread.faults == 0, "the other one has noticed nothing", "%lu faults",
          (unsigned long)node[1].thread.faults);
    for (unsigned i = 0; i < 2; i++) {
        (void)sys_thread_unload(node[i].thread.id, 0);
        (void)EVENTUALLY(!thread_loaded(&node[i].thread));
    }
    node_free(&node[1]);
}

// The same while nothing runs: the supervisor halts, and hears of it there.
static void lost_in_the_halt(void)
{
    struct node *n = &node[1];

    node_make(n, PROGRAM(count));
    n->thread.on_fault = replace_page;
    check_error(node_map(n, 0), ERR_OK, "a page that nobody touches");
    note("lose 0 %lx 0", (unsigned long)n->frame);
    check(EVENTUALLY(states_of(n->frame) & FRAME_LOST), "noticed by a processor that was idle, or in the supervisor",
          "it is not");
    lost_error = 0;
    check_error(thread_start(&n->thread), ERR_OK, "now it is touched");
    check(EVENTUALLY(lost_error == (REMOTE | FAULT_LOST)), "and is a consistency fault", "error %lx",
          (unsigned long)lost_error);
    (void)sys_thread_unload(n->thread.id, 0);
    (void)EVENTUALLY(!thread_loaded(&n->thread));
    check(strange == 0, "other frames could be mapped", "%lu could not", (unsigned long)strange);
}

// ---- all of it ----------------------------------------------------------------------------------------------

static bool asked_for(const char *word)
{
    size_t length = strlen(word);

    for (const char *at = info->args; *at != '\0'; at++) {
        if (strncmp(at, word, length) == 0) {
            return true;
        }
    }
    return false;
}

unsigned test_main(void)
{
    struct counts before = counts_now();

    if (asked_for("lost")) {
        lost_in_use();
        lost_in_the_halt();
    } else {
        to_and_fro();
        counts_check(&before, "nothing is left behind");
    }
    if (asked_for("fatal")) {
        note("lose 0 0 2");
        sleep_for(milliseconds(20000));
        check(false, "an error without an address is the end", "it is not");
    }
    return failures();
}
