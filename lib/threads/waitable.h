// waitable.h - how threads of different packages in one program block and unblock each other.
//
// What runs on a processor has a record whose address is FS base, and which begins with a struct waitable.  So code of
// any package finds out who calls it by waitable_self(), puts that pointer into a list of its own, and blocks by the
// caller's own routine; somebody else, of whatever package, unblocks it by the routine in the record.  Neither has to
// know what kind of thread the other one is: FastThreads, a worker of a work-stealing package, a kernel thread.
//
// The contract:
//   block     is called by the flow itself, on its own stack, holding no lock that its package or another may want; it
//             may run others on the processor meanwhile.  A stackless task has a record but no routine of this kind: it
//             returns instead (tasks.h), and what calls block inside of one blocks the worker that runs it.
//   unblock   is called by any flow, of any package, on the caller's stack, also by handlers of upcalls; it never
//             blocks, and waits for nobody who does not run (locks of recoverable code only, critical.c).  One that
//             comes before the block is not lost.  A record keeps one such token, not more, so callers block in a
//             loop that looks at what they wait for, and a block may return without a reason.
//   ordering  what was written before unblock is seen after the block that it ends.
//   memory    unblock may come late, when the other has already seen by itself that its wait is over: so records of
//             flows with stacks are never given back, only used again.  A task is unblocked exactly once for each
//             time that it is on a list, and is its owner's again when it has ended.
// Lists of who waits, events and a semaphore made for this are in event.h.  Functions of FastThreads that do not block
// may be called by any flow; those that block are for its own threads.
//
// Psyche, 3: the activation points to a thread record with pointers to block and unblock routines, by which shared data
// structures are used by threads of different kinds.
#pragma once

struct waitable {
    struct waitable *self;                       // its own address, so that one load gives it
    void (*block)(struct waitable *self);        // the caller, which must be *self: returns after an unblock
    void (*unblock)(struct waitable *other);     // from anybody's thread; never blocks
};

static inline struct waitable *waitable_self(void)
{
    struct waitable *self;

    __asm__("movq %%fs:0, %0" : "=r"(self));
    return self;
}
static inline void waitable_block(void)
{
    struct waitable *self = waitable_self();
    self->block(self);
}
static inline void waitable_unblock(struct waitable *other)
{
    other->unblock(other);
}
