// wait.c - kernel threads wait at words of their program, and are woken.
//
// A waiter is on the list of its word's bucket from the moment at which the word still had the value, looked at under
// the program's lock.  A waker takes it off and wakes its thread, both under the lock; so nothing is lost in between,
// and whether a thread was woken is whether it is off the list.
#include "program.h"

static struct task **bucket(struct program *p, va_t word)
{
    return &p->waiting[(word >> 2 ^ word >> 8) % WAIT_BUCKETS];
}

static void append(struct task *t)
{
    struct task **at = bucket(t->program, t->word);

    while (*at != NULL) {
        at = &(*at)->next_waiting;
    }
    t->next_waiting = NULL;
    t->waits = true;
    *at = t;
}

static void remove_waiter(struct task *t)
{
    struct task **at = bucket(t->program, t->word);

    while (*at != t) {
        at = &(*at)->next_waiting;
    }
    *at = t->next_waiting;
    t->waits = false;
}

// Off the list by somebody else, by time, or by the end of the program.  The lock is held.
static err_t sleep_here(struct task *t, uint64_t deadline)
{
    while (t->waits) {
        bool late = deadline != 0 && ak_now() >= deadline;
        if (late || program_ending(t->program)) {
            remove_waiter(t);
            return late ? ERR_TIMEOUT : ERR_OK;
        }
        program_unlock(t);
        (void)ak_block(&t->thread, deadline);
        program_lock(t);
    }
    return ERR_OK;
}

err_t wait_at(struct task *t, va_t word, uint32_t value, uint64_t deadline)
{
    uint8_t *at;

    if (word % sizeof(uint32_t) != 0) {
        return ERR_INVAL;
    }
    program_lock(t);
    err_t e = memory_reach(t, word, E_READ, &at);
    if (e == ERR_OK && __atomic_load_n((uint32_t *)at, __ATOMIC_SEQ_CST) != value) {
        e = ERR_AGAIN;
    }
    if (e == ERR_OK) {
        t->word = word;
        append(t);
        e = sleep_here(t, deadline);
    }
    program_unlock(t);
    return e;
}

uint64_t wake_locked(struct program *p, va_t word, uint64_t count)
{
    struct task **at = bucket(p, word);
    uint64_t woken = 0;

    while (*at != NULL && woken < count) {
        struct task *t = *at;
        if (t->word != word) {
            at = &t->next_waiting;
            continue;
        }
        *at = t->next_waiting;
        t->waits = false;
        ak_wake(&t->thread);
        woken++;
    }
    return woken;
}

err_t wake_at(struct task *t, va_t word, uint64_t count, uint64_t *woken)
{
    if (word % sizeof(uint32_t) != 0) {
        return ERR_INVAL;
    }
    program_lock(t);
    *woken = wake_locked(t->program, word, count);
    program_unlock(t);
    return ERR_OK;
}
