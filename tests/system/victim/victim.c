// victim.c - a content kernel: it has a space, threads and mappings, and checks that nobody touches them.
//
// The supervisor may write them back, when others need room; then it loads them again, as a good kernel does.
#include "../harness.h"

enum { DATA = 0x500000, THREADS = 2, PAGES = 8, ROUNDS = 60 };

static struct test_space space;
static struct test_thread thread[THREADS];
static pa_t text, data, kept[PAGES];
static unsigned touched; // things that nobody but the supervisor may do, and it did not say so

// Mappings may go at any time: the thread that misses one loads it.
static void load_again(struct test_thread *t, unsigned depth)
{
    const struct frame *f = &t->state->frame[depth];

    if (depth == 0 && f->addr - DATA < ABI_PAGE) {
        (void)sys_mapping_load_and_resume(space.id, DATA, data, MAP_READ | MAP_WRITE);
    } else if (depth == 0 && f->addr - TEXT < ABI_PAGE) {
        (void)sys_mapping_load_and_resume(space.id, TEXT, text, MAP_READ | MAP_EXEC);
    }
    thread_end(3000);                    // its space has gone in between; it starts again from here
}

static void look_after(struct test_thread *t)
{
    if (!space.place->loaded) {
        touched += space.place->reason != REASON_EVICTED;
        (void)space_open(&space, TRAP_FORWARD, 0);
    }
    if (!thread_loaded(t)) {
        bool lost = t->state->reason == REASON_EXITED && t->state->value == 3000;
        touched += t->state->reason != REASON_EVICTED && !lost;
        t->state->depth = lost ? 0 : t->state->depth;
        (void)thread_start(t);
    }
}

static void set_up(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "victim: a space");
    text = page_take();
    memcpy(window(text), program_count, (size_t)(program_count_end - program_count));
    data = page_take();
    for (unsigned i = 0; i < PAGES; i++) {
        kept[i] = page_take();
        memset(window(kept[i]), 0x5a, ABI_PAGE);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        thread_make(&thread[i], &space);
        thread[i].on_fault = load_again;
        thread[i].state->frame[0].rdi = DATA + 64 * i;
        look_after(&thread[i]);
    }
    touched = 0;
}

unsigned test_main(void)
{
    volatile uint64_t *counter;
    uint64_t last[THREADS] = {0}, back = 0, changed = 0;

    set_up();
    counter = window(data);
    for (unsigned round = 0; round < ROUNDS; round++) {
        sleep_for(4 * machine->slice);
        for (unsigned i = 0; i < THREADS; i++) {
            look_after(&thread[i]);
            back += counter[8 * i] < last[i];
            last[i] = counter[8 * i];
        }
        for (unsigned i = 0; i < PAGES; i++) {
            const uint8_t *p = window(kept[i]);
            for (unsigned b = 0; b < ABI_PAGE; b++) {
                changed += p[b] != 0x5a;
            }
        }
    }
    check(touched == 0, "victim: nobody unloaded what is its own", "%u times", touched);
    check(changed == 0 && back == 0, "victim: its memory is as it was", "%lu changes",
          (unsigned long)(changed + back));
    check(last[0] > 0 && last[1] > 0, "victim: its threads made progress", "%lu and %lu",
          (unsigned long)last[0], (unsigned long)last[1]);
    for (unsigned i = 0; i < THREADS; i++) {
        thread_free(&thread[i]);
    }
    space_close(&space);
    return failures();
}
