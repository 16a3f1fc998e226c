// test_service.c - threads that sleep, wake each other, are interrupted and end, while a small cache writes
// them back.
//
// Some have a program that makes calls, or only computes until it is interrupted.  Each wake-up and each
// interrupt is counted by the test itself.  Whenever nobody can run, every thread is looked at: none has been
// woken and sleeps, none is on its way back and not loaded, no deadline is forgotten, none has ended and is
// not buried.  The cache finds by itself that a thread is loaded twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "appkernel_impl.h"
#include "fake.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p))
#endif

enum { LIVES = 150, SEEDS = 250 };

struct worker {
    struct ak_thread t;                  // poisoned when it is collected: nobody may look at it again
    unsigned refs;                       // others that are about to wake it
    unsigned sent, got;                  // wake-ups
    unsigned steps;                      // that it still makes
    bool started, running, collected;    // running: others may wake it
    bool sleeps;                         // until somebody sends
    bool has_program, computes;          // computes: its program makes no call until it is interrupted
    bool work;                           // what an interrupt asks it to see
    bool returning;                      // to its program, or in it
};

static struct worker workers[LIVES];
static struct worker *const reaper = &workers[0];
static unsigned begun, collected, together, longest;
static bool input;
static unsigned timeouts, interrupts;

static void forget(struct worker *w)
{
    if (w->collected && w->refs == 0) {
        ASAN_POISON_MEMORY_REGION(&w->t, sizeof(w->t));
    }
}

static void send(struct worker *w)
{
    w->refs++;
    if (w->running) {
        w->sent++;
        ak_wake(&w->t);
    }
    w->refs--;
    forget(w);
}

static void ask(struct worker *w)
{
    w->refs++;
    if (w->running) {
        w->work = true;
        interrupts++;
        ak_thread_interrupt(&w->t);
    }
    w->refs--;
    forget(w);
}

static void receive(struct worker *w)
{
    w->sleeps = true;
    while (w->got == w->sent) {
        FAKE_CHECK(ak_block(&w->t, 0) == ERR_OK);
    }
    w->sleeps = false;
    w->got++;
}

static void nap(struct worker *w)
{
    uint64_t deadline = ak_now() + 1 + fake_draw(3000);

    while (ak_block(&w->t, deadline) == ERR_OK) {
        if (fake_draw(4) == 0) {
            return;
        }
    }
    timeouts++;
    FAKE_CHECK(ak_now() >= deadline);
}

static struct worker *other(const struct worker *w)
{
    struct worker *o;

    do {
        o = &workers[fake_draw(begun)];
    } while (o == w);
    return o;
}

static void act(struct worker *w)
{
    uint32_t what = fake_draw(12);

    if (what < 4) {
        send(other(w));
    } else if (what < 6) {
        receive(w);
    } else if (what < 8) {
        nap(w);
    } else if (what == 8) {
        ak_pause();
    } else if (what == 9) {
        ak_thread_reload(&w->t);
    } else {
        ask(other(w));
    }
}

static _Noreturn void end(struct worker *w)
{
    w->running = false;
    ak_thread_exit(&w->t);
}

// May be begun again at any moment, as resume() is.
static _Noreturn void to_program(struct worker *w)
{
    for (;;) {
        ak_returning(&w->t);
        w->returning = true;
        if (w->work) {
            w->work = w->computes = false;
        } else {
            (void)ak_resume(&w->t);
        }
    }
}

static void resume(struct ak_thread *t)
{
    to_program((struct worker *)t);
}

static _Noreturn void handler(struct worker *w)
{
    while (w->steps-- > 0) {
        act(w);
        if (w->has_program && w->steps > 0 && fake_draw(3) == 0) {
            w->computes = fake_draw(3) == 0;
            to_program(w);
        }
    }
    end(w);
}

static void trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct worker *w = (struct worker *)cookie;

    FAKE_CHECK(s == w->t.state && depth == 0 && w->returning);
    w->returning = false;
    handler(w);
}

static bool program(uint64_t cookie)
{
    return !((struct worker *)cookie)->computes;
}

static void life(void *arg)
{
    handler(arg);
}

static void begin(struct worker *w, void (*fn)(void *))
{
    FAKE_CHECK(ak_thread_create(&w->t, 4, 0) == ERR_OK);
    w->has_program = fake_draw(2) == 0;
    w->t.resume = w->has_program ? resume : NULL;
    w->steps = 1 + fake_draw(longest);
    w->started = w->running = true;
    begun++;
    ak_thread_run(&w->t, fn, w);
}

static void collect_all(void)
{
    struct ak_thread *t;

    while ((t = ak_thread_collect()) != NULL) {
        struct worker *w = (struct worker *)t;
        FAKE_CHECK(w->started && !w->running && !w->collected);
        w->collected = true;
        collected++;
        forget(w);
    }
}

static void reap(void *arg)
{
    while (collected < LIVES - 1) {
        collect_all();
        while (begun < LIVES && begun - collected <= together) {
            begin(&workers[begun], life);
        }
        if (collected < LIVES - 1) {
            receive(arg);
        }
    }
    ak_stop(42);
    for (;;) {
        (void)ak_block(&reaper->t, 0);
    }
}

// What a device would do: everybody who waits for others goes on.
static void poll(void)
{
    if (!input) {
        return;
    }
    input = false;
    send(reaper);
    struct worker *w = &workers[fake_draw(begun)];
    for (unsigned i = 0; i < begun; i++) {
        w = w == &workers[begun - 1] ? workers : w + 1;
        if (w->running && (w->sleeps || w->computes) && w != reaper) {
            w->sleeps ? send(w) : ask(w);
            return;
        }
    }
}

// Nobody can run, and every thread that should be loaded is.
static void look_at(const struct worker *w, uint64_t next)
{
    const struct thread_state *s = w->t.state;

    if (s->loaded == 0 && w->t.dying && w->t.queued) {
        return;                                                  // buried, and not collected yet
    }
    FAKE_CHECK(!w->t.queued);
    if (s->loaded == 0) {
        FAKE_CHECK(w->running);                                  // else it would be buried
        FAKE_CHECK(s->run == RUN_WAITING && !w->t.woken);        // else it would be loaded
        FAKE_CHECK(s->deadline == 0 || (next != 0 && next <= s->deadline));
    }
    FAKE_CHECK(!w->sleeps || w->sent == w->got);
    FAKE_CHECK(!w->work || !w->returning);
}

static bool quiet(uint64_t next)
{
    bool no_room = false;

    for (unsigned i = 0; i < begun; i++) {
        no_room |= !workers[i].collected && workers[i].t.ready && !workers[i].t.dying;
    }
    for (unsigned i = 0; i < begun && !no_room; i++) {
        if (workers[i].started && !workers[i].collected) {
            look_at(&workers[i], next);
        }
    }
    FAKE_CHECK(next != 0 || !no_room);                           // else the service thread will not try again
    // More programs that only compute than there is room for: then nothing else would ever come.
    if (next == 0 || fake_draw(16) == 0) {
        input = true;
        fake_input();
    }
    return next != 0 || input;
}

int ak_main(const struct kernel_info *kernel)
{
    (void)kernel;
    begin(reaper, reap);
    reaper->has_program = false;
    reaper->t.resume = NULL;
    return ak_service(poll);
}

static bool run(uint64_t seed)
{
    struct fake_setup s = {.seed = seed, .turns = 2000000, .quiet = quiet, .program = program, .trap = trap};
    static const unsigned entries[] = {CHANNEL_ENTRIES, CHANNEL_ENTRIES, 4, 2, 1};

    s.slots = 3 + (unsigned)seed % 6;
    s.chop = (unsigned[]){2, 3, 5, 10, 30}[seed % 5];
    s.evict = (unsigned[]){0, 5, 20, 100}[seed / 2 % 4];
    s.again = (unsigned[]){0, 20, 70}[seed / 3 % 3];
    s.reload = (unsigned[]){0, 50, 300}[seed / 11 % 3];
    s.entries = entries[seed / 7 % 5];
    s.cpus = 1 + seed % 4;
    together = 2 + (unsigned)seed % 9;
    longest = (unsigned[]){2, 6, 20}[seed % 3];
    int value = fake_run(&s);
    printf("seed %lu: %lu turns, %u loads, %u again, %u writebacks, %u lost, %u timeouts, %u interrupts\n",
           (unsigned long)seed, (unsigned long)fake_counts.turns, fake_counts.loads, fake_counts.again,
           fake_counts.writebacks, fake_counts.lost, timeouts, interrupts);
    return value == 42;
}

static void test_random(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("appkernel_service", tests, NULL, NULL);
}
