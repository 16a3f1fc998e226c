// object.h - what is given to load an object, and how one comes back.
//
// Every place that the supervisor will write (state page, place, channel, frame-state table) is named here
// by physical address and must lie in page groups that the loading kernel may write.
// Cache Kernel, 2.1 to 2.4.
#pragma once
#include <abi/types.h>

enum object_type { OBJECT_KERNEL = 1, OBJECT_SPACE = 2, OBJECT_THREAD = 3, OBJECT_MAPPING = 4 };

enum {                                   // flags of descriptors
    LOAD_LOCKED   = 1,                   // never a victim, while all it depends on is locked too
    LOAD_SIGNALED = 2,                   // thread: its first wait returns at once
};

// Where the supervisor notes that a space or a kernel has been written back.  64 bytes, aligned.
struct place {
    uint32_t loaded;                     // k  1 while loaded
    uint32_t reason;                     // k  enum thread_reason
    uint64_t reserved[7];
};

enum trap_rule {
    TRAP_FORWARD = 0,                    // every SYSCALL goes to the kernel: Linux programs
    TRAP_NATIVE  = 1,                    // calls marked ANY run directly, the rest is forwarded
};

struct space_desc {
    uint32_t flags;                      // LOAD_LOCKED
    uint32_t rule;                       // enum trap_rule
    uint64_t cookie;                     // comes back in the writeback channel
    pa_t     place;                      // struct place
    // With SCHEDULE_ACTIVATIONS (activation.h); else 0.
    uint32_t schedule;                   // enum schedule
    uint32_t priority;                   // of its claims for processors, and of its activations; at most the kernel's
    uint32_t activations, slots;         // 1 to ACTIVATIONS_MOST, SLOTS_MOST
    pa_t     area;                       // area_size(activations, slots) bytes, page-aligned
    va_t     area_va;                    // where the program sees it; page-aligned
    va_t     upcall;                     // entry of upcalls
};

struct thread_desc {
    oid_t    space;                      // the program's space; may be 0 if the state page's depth is not 0
    uint32_t flags;                      // LOAD_LOCKED, LOAD_SIGNALED
    uint32_t priority;                   // at most the kernel's highest
    pa_t     state;                      // struct thread_state, a whole page
    va_t     state_va;                   // where handlers find it
    va_t     xstack;                     // top of the exception stack, 16-byte aligned
    uint64_t cookie;                     // given to handlers, and back in the writeback channel
    uint64_t affinity;                   // a bit for each processor it may run on; 0: all
    va_t     signal;                     // its signal function, see frame.h; 0: none, `wait` gives the addresses
    uint64_t activation;                 // its index, in a space with SCHEDULE_ACTIVATIONS; else 0.  No two loaded ones
                                         //    of a space have the same: such a load, or `resume`, is ERR_INVAL
};

// How many descriptors of a type a kernel holds.  No load evicts an object of a kernel that holds at most `least`; a
// kernel that holds `most` evicts one of its own when it loads another.  `most` is 0 (no maximum), or at least `least`,
// and so many that one can always go: locked_spaces + 1, locked_threads + 2, 16 mappings for each processor.
// A mapping with a receiver of signals, or a deferred copy, counts twice.  Locked mappings do not count.
// What goes with an evicted space or kernel goes whatever the minimum is.  A shortage of page tables, or of ways for
// mappings of frames that hash alike, takes from those above their minimum first, but takes.
struct kernel_range {
    uint32_t least, most;
};

// A thread of the kernel that is above max_priority when the limits change comes down to it.
// Over all loaded kernels, the larger of `least` and the lock quota adds up to fewer than there are: 1 space and 2
// threads less; and `least` mappings to 16 for each processor less.
struct kernel_limits {
    uint32_t max_priority;
    uint32_t locked_spaces;
    uint32_t locked_threads;
    uint32_t locked_mappings;
    struct kernel_range range[OBJECT_MAPPING + 1];   // by enum object_type; all 0 for 0 and OBJECT_KERNEL
};

struct kernel_desc {
    oid_t    space;                      // its own space: loaded, and owned by the first kernel
    uint32_t flags;                      // LOAD_LOCKED
    uint32_t reserved;
    va_t     trap, fault, exception;     // entry points of its handlers
    pa_t     place;                      // struct place
    pa_t     channel;                    // struct channel, a whole page
    pa_t     frame_states;               // one byte a frame, from first_frame on; the bits of enum frame_state
    uint64_t first_frame, frame_count;   // a frame outside cannot be mapped writable
    uint64_t cookie;
    struct kernel_limits limits;
    uint8_t  share[ABI_MAX_CPUS];        // percent of each processor
};

enum frame_state {
    FRAME_REFERENCED = 1,
    FRAME_MODIFIED = 2,
    FRAME_LOST = 4,                      // its memory has failed: the contents are gone, and it must not be used again.
                                         // Set for every kernel whose table has the frame, mapped at present or not
};

// The writeback channel: a ring that the supervisor writes and the kernel reads.  `head` counts entries
// written, modulo 2^32; entry i is at i % CHANNEL_ENTRIES.  The kernel stores in `tail` how many it has read.
// With the ring full the entry is dropped and `lost` counts it: then look at the `loaded` word of every place
// and state page.  Nothing else is lost: data is in those places before an entry is written.
// The thread that `listen` named is signalled for kernels, spaces and threads.  A mapping that was replaced is
// only noted, and only while the ring is at most half full: its bits are in the frame-state table.
enum { CHANNEL_ENTRIES = 126 };

struct channel_entry {                   // k
    uint32_t type;                       // enum object_type
    uint32_t reason;                     // enum thread_reason
    uint64_t cookie;                     // of the object; of its space for a mapping
    uint64_t id;                         // the id that is now stale; for a mapping its (first) address
    uint64_t value;                      // thread: state.value; mapping: frame_state bits
};

struct channel {
    uint32_t head;                       // k  store-release after the entry
    uint32_t lost;                       // k
    uint64_t reserved0[3];
    uint32_t tail;                       // u
    uint32_t reserved1[7];
    struct channel_entry entry[CHANNEL_ENTRIES];
};
_Static_assert(sizeof(struct channel) <= ABI_PAGE, "channel");

// A large mapping is one mapping, in the space of a program as in a kernel's own: it takes one record, is loaded,
// replaced and unloaded as a whole, and counts as one.  What is particular to it:
//   - its referenced and modified bits go to the bytes of all 512 frames, so that a frame's byte means the same
//     whatever the mappings were that it was seen through;
//   - it needs rights to all four page groups that it lies in, and goes when one of them is narrowed too far;
//   - a range of mapping_unload or mapping_protect that touches it takes all of it;
//   - loading one unloads the small mappings of its 2 MiB first, in restartable steps, and loading a small one inside
//     it unloads all of it: the rest is loaded again at its next fault.  A pager that gathers pages in a large frame
//     lowers the small mappings to reading, copies, and loads the large one over them: no store can come between;
//   - it cannot be a message page, have a receiver, or be a deferred copy.
enum map_flags {
    MAP_READ   = 1,                      // implied by the others
    MAP_WRITE  = 2,
    MAP_EXEC   = 4,                      // never together with MAP_WRITE
    MAP_LARGE  = 8,                      // 2 MiB, both addresses aligned so; see above
    MAP_LOCKED = 16,
    MAP_DEVICE = 32,                     // uncached
    MAP_MESSAGE = 64,                    // a page in message mode: whoever maps it writable may signal its addresses
    MAP_SIGNAL = 128,                    // with MAP_MESSAGE: its signals go to a thread, named in R8 of mapping_load
    MAP_COPY   = 256,                    // with MAP_WRITE: a deferred copy of the frame in R9 of mapping_load
    MAP_REMOTE = 512,                    // held elsewhere: each access is a consistency fault (frame.h), until it
                                         // is loaded without this flag, which changes it in place, as adding the flag
                                         // does.  Access flags beside it are checked, not kept.  Not with MAP_COPY
};

struct map_entry {                       // mapping_load_batch
    va_t     va;
    pa_t     pa;
    uint64_t flags;                      // enum map_flags
};
enum { MAP_BATCH = 64 };                 // entries of one call at most

enum group_access { GROUP_NONE = 0, GROUP_READ = 1, GROUP_WRITE = 3 };
