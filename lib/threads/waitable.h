// waitable.h - how threads of different packages in one program block and unblock each other.
//
// What runs on a processor has a record whose address is FS base, and which begins with a struct waitable.  So code of
// any package finds out who calls it by waitable_self(), puts that pointer into a list of its own, and blocks by the
// caller's own routine; somebody else, of whatever package, unblocks it by the routine in the record.  Neither has to
// know what kind of thread the other one is: FastThreads, a worker of a work-stealing package, a kernel thread.
//
// The rule for both routines: an unblock that comes first is not lost.  A record keeps one such token, not more, so
// callers block in a loop that looks at what they wait for.
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
