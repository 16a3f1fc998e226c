// memory.c - mapping, protecting, files whose pages come late, and addresses that are not the program's.
#include "test.h"

enum { PAGE = ABI_PAGE, RW = MAP_READ | MAP_WRITE, LOOKS = 20 };

static bool all_zero(const uint8_t *at, size_t length)
{
    while (length > 0 && *at == 0) {
        at++;
        length--;
    }
    return length == 0;
}

static err_t write_from(va_t va, uint64_t length)
{
    uint64_t taken;
    return native_write((const void *)va, length, &taken);
}

static void test_bad_ranges(va_t va)
{
    va_t none;
    const uint64_t wrong[][3] = {{0, RW, 0}, {PAGE + 1, RW, 0}, {PAGE, MAP_EXEC, 0}, {~0ull << 12, RW, 0},
                                 {4 * PAGE, RW, 3 * PAGE}, {4 * PAGE, RW, PAGE}, {4 * PAGE, RW, 8 * PAGE}};
    bool refused = true;

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        refused = refused && native_map(wrong[i][0], (uint32_t)wrong[i][1], wrong[i][2], &none) == ERR_INVAL;
    }
    check(refused, "maps that cannot be are refused", refused);
    refused = native_unmap(va + 1, PAGE) == ERR_INVAL && native_unmap(NATIVE_INFO, PAGE) == ERR_INVAL &&
              native_unmap(~0ull << 12, PAGE) == ERR_INVAL && native_unmap(va, ~0ull << 12) == ERR_INVAL &&
              native_protect(va, PAGE, MAP_EXEC) == ERR_INVAL &&
              native_protect(va - (1ull << 30), 1ull << 29, MAP_READ) == ERR_INVAL;
    check(refused, "so are ranges of others", refused);
}

void test_memory(void)
{
    va_t va = 0, stacks = 0;
    err_t e = native_map(8 * PAGE, RW, 0, &va);
    uint8_t *at = (uint8_t *)va;

    if (!check(e == ERR_OK && all_zero(at, 8 * PAGE), "memory is zero", va)) {
        return;
    }
    memset(at, 7, 8 * PAGE);
    e = native_protect(va + PAGE, PAGE, MAP_READ);
    check(e == ERR_OK && at[PAGE] == 7, "it can be read only", e);
    check(write_from(va + PAGE, 0) == ERR_OK, "nothing can be written from anywhere", 0);
    e = native_protect(va + PAGE, PAGE, 0);
    check(e == ERR_OK && write_from(va + PAGE - 4, 8) == ERR_DENIED, "or not at all", e);
    e = native_protect(va + PAGE, PAGE, RW);
    at[PAGE]++;
    check(e == ERR_OK && at[PAGE] == 8, "and be written again", at[PAGE]);
    e = native_unmap(va + 2 * PAGE, PAGE);
    check(e == ERR_OK && write_from(va + 2 * PAGE, 1) == ERR_INVAL && at[3 * PAGE] == 7, "a hole", e);
    test_bad_ranges(va);
    e = native_map(8 * STACK, RW, STACK, &stacks);
    bool guarded = e == ERR_OK && stacks % STACK == 0;
    for (unsigned i = 0; guarded && i < 8; i++) {
        volatile uint8_t *lowest = (uint8_t *)(stacks + i * STACK + PAGE);
        *lowest = 1;
        guarded = write_from(stacks + i * STACK + PAGE - 1, 1) == ERR_DENIED && *lowest == 1;
    }
    check(guarded, "each of eight stacks has a guard page", stacks);
    check(native_unmap(va, 8 * PAGE) == ERR_OK && native_unmap(stacks, 8 * STACK) == ERR_OK, "unmapped", 0);
}

static err_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t value;
    return sys_enter4(number, a, b, c, d, &value);
}

void test_pointers(void)
{
    static const va_t bad[] = {0, 0x123000, ABI_WINDOW, ABI_WINDOW + 0x400000, ABI_USER_END, 1ull << 63, ~0ull - 7};
    unsigned wrong = 0, known = 0;
    va_t none;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wrong += write_from(bad[i], 8) == ERR_OK || native_wait((uint32_t *)(bad[i] & ~3ull), 0, 1) != ERR_INVAL ||
                 native_map_file((const char *)bad[i], 8, PAGE, 0, &none) == ERR_OK ||
                 call(NATIVE_THREAD_EXIT, bad[i] | 1, 0, 0, 0) != ERR_INVAL;
    }
    check(wrong == 0, "addresses that are not its own", wrong);
    check(write_from(NATIVE_INFO, ~0ull) == ERR_INVAL, "a length that wraps around", 0);
    uint64_t stack = (uint64_t)&none & ~15ull;
    wrong = (native_thread_create(ABI_USER_END, stack, 0, 0) != ERR_INVAL) +
            (native_thread_create(0x40000000, stack + 8, 0, 0) != ERR_INVAL) +
            (native_thread_create(0x40000000, 1ull << 63, 0, 0) != ERR_INVAL) +
            (native_thread_create(0x40000000, 0, 0, 0) != ERR_INVAL) +
            (native_thread_create(0x40000000, stack, 0, 1ull << 62) != ERR_INVAL);
    check(wrong == 0, "threads that could not run", wrong);
    for (uint64_t number = 0; number < 1100; number++) {
        bool here = number >= NATIVE_FIRST && number <= NATIVE_ALARM;
        bool any = (number >= 17 && number <= 24 && number != 20 && number != 21) || number == 26 || number == 27;
        known += !here && !any && call(number, stack, stack, stack, stack) != ERR_NOCALL;
    }
    check(known == 0, "no other call is there, nor one of the supervisor's for kernels", known);
    check(call(NATIVE_BLOCK, ~0ull, 0, 0, 0) == ERR_INVAL, "a block for ever", 0);
    check(sys_yield() == ERR_OK && sys_wait(now() + 1000) != ERR_NOCALL && sys_signal(0x7777) == ERR_STALE,
          "calls of the supervisor's for all", 0);
}

// ---- a file whose pages come late -------------------------------------------------------------------------

static const char disk[] = "/etc/disk", first_words[] = "# Native programs";
static const uint8_t *late;

static void touch(struct worker *w)
{
    uint64_t begin = now();

    w->result = *(const volatile uint8_t *)&late[w->number * PAGE];
    w->result = now() - begin;
}

static bool map_late(uint64_t pages, uint64_t delay)
{
    va_t va = 0;
    err_t e = native_map_file(disk, strlen(disk), pages * PAGE, delay, &va);

    late = (const uint8_t *)va;
    return check(e == ERR_OK, "a file is mapped", e);
}

void test_file(void)
{
    static struct worker workers[3];
    uint64_t delay = milliseconds(3), begin = now();
    va_t none;

    check(native_map_file("/nowhere", 8, PAGE, 0, &none) == ERR_STALE, "a file that is not there", 0);
    if (!map_late(4, delay)) {
        return;
    }
    workers[1].number = 1;               // 0 and 2 touch the same page, 1 another one
    for (unsigned i = 0; i < 3; i++) {
        check(worker_start(&workers[i], touch), "a thread for a late page", i);
    }
    for (unsigned i = 0; i < 3; i++) {
        worker_join(&workers[i]);
    }
    uint64_t all = now() - begin;
    uint64_t first = workers[0].result > workers[2].result ? workers[0].result : workers[2].result;
    check(first >= delay && workers[1].result >= delay && all >= delay, "a page comes late", all);
    bool good = true;
    for (unsigned i = 0; i < LOOKS && all >= delay; i++) {       // others may run meanwhile
        begin = now();
        good = good && memcmp(late, first_words, strlen(first_words)) == 0 && all_zero(late + PAGE, PAGE);
        all = now() - begin;
    }
    check(good && all < delay, "then it is there", all);
    begin = now();
    uint32_t *word = (uint32_t *)(uintptr_t)(late + 2 * PAGE);
    check(native_wait(word, 1, 0) == ERR_AGAIN && now() - begin >= delay, "a call waits for its page", now() - begin);
    check(native_protect((va_t)late, PAGE, RW) == ERR_DENIED, "a file is not written", 0);
    check(native_unmap((va_t)late, 4 * PAGE) == ERR_OK, "a file is unmapped", 0);
}
