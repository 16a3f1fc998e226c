// main.c - a program for C Threads, with the interface's own words only (and lines for the terminal).
#include <cthreads.h>

#include <native.h>

enum { PRODUCERS = 4, CONSUMERS = 3, ITEMS = 500, ROOM = 5, LEAVES = 10, DETACHED = 30 };

static int failures;

static void check(bool good, string_t what, uint64_t value)
{
    native_print("%s %s (%lu)\n", good ? "ok" : "not ok", what, (unsigned long)value);
    failures += !good;
}

// ---- a bounded buffer -----------------------------------------------------------------------------------------

static struct buffer {
    mutex_t lock;
    condition_t room, items;
    uint64_t item[ROOM];
    unsigned first, count;
} buffer;

static void put(uint64_t item)
{
    mutex_lock(buffer.lock);
    while (buffer.count == ROOM) {
        condition_wait(buffer.room, buffer.lock);
    }
    buffer.item[(buffer.first + buffer.count++) % ROOM] = item;
    condition_signal(buffer.items);
    mutex_unlock(buffer.lock);
}
static uint64_t get(void)
{
    mutex_lock(buffer.lock);
    while (buffer.count == 0) {
        condition_wait(buffer.items, buffer.lock);
    }
    uint64_t item = buffer.item[buffer.first];
    buffer.first = (buffer.first + 1) % ROOM;
    buffer.count--;
    condition_signal(buffer.room);
    mutex_unlock(buffer.lock);
    return item;
}
static any_t produce(any_t number)
{
    for (uint64_t i = 1; i <= ITEMS; i++) {
        put((uint64_t)number * ITEMS + i);
    }
    return number;
}
// Until an item 0.
static any_t consume(any_t none)
{
    uint64_t sum = 0, item;

    (void)none;
    while ((item = get()) != 0) {
        sum += item;
        cthread_set_data(cthread_self(), (any_t)sum);
    }
    cthread_exit(cthread_data(cthread_self()));
}
static void test_buffer(void)
{
    cthread_t producer[PRODUCERS], consumer[CONSUMERS];
    uint64_t sum = 0, all = (uint64_t)PRODUCERS * ITEMS;

    buffer = (struct buffer){.lock = mutex_alloc(), .room = condition_alloc(), .items = condition_alloc()};
    mutex_lock(buffer.lock);                         // nobody is through before all have been counted
    for (uint64_t i = 0; i < CONSUMERS; i++) {
        consumer[i] = cthread_fork(consume, NULL);
    }
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        producer[i] = cthread_fork(produce, (any_t)i);
    }
    check(cthread_count() == 1 + PRODUCERS + CONSUMERS, "threads are counted", (uint64_t)cthread_count());
    mutex_unlock(buffer.lock);
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        sum += (uint64_t)cthread_join(producer[i]) != i;
    }
    check(sum == 0, "producers give what they were given", sum);
    for (int i = 0; i < CONSUMERS; i++) {
        put(0);
    }
    for (int i = 0; i < CONSUMERS; i++) {
        sum += (uint64_t)cthread_join(consumer[i]);
    }
    check(sum == all * (all + 1) / 2, "consumers got each item once", sum);
    check(cthread_count() == 1, "and all have ended", (uint64_t)cthread_count());
    condition_free(buffer.items);
    condition_free(buffer.room);
    mutex_free(buffer.lock);
}

// ---- a tree of threads ----------------------------------------------------------------------------------------

static any_t fibonacci(any_t n)
{
    if ((uint64_t)n < 2) {
        return n;
    }
    cthread_t other = cthread_fork(fibonacci, (any_t)((uint64_t)n - 1));
    uint64_t rest = (uint64_t)fibonacci((any_t)((uint64_t)n - 2));
    return (any_t)(rest + (uint64_t)cthread_join(other));
}

// ---- names, tries, threads that nobody joins ------------------------------------------------------------------

static any_t tries(any_t lock)
{
    return (any_t)(uint64_t)mutex_try_lock((mutex_t)lock);
}
static void test_objects(void)
{
    static struct mutex own;
    mutex_t m = mutex_alloc();
    condition_t c = condition_alloc();

    check(mutex_name(m)[0] == '?' && cthread_name(cthread_self())[0] == '?', "no names at first", 0);
    mutex_set_name(m, "a");
    mutex_set_name(&own, "b");
    condition_set_name(c, "c");
    cthread_set_name(cthread_self(), "d");
    check(mutex_name(m)[0] == 'a' && mutex_name(&own)[0] == 'b' && condition_name(c)[0] == 'c' &&
          cthread_name(cthread_self())[0] == 'd', "names", 0);
    mutex_clear(&own);
    check(mutex_name(&own)[0] == '?' && mutex_name(m)[0] == 'a', "a name that is taken away", 0);
    mutex_init(&own);
    mutex_lock(&own);
    check(cthread_join(cthread_fork(tries, &own)) == NULL, "a mutex that is held is not to be had", 0);
    mutex_unlock(&own);
    check(mutex_try_lock(&own), "one that is free is", 0);
    mutex_unlock(&own);
    mutex_free(m);
    condition_free(c);
    m = mutex_alloc();
    check(mutex_name(m)[0] == '?', "names go with their objects", 0);
    mutex_free(m);
}
static struct mutex done_lock;
static int done;

static any_t alone(any_t number)
{
    static const string_t last[] = {"", "activations", "virtual", "kernel"};

    if ((uint64_t)number & 1) {
        cthread_detach(cthread_self());
    }
    for (int i = 0; i < 20; i++) {
        cthread_yield();
    }
    mutex_lock(&done_lock);
    if (++done == DETACHED) {
        native_print("last of %s\n", last[native_number("as", 0)]);
    }
    mutex_unlock(&done_lock);
    return NULL;
}

// The words after the first one, which is empty, are those of the policy line.
int main(int count, char **words)
{
    check(count >= 2 && words[count] == NULL && words[0][0] == '\0' && words[1][0] == 'a' && words[1][1] == 's',
          "the program's words", (uint64_t)count);
    test_buffer();
    check((uint64_t)fibonacci((any_t)LEAVES) == 55, "a tree of threads", LEAVES);
    test_objects();
    for (uint64_t i = 0; i < DETACHED; i++) {
        cthread_t t = cthread_fork(alone, (any_t)i);
        if (i % 2 == 0) {
            cthread_detach(t);
        }
    }
    return failures;         // the others end first
}
