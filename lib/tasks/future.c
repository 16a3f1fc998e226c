// future.c - futures, and the event of several events (tasks.h).
#include "tasks.h"

void future_init(struct future *f)
{
    event_init(&f->set);
    f->value = NULL;
}
void future_set(struct future *f, void *value)
{
    f->value = value;
    event_signal(&f->set);
}
void *future_wait(struct future *f)
{
    event_wait(&f->set);
    return f->value;
}

static void count_one(struct waitable *other)
{
    struct when_all *w = (struct when_all *)other;

    if (__atomic_sub_fetch(&w->left, 1, __ATOMIC_ACQ_REL) == 0) {
        event_signal(&w->all);
    }
}
static void block_none(struct waitable *self)
{
    (void)self;
    __builtin_trap();
}
void when_all_init(struct when_all *w, uint32_t n)
{
    w->waitable = (struct waitable){&w->waitable, block_none, count_one};
    w->left = n;
    event_init(&w->all);
    if (n == 0) {
        event_signal(&w->all);
    }
}
void when_all_add(struct when_all *w, struct event *e, struct waiter *link)
{
    link->who = &w->waitable;
    if (!event_add(e, link)) {
        count_one(&w->waitable);
    }
}
