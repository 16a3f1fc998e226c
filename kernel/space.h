// space.h - spaces: a root table, an owner that loaded it, a manager that maps and handles faults in it.
//
// Owner and manager are the same kernel, except that the space of an application kernel is owned by the
// first kernel and managed by that kernel itself, once it is loaded.
// Unloading: threads that run the program go first, threads in a handler only lose their program's space;
// then mappings, a few at a time; then the slot.  Cache Kernel, 2.1 and 4.2.
// Fields: I immutable while loaded  l instance lock
#pragma once
#include "activation.h"
#include "handle.h"

struct space {
    struct object     o;           // first
    struct appkernel *owner;       // I
    struct appkernel *manager;     // l  changes once, when its kernel is loaded
    struct appkernel *kernel;      // l  the kernel whose own space this is, or NULL
    pa_t              root;        // I
    uint64_t          tag;         // I  of records of usual mappings in it that its owner loads: pmap_quick.h
    uint32_t          rule;        // I  enum trap_rule
    uint64_t          cookie;      // I
    struct place     *place;       // I  owner's memory
    pa_t              place_pa;    // I
    struct list       threads;     // l  threads of its program, loaded or being unloaded, by their `sibling`
    struct list       tables;      // l  its page tables but the root, newest first
    uint32_t          copies;      // l  mappings of it that are deferred copies; read without the lock by its CPUs
    bool              remote;      // l  a mapping of it has been remote or lost since its load; read as `copies` is
    const struct thread *loader;   // l  who loaded it, as long as nobody has run in it; only to be compared
    va_t              unload_at;   // l  UNLOADING: its mappings in this leaf table and before this address are gone
    struct table     *last;        // l  the leaf table that was used last, or NULL
    struct claims     claims;      // of processors
};

// Can a program be here?
static inline bool is_user_address(va_t va)
{
    return va != 0 && va < ABI_USER_END;
}

// Load for kernel k, which becomes its owner.
err_t space_load(struct cpu *cpu, struct appkernel *k, const struct space_desc *d, oid_t *id);
bool  space_unload_step(struct cpu *cpu, struct space *s);
bool  space_pinned(const struct space *s);
