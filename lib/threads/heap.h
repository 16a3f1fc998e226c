// heap.h - the timed waits by moment: a leftist heap of thread records, without memory of its own.
//
// Nobody's moment is after that of his children, of whom either may be missing.  `timed` is how many records there are
// on the way from one to the nearest place for another, itself included (0: it has no timer), and is at the right child
// never more than at the left one: so that way goes down to the right, and has log2(n + 1) records at most.  The left
// side may be as deep as there are records; nobody goes down there.
//
// Two heaps are joined along their ways to the right.  A record that is taken out leaves its children joined in its
// place; what changes above that are lengths of such ways, each one more than the one below, so these are no more than
// log2(n + 1) either.  Among equal moments the first to arrive is the first.  All is under the timer lock.
#pragma once
#include "guard.h"

INLINE bool timer_before(const struct thread *a, const struct thread *b)
{
    return a->until < b->until || (a->until == b->until && a->arrival < b->arrival);
}
INLINE uint32_t timer_way(const struct thread *t)
{
    return t != NULL ? t->timed : 0;
}
// From t upwards, until nothing changes: the shorter way is to the right.
INLINE void timer_lengths(struct thread *t)
{
    for (; t != NULL; t = t->above) {
        uint32_t left = timer_way(t->left), right = timer_way(t->right);
        if (left < right) {
            struct thread *longer = t->right;
            t->right = t->left;
            t->left = longer;
            right = left;
        }
        if (t->timed == right + 1) {
            return;
        }
        t->timed = right + 1;
    }
}
// a and b, heaps or NULL, become one at *place, which is a child of `above`, or the root if that is NULL.
INLINE void timer_join(struct thread *above, struct thread **place, struct thread *a, struct thread *b)
{
    while (a != NULL && b != NULL) {
        if (timer_before(b, a)) {
            struct thread *later = a;
            a = b;
            b = later;
        }
        *place = a;
        a->above = above;
        a->timed = 0;                                // not known: timer_lengths() does not end here
        above = a;
        place = &a->right;
        a = a->right;
    }
    a = a != NULL ? a : b;
    *place = a;
    if (a != NULL) {
        a->above = above;
    }
    timer_lengths(above);
}
// Nobody has arrived after it: those of its moment come before it.  What it is put above goes to its left.
INLINE void timer_put(struct thread *t)
{
    struct thread **place = &threads.timers, *above = NULL, *after;

    while ((after = *place) != NULL && after->until <= t->until) {
        above = after;
        place = &after->right;
    }
    t->arrival = threads.timer_arrivals++;
    t->above = above;
    t->left = after;
    t->right = NULL;
    t->timed = 1;
    *place = t;
    if (after != NULL) {
        after->above = t;
    }
    if (above == NULL) {
        threads.first_until = t->until;
    } else {
        timer_lengths(above);
    }
}
INLINE void timer_take_first(void)
{
    struct thread *t = threads.timers;

    t->timed = 0;
    timer_join(NULL, &threads.timers, t->left, t->right);
    threads.first_until = threads.timers != NULL ? threads.timers->until : UINT64_MAX;
}
INLINE void timer_take(struct thread *t)
{
    struct thread *above = t->above;

    if (above == NULL) {
        timer_take_first();
        return;
    }
    t->timed = 0;
    timer_join(above, above->left == t ? &above->left : &above->right, t->left, t->right);
}
