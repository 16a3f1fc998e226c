// large.c - 2 MiB of a program's memory at once: one fault, one mapping.
//
// The first write to an aligned 2 MiB of private memory without a file, of which no page has been touched, makes all of
// its pages, in an aligned 2 MiB of frames, as Linux does for large enough memory.  From then on each is a page like
// any other: it has an entry and its frame has users of its own, so fork, mprotect, munmap and mremap need not know.
// Their entries are marked E_LARGE.  A fault on one of them looks whether all 512 are still what one mapping can
// stand for (these frames, readable and writable) and loads that; if not, the marks go, and with them what is loaded.
//
// Whoever changes an entry unloads its page, if E_MAPPED says so, and with it the whole large mapping
// (abi/object.h): so E_MAPPED is set in all 512 before that is loaded.
#include "vm.h"

#include <base.h>

enum { FRAMES = ABI_LARGE / ABI_PAGE, BITS = E_PRESENT | E_READ | E_WRITE | E_LARGE };

static uint64_t first_page(va_t va)
{
    return (va & ~(va_t)(ABI_LARGE - 1)) >> ABI_PAGE_SHIFT;
}

// Half of the memory stays for pages: a program that touches little of each 2 MiB must not use up all.
static bool plenty(void)
{
    uint64_t total, free;

    ux_memory_info(&total, &free);
    return free > total / 2 + ABI_LARGE;
}

static bool untouched(struct vm *vm, uint64_t first)
{
    uint64_t index = first;

    return tree_next(&vm->pages, &index, first + FRAMES) == NULL;
}

static bool make_nodes(struct vm *vm, uint64_t first)
{
    for (uint64_t i = 0; i < FRAMES; i += TREE_SLOTS) {
        if (tree_make(&vm->pages, first + i) == NULL) {
            tree_prune(&vm->pages, first, first + FRAMES);
            return false;
        }
    }
    return true;
}

bool vm_large_touch(struct vm *vm, const struct region *r, va_t va)
{
    uint64_t first = first_page(va);
    va_t start = first << ABI_PAGE_SHIFT;

    if (r->inode != NULL || r->shared != NULL || r->grows_down || r->prot != (PROT_READ | PROT_WRITE) ||
        start < r->start || r->end - start < ABI_LARGE || !plenty() || !untouched(vm, first)) {
        return false;
    }
    if (!make_nodes(vm, first)) {
        return false;
    }
    pa_t frame = ak_frame_alloc_large();
    if (frame == 0) {
        tree_prune(&vm->pages, first, first + FRAMES);
        return false;
    }
    memset(ak_window(frame), 0, ABI_LARGE);
    for (uint64_t i = 0; i < FRAMES; i++) {
        *tree_find(&vm->pages, first + i) = (frame + (i << ABI_PAGE_SHIFT)) | BITS;
    }
    vm->resident += FRAMES;
    return true;
}

static bool whole(struct vm *vm, uint64_t first, pa_t frame)
{
    for (uint64_t i = 0; i < FRAMES; i++) {
        const uint64_t *slot = tree_find(&vm->pages, first + i);
        if (slot == NULL || (*slot & ~(uint64_t)E_MAPPED) != ((frame + (i << ABI_PAGE_SHIFT)) | BITS)) {
            return false;
        }
    }
    return true;
}

bool vm_large_map(struct vm *vm, va_t va, uint64_t entry)
{
    uint64_t first = first_page(va), *slot;

    if (!(entry & E_LARGE)) {
        return false;
    }
    pa_t frame = (entry & ~(uint64_t)E_BITS) - (((va >> ABI_PAGE_SHIFT) - first) << ABI_PAGE_SHIFT);
    bool large = frame % ABI_LARGE == 0 && whole(vm, first, frame);
    if (!large) {
        vm_unload(vm, first << ABI_PAGE_SHIFT, (first + FRAMES) << ABI_PAGE_SHIFT);
    }
    for (uint64_t index = first; (slot = tree_next(&vm->pages, &index, first + FRAMES)) != NULL; index++) {
        *slot = large ? *slot | E_MAPPED : *slot & ~(uint64_t)(E_LARGE | E_MAPPED);
    }
    return large;
}
