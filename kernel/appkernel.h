// appkernel.h - kernel objects: an application kernel, its handlers, its rights and its quotas.
//
// Loaded, changed and unloaded only by the first kernel.  A kernel depends on its own space, and that
// space is unloaded with it.  Cache Kernel, 2.4 and 4.3.
// Fields: I immutable while loaded  l instance lock
#pragma once
#include "handle.h"

enum { HELD_LOCKED = OBJECT_MAPPING + 1, HELD_COUNT };    // by enum object_type; locked mappings come last

struct promises {                             // what kernels are sure of, all together: see quota.h
    uint64_t spaces, threads, mappings, locked;
};

struct appkernel {
    struct object    o;                      // first
    struct space    *space;                  // I  its own
    pa_t             root;                   // I  of its own space
    va_t             trap, fault, exception; // I
    uint64_t         cookie;                 // I
    struct place    *place;                  // I  owner's memory
    pa_t             place_pa;               // I
    struct channel  *channel;                // I  its memory
    uint32_t         channel_head;           // l
    uint8_t         *frame_states;           // I  its memory
    uint64_t         first_frame, frame_count; // I
    struct kernel_limits limits;             // l
    uint32_t         locked_spaces, locked_threads;   // l  in use
    uint32_t         held[HELD_COUNT];       // l  descriptors that it loaded: see quota.h
    uint32_t         lower_from;             // l  no thread of it before this slot is above its highest priority
    uint32_t         looked[OBJECT_MAPPING]; // l  progress of its search for a victim, by type: see cache.c
    uint32_t         class;                  // l  as a victim, by the last sweep over the threads
    uint32_t         threads;                // l  that depend on it: run in it or are its own
    oid_t            listener;               // l  thread to signal, may be stale
    uint64_t         grant_next;             // l  progress of a grant: groups to check, to set, then frames
    uint64_t         grant_key;              // l  which grant that is, 0: none
    bool             narrower;               // l  it takes rights away
    uint32_t         scan;                   // l  progress of an unload or a grant over threads and spaces
    struct share    *share;                  // l  one for each processor
    uint64_t         within;                 // l  processors where it is within its share, a bit each
    uint8_t         *rights;                 // l  2 bits for each page group
};

// Load for the first kernel.
err_t appkernel_load(struct cpu *cpu, const struct kernel_desc *d, oid_t *id);
// Set a fresh kernel object up, without rights.  d has been checked.
void  appkernel_fill(struct instance *in, struct appkernel *k, const struct kernel_desc *d, struct space *space);
// One bounded step of an unload; true when the slot is free.
bool  appkernel_unload_step(struct cpu *cpu, struct appkernel *k);
// Set rights on page groups, unloading what they no longer cover, step by step (ERR_RESTART).
err_t appkernel_grant(struct cpu *cpu, struct appkernel *k, uint64_t group, uint64_t count, uint64_t access);
// A lock counts only while everything the object depends on is locked.
bool  appkernel_pinned(const struct appkernel *k);
