// event.c - waiters, events and units (event.h).
//
// A list is pushed with a compare-exchange and taken as a whole with an exchange, so no element is ever looked at by
// two, and it does not matter how long its taker is stopped.
#include "event.h"

// ---- waiters ------------------------------------------------------------------------------------------------------

// Unblock a list, of which the last one came first.
static void wake(struct waiter *list)
{
    struct waiter *in_order = NULL, *next;

    for (; list != NULL; list = next) {
        next = list->next;
        list->next = in_order;
        in_order = list;
    }
    for (; in_order != NULL; in_order = next) {
        struct waitable *who = in_order->who;
        next = in_order->next;
        __atomic_store_n(&in_order->woken, 1, __ATOMIC_RELEASE);     // pairs with who looks; it may be gone then
        waitable_unblock(who);
    }
}
static void wait_until_woken(const struct waiter *w)
{
    while (!__atomic_load_n(&w->woken, __ATOMIC_ACQUIRE)) {          // pairs with wake()
        waitable_block();
    }
}

// ---- events -------------------------------------------------------------------------------------------------------

bool event_add(struct event *e, struct waiter *w)
{
    struct waiter *first = __atomic_load_n(&e->first, __ATOMIC_ACQUIRE);

    w->woken = 0;
    do {
        if (first == EVENT_OVER) {
            return false;
        }
        w->next = first;
    } while (!__atomic_compare_exchange_n(&e->first, &first, w, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
    return true;
}
void event_signal(struct event *e)
{
    wake(__atomic_exchange_n(&e->first, EVENT_OVER, __ATOMIC_ACQ_REL));
}
void event_wait(struct event *e)
{
    struct waiter w = {.who = waitable_self()};

    if (event_add(e, &w)) {
        wait_until_woken(&w);
    }
}

// ---- units --------------------------------------------------------------------------------------------------------

static void wake_all(struct units *u)
{
    if (__atomic_load_n(&u->waiters, __ATOMIC_SEQ_CST) != NULL) {
        wake(__atomic_exchange_n(&u->waiters, NULL, __ATOMIC_ACQ_REL));
    }
}
bool units_try(struct units *u)
{
    uint64_t left = __atomic_load_n(&u->left, __ATOMIC_RELAXED);

    while (left != 0) {
        if (__atomic_compare_exchange_n(&u->left, &left, left - 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}
// A post adds its unit and then looks at the list; this adds to the list and then looks for units: one sees the other.
void units_watch(struct units *u, struct waiter *w)
{
    struct waiter *first = __atomic_load_n(&u->waiters, __ATOMIC_RELAXED);

    w->woken = 0;
    do {
        w->next = first;
    } while (!__atomic_compare_exchange_n(&u->waiters, &first, w, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (__atomic_load_n(&u->left, __ATOMIC_SEQ_CST) != 0) {
        wake_all(u);
    }
}
void units_take(struct units *u)
{
    struct waiter w = {.who = waitable_self()};

    while (!units_try(u)) {
        units_watch(u, &w);
        wait_until_woken(&w);
    }
}
void units_post(struct units *u)
{
    __atomic_fetch_add(&u->left, 1, __ATOMIC_SEQ_CST);
    wake_all(u);
}
