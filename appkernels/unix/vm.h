// vm.h - a program's memory: regions, its pages, and the space that caches them.
//
// A vm is a list of regions by rising address, and a tree with an entry for each page that has a frame: the frame's
// address and what may be done with it.  The supervisor's space is only a cache of the tree: it can be written back
// at any moment; then the id is stale, and faults load the mappings again into a new space.
//
// Rules:
//   - A frame in the tree has one user counted for this entry.  A page of a private region may be written when this
//     user is the only one; else the write copies it first (fork, pages of files).
//   - E_WRITE is only set where a write needs no more decision.
//   - A mapping is removed from the space before its frame is given back, and a stale space is known to be gone
//     (ak_space_finish) before that.
// Everything is under the giant.
#pragma once
#include "linux.h"
#include "ux.h"

enum {                                   // of a page entry, in the bits below the frame's address
    E_PRESENT = 1,
    E_READ    = 2,
    E_WRITE   = 4,
    E_EXEC    = 8,
    E_SHARED  = 16,                      // of a shared region
    E_MAPPED  = 32,                      // has been loaded into the space: a hint
    E_LARGE   = 64,                      // its 2 MiB came as one, and may still be mapped as one: see large.c
    E_BITS    = 4095,
};

enum { TREE_SHIFT = 6, TREE_SLOTS = 64, TREE_LEVELS = 6 };

struct tree_node {
    uint64_t slot[TREE_SLOTS];           // pointers, or entries in the lowest level
};
struct tree {                            // index: page number
    struct tree_node *root;
    struct tree_node *leaf;              // the one found last, or NULL
    uint64_t          leaf_index;        // index >> TREE_SHIFT of it
};

// Memory that several processes share without a file.
struct shared {
    unsigned    users;
    struct tree pages;
};

enum region_kind { REGION_PLAIN, REGION_HEAP, REGION_STACK };

struct region {
    struct region *next, *prev;
    va_t     start, end;
    uint32_t prot;                       // PROT_*
    uint32_t max_prot;                   // mprotect allows no more
    bool     is_shared;
    bool     grows_down;
    uint8_t  kind;
    struct inode  *inode;                // a user, or NULL
    struct shared *shared;               // a user, or NULL
    uint64_t page;                       // of inode or shared, at start
};

struct vm {
    struct place   place;                // first: 64 bytes, aligned
    unsigned       users;                // tasks
    oid_t          space;                // may be stale; 0: never loaded
    struct region *first, *last, *hint;
    unsigned       regions;
    struct tree    pages;
    uint64_t       resident, total;      // pages
    va_t           brk_start, brk;
    va_t           stack_limit;          // bytes
    va_t           arguments, arguments_end;
};

enum {
    VM_REGIONS = 8192,
    FAULT_AROUND = 16,                   // pages
};
#define VM_LOW       0x10000ull          // mmap_min_addr
#define VM_STACK_TOP 0x00007ffffff00000ull
#define VM_STACK_GAP (64ull << 20)       // below the stack's top: left to the stack
#define VM_END       ABI_USER_END

// tree.c
uint64_t *tree_find(struct tree *t, uint64_t index);                 // NULL: no leaf there
uint64_t *tree_make(struct tree *t, uint64_t index);                 // NULL: no memory
uint64_t *tree_next(struct tree *t, uint64_t *index, uint64_t end);  // next slot that is not 0
void tree_prune(struct tree *t, uint64_t from, uint64_t end);        // free nodes without entries
void tree_destroy(struct tree *t);                                   // of entries that are 0 or need nothing

// vm.c
struct vm *vm_create(void);
struct vm *vm_copy(struct vm *from);                                 // fork
void vm_put(struct vm *vm);
struct region *vm_find(struct vm *vm, va_t va);                      // the region with this address, or NULL
struct region *vm_find_from(struct vm *vm, va_t va);                 // the first that ends above it
int  vm_map(struct vm *vm, const struct region *like);               // a new region, in free addresses
int  vm_unmap(struct vm *vm, va_t start, va_t end);
int  vm_split(struct vm *vm, va_t at);
void vm_join(struct vm *vm, va_t start, va_t end);                   // regions that have become alike
void vm_extend(struct vm *vm, struct region *r, va_t end);           // into free addresses
void vm_drop_pages(struct vm *vm, va_t start, va_t end);
void vm_unload(struct vm *vm, va_t start, va_t end);                 // from the space
bool vm_is_free(struct vm *vm, va_t start, va_t end);
va_t vm_place(struct vm *vm, uint64_t length, va_t align);           // free addresses for mmap; 0: none
void region_release(struct region *r);                               // its users of inode or shared
struct shared *shared_create(void);
void shared_put(struct shared *s);

// fault.c
// The frame for an access, made or copied as needed.  0; -EFAULT: no region; -EACCES: not allowed;
// -ENOMEM; -EIO: beyond the end of the file.
int  vm_page(struct vm *vm, va_t va, uint32_t access, uint64_t *entry);
uint64_t vm_map_flags(uint64_t entry, uint32_t access);
void vm_around(struct vm *vm, va_t va, uint32_t access);             // load neighbours too

// large.c
// A first write to memory without a file: the 2 MiB around va at once, if there is enough.  False: a page is made.
bool vm_large_touch(struct vm *vm, const struct region *r, va_t va);
// May the page of this entry be loaded together with the 2 MiB around it?  It is marked so.
bool vm_large_map(struct vm *vm, va_t va, uint64_t entry);
