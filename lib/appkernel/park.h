// park.h - threads at rest, kept as what their state pages say and nothing else.
//
// A thread that is not loaded costs the supervisor nothing, and its owner a state page.  Parking makes it a record of
// some 200 bytes: the words of the page that are not zero and that a load would look at.  Those are the registers up to
// its depth, the extended state, the signals that wait; not what earlier handlers or signals left in the page.
// An owner with many more threads than work parks the ones at rest, points their message pages at a thread of its own
// before it unloads them, and puts a record back into any free state page when a signal comes (Cache Kernel, 2.2, 2.3).
//
// No state, no lock, no allocation: two functions over the caller's memory.  Neither blocks; anybody may call them.
#pragma once
#include <abi/frame.h>

// A record of every word of a state page.
enum { AK_PARK_MOST = 8 + ABI_PAGE / 64 + ABI_PAGE };

// Write the record of an unloaded thread to `record`, which has room for `room` bytes and is aligned to 8.  Gives its
// length in bytes, a multiple of 8; if that is more than `room` nothing was written.  0: the thread is loaded.
size_t ak_park(const struct thread_state *s, void *record, size_t room);
// The state page of a record of ak_park, which nothing else may use: a thread can be loaded with it.  The page need not
// be the one that it came from.  Gives the record's length.
size_t ak_unpark(const void *record, struct thread_state *s);
