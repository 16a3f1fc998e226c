// vm.h - a program's memory: an address space of the library (lib/memory), with what Linux adds to it.
//
// Regions show segments: files (filedata.c), memory that processes share, or nothing but zeros of their own.  Access
// rights are PROT_* as they are, since the library's have the same values.
// Everything is under the giant.
#pragma once
#include <segment.h>

#include "linux.h"
#include "ux.h"

_Static_assert((int)PROT_READ == MAP_READ && (int)PROT_WRITE == MAP_WRITE && (int)PROT_EXEC == MAP_EXEC,
               "rights of regions");

enum region_tag { REGION_PLAIN = 0, REGION_HEAP = 1, REGION_STACK = 2, REGION_GROWS = 4 };       // bits

struct vm {
    struct place   place;                // first: 64 bytes, aligned
    struct aspace  as;
    unsigned       users;                // tasks
    va_t           brk_start, brk;
    va_t           stack_limit;          // bytes
    va_t           arguments, arguments_end;
};

enum { VM_REGIONS = 8192 };
#define VM_LOW       0x10000ull          // mmap_min_addr
#define VM_STACK_TOP 0x00007ffffff00000ull
#define VM_STACK_GAP (64ull << 20)       // below the stack's top: left to the stack
#define VM_END       ABI_USER_END

// vm.c
extern struct manager vm_manager;                                    // of all frames of programs
struct vm *vm_create(void);
struct vm *vm_copy(struct vm *from);                                 // fork
void vm_put(struct vm *vm);
int  vm_map(struct vm *vm, const struct region *like);               // aspace_bind; takes the user, error or not
int  vm_unmap(struct vm *vm, va_t start, va_t end);                  // aspace_unbind
va_t vm_place(struct vm *vm, uint64_t length);                       // free addresses for mmap; 0: none

// Memory that several processes share without a file: a segment with one user.
struct segment *shared_create(void);

// fault.c
// The frame for an access, made or copied as needed.  0; -EFAULT: no region; -EACCES: not allowed;
// -ENOMEM; -EIO: beyond the end of the file.
int  vm_page(struct vm *vm, va_t va, uint32_t access, uint64_t *entry);
// The same for a fault with this error code: what is to be loaded.
int  vm_fault(struct vm *vm, va_t va, uint64_t error, struct map_entry *load);
