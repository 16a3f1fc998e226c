// activation.h - spaces that schedule their own threads: processors, activations, upcalls.
//
// A space loaded with SCHEDULE_ACTIVATIONS is given whole processors, and the supervisor never resumes a context of
// its program by itself. What runs the program on a processor is an activation: a thread descriptor of the space (its
// thread_desc names the index). Each is in one of these states:
//   fresh     in the pool: it holds nothing, and can run an upcall
//   running   on a processor that the space holds, in the program or in a handler of its owner
//   blocked   in the owner's handler, or in `wait`, without a processor
//   stopped   its program's registers are an event that has not been told yet
// There are always as many running activations as processors held.
//
// Events are told by upcalls: an activation begins at space_desc.upcall, several events at once. An event is in a
// slot, which the program has given for it and gives back; so a used-up activation is fresh again as soon as its
// registers are in a slot, and the program recycles slots in bulk, with plain stores. At an upcall all registers are
// 0 but
//     RDI  the number of the first slot; the others follow by upcall_slot.next
//     RSI  how many
//     RDX  the activation's struct activation_kernel, also its GS base
//     RSP  upcall_slot.stack of the first slot, less 8
// FS base is 0 and the extended state is that of a new program. An upcall never returns: it goes on to a context, or
// gives the processor back. It may be preempted or block like anything else: then its own context is in an event.
// When not more slots are left than the space has activations (or than half of its slots, if that is less), they are
// kept for events that have to be told, and a context that was just preempted, or that blocked and can go on with none
// of it told, goes on by itself. A context is resumed by the program itself: its registers, FS base and extended state
// are in the slot.
//
// Timers, of spaces with space_user_page.tick: the supervisor looks at those of an activation whenever it gets a
// processor or an upcall here has begun, and once a slice as long as it runs. Each value of `alarm` is heard once, by
// the first look after its moment, so at the latest at the start of the next quantum. No other upcall takes it away:
// one that begins after the moment for another reason is interrupted by UPCALL_ALARM before its first instruction. It
// waits as long as upcalls are disabled, no slot is left, or its context is in a handler; a value that is replaced
// before it was heard is forgotten.
//
// The area: memory of the owner's, named by physical address in space_desc, adjacent pages:
//     page 0             struct space_kernel_page   written by the supervisor; begins with struct area_header
//     page 1             struct space_user_page     written by the program
//     from page 2        struct activation_kernel for each activation, in whole pages
//     then               struct activation_user for each activation, in whole pages
//     then               struct upcall_slot for each slot, in whole pages
// The owner maps it at space_desc.area_va, the supervisor's pages for reading only if it likes. The supervisor
// reaches it through its own map of memory. Each word has one writer: k the supervisor, u the program. Words of the
// program are read once and checked; a program that writes nonsense harms itself.
//
// Scheduler Activations, 3; Psyche, 3 (shared pages, end-of-quantum and timers).
#pragma once
#include <abi/frame.h>
#include <abi/types.h>

enum schedule {
    SCHEDULE_THREADS = 0,                // by fixed priority, slices among equals
    SCHEDULE_ACTIVATIONS = 1,
};

enum upcall_kind {                       // bits of upcall_slot.kinds
    UPCALL_ADDED     = 1,                // the space holds this processor now
    UPCALL_PREEMPTED = 2,                // a context was stopped
    UPCALL_BLOCKED   = 4,                // an activation has blocked; its context comes with UPCALL_UNBLOCKED
    UPCALL_UNBLOCKED = 8,
    UPCALL_INTERVAL  = 16,               // its interval timer; the context was stopped
    UPCALL_ALARM     = 32,               // its alarm; the context was stopped
    UPCALL_QUANTUM   = 64,               // warning: the processor will be taken in a quarter of a slice; stopped
    UPCALL_FAULT     = 128,              // the owner has refused the access of the context, which says what it was
    UPCALL_OWNER     = 256,              // an event of the owner's, with its value
    UPCALL_TAKEN     = 512,              // beside PREEMPTED or BLOCKED: and the space lost the processor
};
enum {                                   // with one of these the slot has a context
    UPCALL_CONTEXT = UPCALL_PREEMPTED | UPCALL_UNBLOCKED | UPCALL_INTERVAL | UPCALL_ALARM | UPCALL_QUANTUM |
                     UPCALL_FAULT | UPCALL_OWNER,
    UPCALL_KINDS = 10,
};

enum {
    ACTIVATIONS_MOST = 256,              // of a space
    SLOTS_MOST = 512,                    // of a space, and entries of its ring
    SLOT_NONE = 0xffffffff,
    UPCALL_BATCH = 8,                    // events of one upcall at most
    UPCALL_STACK = 4096,                 // one whose RSP is so far below upcall_slot.stack is still in its upcall
};

// What the area is like, for who reads it without knowing the build: written when the space is loaded. Offsets are from
// the beginning of the area, all numbers but the first two are bytes if nothing else is said.
enum { AREA_MAGIC = 0x41455241, AREA_VERSION = 1 };    // "AREA"; the version is another one when any record changes

struct area_header {
    uint32_t magic, version;             // k
    uint32_t size;                       // k  of the area
    uint32_t user_page;                  // k  where struct space_user_page is
    uint32_t kernel_blocks, kernel_size; // k  where the first struct activation_kernel is; of each
    uint32_t user_blocks, user_size;     // k  of struct activation_user
    uint32_t slots_at, slot_size;        // k  of struct upcall_slot
    uint32_t ring;                       // k  entries of space_user_page.slot
    uint32_t kinds;                      // k  entries of space_kernel_page.told: bits of upcall_kind
};

struct space_kernel_page {
    struct area_header header;           // k  first in the area
    uint32_t activations, slots;         // k  as in space_desc
    uint32_t held;                       // k  processors that the space holds
    uint32_t helps;                      // k  so many more it might get if it wanted them: idle ones, and such as
                                         //    others have to give back
    uint64_t holds;                      // k  which, a bit each
    uint64_t changes;                    // k  of holds
    uint32_t pending;                    // k  events that have not been told.  If less than two slots were left, the
                                         //    program asks for them when it has given more: see the call `processors`
    uint32_t slots_taken;                // k  modulo 2^32; the next is slot[slots_taken % SLOTS_MOST]
    uint64_t upcalls;                    // k
    uint64_t told[UPCALL_KINDS];         // k  events, by bit of upcall_kind
    uint64_t released;                   // k  processors that the program gave back.  told ADDED - TAKEN - this = held
};

struct space_user_page {
    uint32_t wanted;                     // u  processors; see the call `processors`
    uint32_t tick;                       // u  not 0: timers of its activations are looked at, once a slice at least
    uint32_t slots_given;                // u  store-release, modulo 2^32, after the entry
    uint32_t reserved;
    uint32_t slot[SLOTS_MOST];           // u  ring of slots that the supervisor may fill, in bits 0 to 15 (the rest is
                                         //    the program's own); one that is not below space_desc.slots is skipped
};

struct activation_kernel {               // 64 bytes
    uint32_t index;                      // k
    uint32_t processor;                  // k  where it runs, or ran last
    va_t     user;                       // k  its struct activation_user
    va_t     area;                       // k  space_desc.area_va
    uint64_t alarm;                      // k  the value of activation_user.alarm that was heard last
    uint64_t reserved[4];
};

struct activation_user {                 // 64 bytes
    uint64_t thread;                     // u  the program's own, copied to the slot with its context
    uint64_t interval;                   // u  ticks of its own running until UPCALL_INTERVAL; 0: never.  Counted once,
                                         //    from when the supervisor sees another value, or an upcall here begins
    uint64_t alarm;                      // u  moment of the clock for UPCALL_ALARM; 0: never.  See below
    uint32_t disabled;                   // u  not 0: no upcalls; a context that is stopped meanwhile goes on by itself,
                                         //    and the call `processor_release` is refused.
                                         //    If it is 0 again before a handler that blocked meanwhile is done, the
                                         //    next call `processors` makes that an event; else nobody is told
    uint32_t priority;                   // u  of what runs: an event interrupts the processor with the lowest
    uint32_t warn;                       // u  not 0: UPCALL_QUANTUM before the processor goes to an equal
    uint32_t reserved0;
    uint64_t name[2];                    // u  of the process that runs: domain and serial
    uint64_t reserved;
};

struct upcall_slot {                     // 2 KiB, 64-byte aligned
    uint32_t kinds;                      // k  enum upcall_kind
    uint32_t activation;                 // k  whose event
    uint32_t processor;                  // k  where that was
    uint32_t next;                       // k  slot with the next event of this upcall, or SLOT_NONE
    uint64_t thread;                     // k  activation_user.thread at that moment
    uint64_t fs_base;                    // k
    uint64_t value;                      // k  UPCALL_OWNER: the owner's
    va_t     stack;                      // u  top of the stack for an upcall whose first event is here; aligned to 16
    uint64_t reserved[2];
    struct frame context;                // k
    uint8_t  xstate[XSTATE_SIZE] __attribute__((aligned(64)));     // k
    uint8_t  user[2048 - 256 - XSTATE_SIZE];                       // u
};

_Static_assert(sizeof(struct activation_kernel) == 64 && sizeof(struct activation_user) == 64, "activations");
_Static_assert(sizeof(struct upcall_slot) == 2048 && offsetof(struct upcall_slot, xstate) == 256, "slots");
_Static_assert(sizeof(struct area_header) == 48 && offsetof(struct space_kernel_page, header) == 0, "for any version");
_Static_assert(offsetof(struct space_kernel_page, activations) == 48 && offsetof(struct space_user_page, slot) == 16 &&
                   sizeof(struct space_kernel_page) == 184 && sizeof(struct space_user_page) == 16 + 4 * SLOTS_MOST &&
                   UPCALL_TAKEN < 1 << UPCALL_KINDS, "another AREA_VERSION");
_Static_assert(sizeof(struct space_user_page) <= ABI_PAGE && sizeof(struct space_kernel_page) <= ABI_PAGE, "pages");

// Where the parts of the area are, in bytes from its beginning.
static inline uint64_t area_pages_of(uint64_t bytes)
{
    return (bytes + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1);
}
static inline uint64_t area_kernel_blocks(void)
{
    return 2 * ABI_PAGE;
}
static inline uint64_t area_user_blocks(uint32_t activations)
{
    return 2 * ABI_PAGE + area_pages_of(activations * sizeof(struct activation_kernel));
}
static inline uint64_t area_slots(uint32_t activations)
{
    return area_user_blocks(activations) + area_pages_of(activations * sizeof(struct activation_user));
}
static inline uint64_t area_size(uint32_t activations, uint32_t slots)
{
    return area_slots(activations) + area_pages_of(slots * sizeof(struct upcall_slot));
}

// The header of such an area, as this build makes it.
static inline struct area_header area_header(uint32_t activations, uint32_t slots)
{
    return (struct area_header){AREA_MAGIC, AREA_VERSION, (uint32_t)area_size(activations, slots), ABI_PAGE,
                                (uint32_t)area_kernel_blocks(), sizeof(struct activation_kernel),
                                (uint32_t)area_user_blocks(activations), sizeof(struct activation_user),
                                (uint32_t)area_slots(activations), sizeof(struct upcall_slot), SLOTS_MOST,
                                UPCALL_KINDS};
}
// Is the area as this build knows it, with so many of both?
static inline bool area_known(const struct space_kernel_page *page, uint32_t activations, uint32_t slots)
{
    const struct area_header *h = &page->header, own = area_header(activations, slots);

    return h->magic == own.magic && h->version == own.version && h->size == own.size && h->user_page == own.user_page &&
           h->kernel_blocks == own.kernel_blocks && h->kernel_size == own.kernel_size &&
           h->user_blocks == own.user_blocks && h->user_size == own.user_size && h->slots_at == own.slots_at &&
           h->slot_size == own.slot_size && h->ring == own.ring && h->kinds == own.kinds &&
           page->activations == activations && page->slots == slots;
}
