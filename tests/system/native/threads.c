// threads.c - kernel threads: they begin, wait, wake, compute, and are left behind.
#include "test.h"

enum { ROUNDS = 200 };

static struct worker workers[THREADS];
static uint32_t mutex;                   // 0 free, 1 held, 2 held and somebody waits
static uint64_t counter;

static void lock(void)
{
    uint32_t found = 0;

    if (__atomic_compare_exchange_n(&mutex, &found, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    while (__atomic_exchange_n(&mutex, 2, __ATOMIC_ACQUIRE) != 0) {
        (void)native_wait(&mutex, 2, 0);
    }
}

static void unlock(void)
{
    uint64_t woken;

    if (__atomic_exchange_n(&mutex, 0, __ATOMIC_RELEASE) == 2) {
        (void)native_wake(&mutex, 1, &woken);
    }
}

static struct worker *by_fs(void)
{
    struct worker *w;

    __asm__ volatile("movq %%fs:16, %0" : "=r"(w));
    return w;
}

static void count(struct worker *w)
{
    double sum = 0;

    for (unsigned i = 1; i <= ROUNDS; i++) {
        lock();
        uint64_t seen = counter;
        if (i % 16 == 0) {
            (void)sys_yield();           // with the lock held
        }
        counter = seen + 1;
        unlock();
        sum += 1.0 / (i + w->number);
        if (i % 64 == 0) {
            (void)native_block(1000);
        }
    }
    for (unsigned i = ROUNDS; i >= 1; i--) {
        sum -= 1.0 / (i + w->number);
    }
    w->result = by_fs() == w && sum > -1e-9 && sum < 1e-9;
}

void test_threads(void)
{
    unsigned good = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        check(worker_start(&workers[i], count), "a thread", i);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        worker_join(&workers[i]);
        good += workers[i].result == 1;
    }
    check(counter == THREADS * ROUNDS, "a lock of waiting and waking", counter);
    check(good == THREADS, "each has its FS base and its floating-point registers", good);
    uint64_t begin = now();
    check(native_block(milliseconds(2)) == ERR_OK && now() - begin >= milliseconds(2), "a block", now() - begin);
}

// ---- waiting ----------------------------------------------------------------------------------------------

static uint32_t word, gone;

static void sleeper(struct worker *w)
{
    w->result = native_wait(&word, 5, 0);
    __atomic_fetch_add(&gone, 1, __ATOMIC_SEQ_CST);
}

// Wakes are counted by those who waited, so this ends only when all have been there.
static uint64_t wake_in_all(uint64_t count_wanted, uint64_t each)
{
    uint64_t sum = 0, until = now() + milliseconds(60000);

    while (sum < count_wanted && now() < until) {
        uint64_t woken = 0;
        (void)native_wake(&word, each, &woken);
        sum += woken;
        if (woken > each) {
            return 0;
        }
        (void)native_block(1000);
    }
    return sum;
}

void test_waiting(void)
{
    uint64_t woken = 0, begin = now();

    word = 5;
    check(native_wait(&word, 6, 0) == ERR_AGAIN, "a word that has changed", 0);
    check(native_wait(&word, 5, begin + milliseconds(1)) == ERR_TIMEOUT && now() >= begin + milliseconds(1),
          "a wait with a deadline", now() - begin);
    check(native_wake((uint32_t *)((va_t)&word + 1), 1, &woken) == ERR_INVAL, "a word in two places", 0);
    check(native_wake(&word, 9, &woken) == ERR_OK && woken == 0, "nobody to wake", woken);
    for (unsigned i = 0; i < 3; i++) {
        check(worker_start(&workers[i], sleeper), "a thread that sleeps", i);
    }
    woken = wake_in_all(2, 1);
    begin = now();
    while (__atomic_load_n(&gone, __ATOMIC_SEQ_CST) < 2 && now() < begin + milliseconds(60000)) {
        (void)native_block(milliseconds(1));
    }
    (void)native_block(milliseconds(2));
    check(woken == 2 && __atomic_load_n(&gone, __ATOMIC_SEQ_CST) == 2, "two of three are woken, one by one", woken);
    woken = wake_in_all(1, 9);
    for (unsigned i = 0; i < 3; i++) {
        worker_join(&workers[i]);
    }
    check(woken == 1 && gone == 3, "and the last", woken);
}

// ---- left behind ------------------------------------------------------------------------------------------

static const uint32_t never = 1;

static void spin(struct worker *w)
{
    (void)w;
    for (;;) {
        __asm__ volatile("pause");
    }
}

static void block(struct worker *w)
{
    (void)w;
    (void)native_block(NATIVE_TICKS_MOST);
}

static void wait_here(struct worker *w)
{
    (void)w;
    (void)native_wait(&never, 1, 0);
}

static void wait_there(struct worker *w)
{
    (void)w;
    for (;;) {
        (void)sys_wait(0);
    }
}

static void wait_for_page(struct worker *w)
{
    va_t va = 0;

    if (native_map_file("/etc/disk", 9, ABI_PAGE, NATIVE_TICKS_MOST, &va) == ERR_OK) {
        w->result = *(volatile uint8_t *)va;
    }
}

void leave_threads(void)
{
    static struct worker left[5];
    static void (*const runs[5])(struct worker *w) = {spin, block, wait_here, wait_there, wait_for_page};

    for (unsigned i = 0; i < 5; i++) {
        if (!worker_start(&left[i], runs[i])) {
            check(false, "a thread to be left", i);
        }
    }
    (void)native_block(milliseconds(1));
}
