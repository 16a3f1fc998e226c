// meeting.c - barriers and reader-writer locks, made of a mutex and conditions.
//
// Cancellation does not reach a thread that waits here: these waits are not safe points.
#include "threads_impl.h"

static void wait_uncancelled(struct condition *c, struct mutex *m)
{
    bool was = thread_set_cancel(false);

    (void)condition_wait(c, m);
    (void)thread_set_cancel(was);
}

enum thread_status barrier_init(struct barrier *b, uint32_t count)
{
    if (count == 0) {
        return THREAD_INVALID;
    }
    *b = (struct barrier){.count = count};
    return THREAD_OK;
}
bool barrier_wait(struct barrier *b)
{
    bool last;

    mutex_lock(&b->mutex);
    uint64_t round = b->round;
    last = ++b->arrived == b->count;
    if (last) {
        b->arrived = 0;
        b->round++;
        condition_broadcast(&b->all);
    }
    while (b->round == round) {
        wait_uncancelled(&b->all, &b->mutex);
    }
    (void)mutex_unlock(&b->mutex);
    return last;
}

// Writers first: a reader waits while one waits to write, so writers are not starved.
void rwlock_init(struct rwlock *l)
{
    *l = (struct rwlock){0};
}
static bool may_read(const struct rwlock *l)
{
    return !l->writing && l->want_write == 0;
}
static bool may_write(const struct rwlock *l)
{
    return !l->writing && l->reading == 0;
}
void rwlock_read(struct rwlock *l)
{
    mutex_lock(&l->mutex);
    while (!may_read(l)) {
        wait_uncancelled(&l->readers, &l->mutex);
    }
    l->reading++;
    (void)mutex_unlock(&l->mutex);
}
void rwlock_write(struct rwlock *l)
{
    mutex_lock(&l->mutex);
    l->want_write++;
    while (!may_write(l)) {
        wait_uncancelled(&l->writers, &l->mutex);
    }
    l->want_write--;
    l->writing = 1;
    (void)mutex_unlock(&l->mutex);
}
enum thread_status rwlock_try_read(struct rwlock *l)
{
    mutex_lock(&l->mutex);
    bool may = may_read(l);
    l->reading += may;
    (void)mutex_unlock(&l->mutex);
    return may ? THREAD_OK : THREAD_BUSY;
}
enum thread_status rwlock_try_write(struct rwlock *l)
{
    mutex_lock(&l->mutex);
    bool may = may_write(l);
    if (may) {
        l->writing = 1;
    }
    (void)mutex_unlock(&l->mutex);
    return may ? THREAD_OK : THREAD_BUSY;
}
enum thread_status rwlock_release(struct rwlock *l)
{
    enum thread_status status = THREAD_OK;

    mutex_lock(&l->mutex);
    if (l->writing) {
        l->writing = 0;
    } else if (l->reading != 0) {
        l->reading--;
    } else {
        status = THREAD_INVALID;
    }
    if (may_write(l) && l->want_write != 0) {
        condition_signal(&l->writers);
    } else if (may_read(l)) {
        condition_broadcast(&l->readers);
    }
    (void)mutex_unlock(&l->mutex);
    return status;
}
