// test_cache.c - the buffer cache: what is replaced, what is read and written back, and many threads at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cache.h"
#include "par_host.h"

enum { BLOCKS = 16, THREADS = 8, ROUNDS = 400 };

static struct body store[BLOCKS * BLOCK_BODIES];
static struct cache cache;

static void begin(uint32_t buffers)
{
    for (uint32_t i = 0; i < BLOCKS * BLOCK_BODIES; i++) {
        store[i] = (struct body){.x = i, .mass = 1};
    }
    host_blocks = 0;
    assert_true(cache_init(&cache, store, BLOCKS, buffers, 1000));
}

static void touch(uint32_t block)
{
    assert_true(cache_get(&cache, block)[1].x == block * BLOCK_BODIES + 1);
    cache_put(&cache, block, false);
}

static bool resident(uint32_t block)
{
    return cache.entry[block].state == CACHE_RESIDENT;
}

static void test_all(void **state)
{
    (void)state;
    begin(BLOCKS);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        touch(i);
    }
    assert_int_equal(host_blocks, 0);
    host_free();
}

// The clock passes one that was used since, and one that is held.
static void test_replace(void **state)
{
    (void)state;
    begin(4);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        assert_int_equal(resident(i), i < 4);
    }
    touch(0);
    touch(2);
    struct body *held = cache_get(&cache, 1);
    touch(9);
    assert_int_equal(host_blocks, 1);
    assert_true(resident(0) && resident(1) && resident(2) && !resident(3) && resident(9));
    touch(10);                           // all have been used, so the first that is not held
    assert_true(!resident(0) && resident(1) && resident(9));
    for (uint32_t i = 2; i < BLOCKS; i++) {
        touch(i);
    }
    assert_true(resident(1) && held[1].x == BLOCK_BODIES + 1);
    cache_put(&cache, 1, false);
    for (uint32_t i = 2; i < BLOCKS; i++) {
        touch(i);
    }
    assert_false(resident(1));
    assert_int_equal(cache.misses, host_blocks);
    host_free();
}

static void test_write(void **state)
{
    (void)state;
    begin(1);
    cache_get(&cache, 5)->y = 55;
    cache_put(&cache, 5, true);
    assert_true(store[5 * BLOCK_BODIES].y == 0);
    touch(6);
    assert_true(store[5 * BLOCK_BODIES].y == 55);
    assert_true(cache_get(&cache, 5)->y == 55);
    cache_put(&cache, 5, false);
    cache_get(&cache, 7)->y = 77;
    cache_put(&cache, 7, true);
    cache_flush(&cache);
    assert_true(store[7 * BLOCK_BODIES].y == 77);
    cache_get(&cache, 7)->y = 78;        // changed without saying so: not written back
    cache_put(&cache, 7, false);
    touch(1);
    assert_true(store[7 * BLOCK_BODIES].y == 77);
    host_free();
}

static uint32_t holders[BLOCKS], wrong;

static void use(void *arg)
{
    uint64_t random = (uintptr_t)arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        uint32_t block = (uint32_t)(random >> 60);
        struct body *b = cache_get(&cache, block);
        __atomic_fetch_add(&holders[block], 1, __ATOMIC_SEQ_CST);
        bool good = b[3].x == block * BLOCK_BODIES + 3 && resident(block);
        __atomic_fetch_add(&wrong, !good, __ATOMIC_SEQ_CST);
        __atomic_fetch_sub(&holders[block], 1, __ATOMIC_SEQ_CST);
        cache_put(&cache, block, false);
    }
}

// More threads than buffers: each waits for another one's sooner or later.
static void test_threads(void **state)
{
    static const uint32_t buffers[] = {1, 2, 5, 15, 16};
    struct par_thread threads[THREADS];

    (void)state;
    for (unsigned n = 0; n < sizeof(buffers) / sizeof(buffers[0]); n++) {
        begin(buffers[n]);
        memset(threads, 0, sizeof(threads));
        for (uintptr_t i = 0; i < THREADS; i++) {
            assert_true(par_fork(&threads[i], use, (void *)(i + 1)));
        }
        for (unsigned i = 0; i < THREADS; i++) {
            par_join(&threads[i]);
        }
        assert_int_equal(wrong, 0);
        assert_int_equal(cache.misses, host_blocks);
        assert_int_equal(cache.looking, 0);
        uint32_t there = 0;
        for (uint32_t i = 0; i < BLOCKS; i++) {
            assert_int_equal(cache.entry[i].holders, 0);
            assert_int_not_equal(cache.entry[i].state, CACHE_LOADING);
            there += resident(i);
        }
        assert_int_equal(there, buffers[n]);
        host_free();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_replace),
                                       cmocka_unit_test(test_write), cmocka_unit_test(test_threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
