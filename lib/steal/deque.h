// deque.h - a queue of one owner and many thieves, without locks: Chase and Lev's.
//
// The owner pushes and pops at the bottom; thieves take from the top, the oldest first.  It belongs to a worker, not to
// a processor: an owner that is stopped between any two instructions holds up no thief, and goes on as if nothing had
// been, since nobody else is the owner meanwhile.
// Two races decide who has the last element: (a) the owner lowers `bottom`, then reads `top`; a thief reads `top`, then
// `bottom`: both orders are sequentially consistent, so one of them sees the other.  (b) If both see the element, `top`
// is swung by one of them only.
//
// D. Chase, Y. Lev, Dynamic Circular Work-Stealing Deque, 2005, with a size that is fixed: a push may fail.
#pragma once
#include <abi/types.h>

enum { DEQUE_SIZE = 1024 };              // a power of 2

struct deque {                           // zero: empty
    uint64_t top __attribute__((aligned(64)));       // a  thieves
    uint64_t bottom __attribute__((aligned(64)));    // a  written by the owner
    void *element[DEQUE_SIZE];           // a  [top, bottom) modulo the size
};

// By the owner.  False: full.
static inline bool deque_push(struct deque *d, void *element)
{
    uint64_t bottom = __atomic_load_n(&d->bottom, __ATOMIC_RELAXED);

    if (bottom - __atomic_load_n(&d->top, __ATOMIC_ACQUIRE) >= DEQUE_SIZE) {
        return false;
    }
    __atomic_store_n(&d->element[bottom % DEQUE_SIZE], element, __ATOMIC_RELAXED);
    __atomic_store_n(&d->bottom, bottom + 1, __ATOMIC_RELEASE);              // pairs with deque_steal()
    return true;
}
// By the owner: the newest, or NULL.
static inline void *deque_pop(struct deque *d)
{
    uint64_t bottom = __atomic_load_n(&d->bottom, __ATOMIC_RELAXED) - 1, top;
    void *element = NULL;

    __atomic_exchange_n(&d->bottom, bottom, __ATOMIC_SEQ_CST);               // race (a)
    top = __atomic_load_n(&d->top, __ATOMIC_SEQ_CST);
    if ((int64_t)(bottom - top) > 0) {
        return __atomic_load_n(&d->element[bottom % DEQUE_SIZE], __ATOMIC_RELAXED);
    }
    if (bottom == top) {
        element = __atomic_load_n(&d->element[bottom % DEQUE_SIZE], __ATOMIC_RELAXED);
        if (!__atomic_compare_exchange_n(&d->top, &top, top + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            element = NULL;              // race (b)
        }
    }
    __atomic_store_n(&d->bottom, bottom + 1, __ATOMIC_RELAXED);
    return element;
}
// By anybody: the oldest, or NULL if there is none, or somebody else has just taken one.
static inline void *deque_steal(struct deque *d)
{
    uint64_t top = __atomic_load_n(&d->top, __ATOMIC_SEQ_CST);
    void *element;

    if ((int64_t)(__atomic_load_n(&d->bottom, __ATOMIC_SEQ_CST) - top) <= 0) {
        return NULL;
    }
    element = __atomic_load_n(&d->element[top % DEQUE_SIZE], __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n(&d->top, &top, top + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) ? element
                                                                                                         : NULL;
}
// How many there are, or were a moment ago; never too few for the owner.
static inline uint64_t deque_count(const struct deque *d)
{
    uint64_t top = __atomic_load_n(&d->top, __ATOMIC_SEQ_CST);
    int64_t n = (int64_t)(__atomic_load_n(&d->bottom, __ATOMIC_SEQ_CST) - top);

    return n > 0 ? (uint64_t)n : 0;
}
