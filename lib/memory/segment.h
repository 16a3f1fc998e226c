// segment.h - memory of programs, for application kernels: segments, regions, address spaces and their manager.
//
//   segment   a sequence of pages.  What a page holds at first, where it goes, and how it is copied are operations,
//             with defaults that a program overrides: an operation that its table leaves NULL is the default.
//   region    a range of addresses that shows a range of a segment, shared or private.  One without a segment shows
//             zeros of its own.
//   aspace    an address space: its regions by rising address, and a tree with an entry for each page that has a frame.
//             The supervisor's space is only a cache of that tree: it can be written back at any moment; then its id is
//             stale, and faults load the mappings again into a new one.
//   manager   where frames come from, and which page goes when there is none.
//
// Rules:
//   - An entry has one user counted at its frame.  A page of a private region is written only when this user is the
//     frame's only one; else the write copies it first.  So a copy of an aspace shares all frames and copies none, and
//     a copy of a copy needs no chain.
//   - E_WRITE is only set where a write needs no more decision.
//   - A mapping is removed from the space before its frame is given back, and a stale space is known to be gone
//     (ak_space_finish) before that.
//   - The private copies of pages are the aspace's own: the manager replaces pages of segments only.
//
// A function that gives an error has changed nothing, unless it says so.  Addresses and lengths may be anything: they
// are checked.  Nothing here blocks, but for what a program's own operations do.
// Locking: none.  The caller holds one lock over the aspaces, segments and managers that know each other.
// Cache Kernel, 2.1 (page faults) and 3 (the class library for memory).
#pragma once
#include <appkernel.h>

// ---- tree: page number to entry ---------------------------------------------------------------------------

enum { TREE_SHIFT = 6, TREE_SLOTS = 64, TREE_LEVELS = 6 };
#define TREE_END (1ull << (TREE_SHIFT * TREE_LEVELS))       // page numbers are below

struct tree_node {
    uint64_t slot[TREE_SLOTS];           // pointers, or entries in the lowest level
};
struct tree {                            // all zero: empty
    uint64_t          root;              // the entry of page 0 if height is 0; else the highest node
    unsigned          height;            // levels of nodes
    struct tree_node *leaf;              // the one found last, or NULL
    uint64_t          leaf_index;        // its page numbers >> TREE_SHIFT
};

// The slot of a page, which may hold 0.  tree_find: NULL if there is no node for it.  tree_make: NULL if there is no
// memory, or if the number is not below TREE_END; else slots found before are not to be used any more.
uint64_t *tree_find(struct tree *t, uint64_t index);
uint64_t *tree_make(struct tree *t, uint64_t index);
// The next slot that is not 0 in [*index, end), and its number in *index; NULL: there is none.
uint64_t *tree_next(struct tree *t, uint64_t *index, uint64_t end);
// Free the nodes in [from, end) that have no entries.  Slots found before are not to be used any more.
void tree_prune(struct tree *t, uint64_t from, uint64_t end);
// Free all nodes; entries are forgotten.
void tree_destroy(struct tree *t);

// ---- manager: frames --------------------------------------------------------------------------------------

struct segment;
struct manager;
struct region;

struct manager_ops {
    // A frame with one user and any contents; 0: there is none.  Default: ak_frame_alloc_in(m->cluster).
    pa_t (*frame)(struct manager *m);
    // The frames of an aligned 2 MiB, each with one user, for the first write to as much of this region; 0: its pages
    // are made one by one.  Default: 0.
    pa_t (*large)(struct manager *m, const struct region *r);
    // There is no frame: give at least one back.  False: nothing can be given back.  Default: manager_replace.
    bool (*reclaim)(struct manager *m);
};

struct manager {                         // all zero but for what the program sets: everything is the default
    const struct manager_ops *ops;       // I  NULL: the defaults
    uint32_t cluster;                    // I  where its frames shall be, or AK_CLUSTER_ANY
    uint64_t limit;                      //    frames of its replaceable segments at most; 0: as many as there are
    uint64_t resident;                   //    frames that they have
    struct segment *hand;                //    the clock: of the ring of replaceable segments, the one it points into
    uint64_t hand_page;
    bool     busy;                       //    manager_replace runs
};

// A frame with one user and any contents; reclaims until there is one.  0: no memory.
pa_t manager_frame(struct manager *m);
// From now on pages of the segment may be replaced.  Its frames are counted from here: it has none yet.
void manager_add(struct manager *m, struct segment *s);
// The default policy, a clock over the pages of replaceable segments: unloads a page's mappings, so that the
// frame-state table has its bits; a page that was referenced gets one more round; one that was modified is written
// back first.  True: one page went.  False: none can go, after two rounds; what was unloaded faults in again.
bool manager_replace(struct manager *m);

// ---- segments ---------------------------------------------------------------------------------------------

struct segment_ops {
    // The frame of a page, with a user for the caller.  `write`: whoever shows it will write the segment's own page.
    // ERR_LIMIT: no memory; ERR_STALE: there is no such page.  Default: segment_keep.
    err_t (*page)(struct segment *s, uint64_t page, bool write, pa_t *frame);
    // Make the contents of a fresh frame for a page; for segment_keep.  Errors as above.  Default: zeros.
    err_t (*fill)(struct segment *s, uint64_t page, pa_t frame);
    // Save a page that was modified, before it is replaced.  An error: it stays.  Default: ERR_DENIED, there is no
    // place for it.
    err_t (*write_back)(struct segment *s, uint64_t page, pa_t frame);
    // Copy a page for a private region that is about to write it.  Default: all bytes, through the window.
    void  (*copy)(struct segment *s, uint64_t page, pa_t to, pa_t from);
    // A page leaves segment_keep's tree with the segment's user of the frame.  Default: ak_frame_put.
    void  (*freed)(struct segment *s, uint64_t page, pa_t frame);
    // The last user is gone.  Default: segment_destroy, and ak_free, as for one that segment_create made.
    void  (*end)(struct segment *s);
    bool  ahead;                         // its pages may be shown before they are touched: they cost no frame
};

struct segment {
    const struct segment_ops *ops;       // I
    struct manager *manager;             // I
    unsigned        users;               //    regions, and whoever else
    struct region  *bound;               //    the regions that show it
    struct tree     pages;               //    of segment_keep: frame | E_MODIFIED
    uint64_t        resident;            //    frames there
    struct segment *next, *prev;         //    the manager's ring; NULL: not replaceable
};

// A segment in memory of the program's own, with `users` users.
void segment_init(struct segment *s, const struct segment_ops *ops, struct manager *m, unsigned users);
// One with a single user.  NULL: no memory.
struct segment *segment_create(const struct segment_ops *ops, struct manager *m);
void  segment_get(struct segment *s);
void  segment_put(struct segment *s);                      // NULL is ignored
// Give all frames back and leave the manager.  No region shows it any more.
void  segment_destroy(struct segment *s);
// A page by its operation.
err_t segment_page(struct segment *s, uint64_t page, bool write, pa_t *frame);
// The default of `page`: frames are in the segment's tree, made by `fill` at the first use.
err_t segment_keep(struct segment *s, uint64_t page, bool write, pa_t *frame);
// Without one more user; 0: segment_keep has none for it.
pa_t  segment_frame(struct segment *s, uint64_t page);
// Give a frame, with its user, to a page that has none.  ERR_LIMIT: no memory; ERR_INVAL: no such number.
err_t segment_set(struct segment *s, uint64_t page, pa_t frame);
// Give the frames of [from, end) back.  Those that regions show stay with them: segment_hide before or after.
void  segment_drop(struct segment *s, uint64_t from, uint64_t end);
// Take the pages [from, end) out of every region that shows them, private copies too: they fault in again.
void  segment_hide(struct segment *s, uint64_t from, uint64_t end);

// ---- regions and address spaces ---------------------------------------------------------------------------

enum {                                   // of an entry, in the bits below the frame's address
    E_PRESENT = 1,
    E_READ    = 2,
    E_WRITE   = 4,
    E_EXEC    = 8,
    E_SHARED  = 16,                      // of a shared region
    E_MAPPED  = 32,                      // has been loaded into the space: a hint
    E_MODIFIED = 64,                     // in a segment's tree: not written back since
    E_LARGE   = 128,                     // its 2 MiB came as one, and may still be mapped as one: see large.c
    E_BITS    = 4095,
};

struct region {
    struct region  *next, *prev;
    va_t            start, end;
    uint32_t        access;              // MAP_READ, MAP_WRITE, MAP_EXEC; 0: none
    uint32_t        most;                // aspace_protect allows no more
    uint32_t        tag;                 // the program's: regions with different ones are never joined
    bool            shared;              // writes go to the segment; else to private copies
    struct segment *segment;             // a user, or NULL: zeros
    uint64_t        page;                // of the segment, at start
    struct aspace  *aspace;
    struct region  *next_bound, *prev_bound;     // those of the same segment
};

struct aspace {                          // all zero but for manager and most_regions: empty
    struct manager *manager;             // I  of pages without a segment, and of private copies
    unsigned        most_regions;        // I
    unsigned        regions;
    oid_t           id;                  // of the space; may be stale; 0: never loaded
    struct region  *first, *last, *hint;
    struct tree     pages;               // entries: frame | E_...
    uint64_t        resident, total;     // pages with an entry, pages of regions
    bool            sparse;              // a manager took pages: nodes of the tree may be empty
};

enum { ASPACE_AROUND = 16 };             // pages that one fault may load

// The region with this address, or NULL.
struct region *aspace_find(struct aspace *a, va_t va);
// The first that ends above it, or NULL.
struct region *aspace_find_from(struct aspace *a, va_t va);
bool  aspace_is_free(struct aspace *a, va_t start, va_t end);
// The highest free range of this length in [low, top), aligned (a power of two, at least a page); 0: none.
va_t  aspace_gap(struct aspace *a, va_t low, va_t top, uint64_t length, va_t align);

// A new region like this one, with start, end, access, most, tag, shared, segment and page set.  It becomes part of the
// one before it if they are alike.  Takes over the caller's user of the segment, but not with an error.
// ERR_INVAL: the range is empty, not of whole pages, not in user space or not free, the segment has no such
// pages, or shared memory has no segment;
// ERR_LIMIT: no memory, or most_regions.
err_t aspace_bind(struct aspace *a, const struct region *like);
// Nothing is there any more.  ERR_INVAL: bad range; ERR_LIMIT: no memory to split a region.
err_t aspace_unbind(struct aspace *a, va_t start, va_t end);
// Regions of the range get this access.  ERR_INVAL: bad range, or it has a hole; ERR_DENIED: more than `most` of one;
// ERR_LIMIT: as above.
err_t aspace_protect(struct aspace *a, va_t start, va_t end, uint32_t access);
// Would aspace_protect find a hole or a refusal?  Then *end is moved to where.
err_t aspace_check(struct aspace *a, va_t start, va_t *end, uint32_t access);
// Give a region other bounds, which have the old ones in them.  ERR_INVAL: they have not, or are not free.
err_t aspace_extend(struct aspace *a, struct region *r, va_t start, va_t end);
// Move [start, start + length), all of one region, with its pages to free addresses, where it is new_length long.
// ERR_INVAL: bad ranges; ERR_LIMIT: no memory.
err_t aspace_move(struct aspace *a, va_t start, uint64_t length, va_t to, uint64_t new_length);
// Forget the pages in the range: zeros again, or what the segment has.  Its regions stay.
void  aspace_drop(struct aspace *a, va_t start, va_t end);
// Remove mappings of the range from the space, or know that the space is gone.
void  aspace_unload(struct aspace *a, va_t start, va_t end);
// `to`, which is empty, gets the same regions; private pages of both are copied by whoever writes first.
// ERR_LIMIT: no memory; `to` has a part of it, which aspace_destroy frees.
err_t aspace_copy(struct aspace *to, struct aspace *from);
// Give everything back, and the space too.
void  aspace_destroy(struct aspace *a);

// ---- faults -----------------------------------------------------------------------------------------------

// What aspace_page does when the entry is not enough.
err_t aspace_make(struct aspace *a, va_t va, uint32_t access, uint64_t *slot, uint64_t *entry);
// The entry of the page for an access (E_READ, E_WRITE or E_EXEC), made or copied as needed.
// ERR_INVAL: no region; ERR_DENIED: not allowed; ERR_LIMIT: no memory; or what the segment said.
static inline err_t aspace_page(struct aspace *a, va_t va, uint32_t access, uint64_t *entry)
{
    uint64_t *slot = va < ABI_USER_END ? tree_find(&a->pages, va >> ABI_PAGE_SHIFT) : NULL;

    if (slot != NULL && (*slot & access)) {
        *entry = *slot;
        return ERR_OK;
    }
    return aspace_make(a, va, access, slot, entry);
}
// What a fault at va with this error code (FAULT_...) has to load: give it to ak_map_and_resume when no lock is held
// any more, or to sys_mapping_load while others use the same aspace, so that it is not taken away in between.
// Neighbours that are there already are loaded here.  Errors as of aspace_page.
err_t aspace_fault(struct aspace *a, va_t va, uint64_t error, struct map_entry *load);

static inline pa_t entry_frame(uint64_t entry)
{
    return entry & ~(uint64_t)E_BITS;
}
