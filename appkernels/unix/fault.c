// fault.c - a page of a program: found, made, or copied; and what is loaded for it.
#include "vm.h"

#include <base.h>
#include <resources.h>
#include <sys.h>

#include "task.h"

// A frame; if there is none, the memory of ended tasks may help.
static pa_t frame_get(void)
{
    pa_t frame = resources_frame();

    if (frame == 0) {
        task_collect();
        frame = resources_frame();
    }
    return frame;
}

static pa_t frame_zero(void)
{
    pa_t frame = frame_get();

    if (frame != 0) {
        memset(ak_window(frame), 0, ABI_PAGE);
    }
    return frame;
}

// Linux lets a stack grow to any address that is not too far below, and keeps a gap to what is under it.
static struct region *grow_stack(struct vm *vm, va_t va)
{
    struct region *r = vm_find_from(vm, va);
    va_t start = va & ~(va_t)(ABI_PAGE - 1);

    if (r == NULL || !r->grows_down || r->end - start > vm->stack_limit || start < VM_LOW) {
        return NULL;
    }
    if (r->prev != NULL && start < r->prev->end + (r->prev->prot != 0 ? 256 * ABI_PAGE : 0)) {
        return NULL;
    }
    vm->total += (r->start - start) >> ABI_PAGE_SHIFT;
    r->start = start;
    return r;
}

static int check_access(const struct region *r, uint32_t access)
{
    uint32_t need = access == E_WRITE ? PROT_WRITE : access == E_EXEC ? PROT_EXEC : PROT_ALL;
    return r->prot & need ? 0 : -EACCES;
}

// The frame that a page of a region has from the beginning, with a user for us.
static int first_frame(struct region *r, va_t va, pa_t *frame)
{
    uint64_t page = r->page + ((va - r->start) >> ABI_PAGE_SHIFT);

    if (r->inode != NULL) {
        *frame = inode_page(r->inode, page, r->is_shared && (r->prot & PROT_WRITE));
        if (*frame == 0) {
            return page << ABI_PAGE_SHIFT >= inode_size(r->inode) ? -EIO : -ENOMEM;
        }
        return 0;
    }
    if (r->shared == NULL) {
        *frame = frame_zero();
        return *frame != 0 ? 0 : -ENOMEM;
    }
    uint64_t *slot = tree_make(&r->shared->pages, page);
    if (slot == NULL || (*slot == 0 && (*slot = frame_zero()) == 0)) {
        return -ENOMEM;
    }
    *frame = *slot;
    ak_frame_get(*frame);
    return 0;
}

// Another frame takes the place of the one in the slot.
static void replace(struct vm *vm, uint64_t *slot, va_t va, pa_t frame)
{
    va_t page = va & ~(va_t)(ABI_PAGE - 1);

    if (*slot & E_MAPPED) {
        vm_unload(vm, page, page + ABI_PAGE);
    }
    ak_frame_put(*slot & ~(uint64_t)E_BITS);
    *slot = frame | E_PRESENT;
}

// A page of a shared file was found for reading; now it will be written.
static int make_shared_writable(struct vm *vm, struct region *r, va_t va, uint64_t *slot)
{
    pa_t frame = 0;

    if (r->inode == NULL) {
        return 0;
    }
    int e = first_frame(r, va, &frame);
    if (e == 0) {
        replace(vm, slot, va, frame);
    }
    return e;
}

static int make_private(struct vm *vm, va_t va, uint64_t *slot)
{
    pa_t old = *slot & ~(uint64_t)E_BITS;

    if (ak_frame_users(old) == 1) {
        return 0;
    }
    pa_t frame = frame_get();
    if (frame == 0) {
        return -ENOMEM;
    }
    memcpy(ak_window(frame), ak_window(old), ABI_PAGE);
    replace(vm, slot, va, frame);
    return 0;
}

static uint64_t allowed(const struct region *r, uint64_t slot)
{
    uint64_t bits = r->prot != 0 ? E_READ : 0;

    if (r->prot & PROT_EXEC) {
        bits |= E_EXEC;
    }
    if (r->is_shared) {
        return bits | E_SHARED | (r->prot & PROT_WRITE ? E_WRITE : 0);
    }
    if ((r->prot & PROT_WRITE) && ak_frame_users(slot & ~(uint64_t)E_BITS) == 1) {
        bits |= E_WRITE;
    }
    return bits;
}

static int fill(struct vm *vm, struct region *r, va_t va, uint32_t access, uint64_t *entry)
{
    uint64_t page = va >> ABI_PAGE_SHIFT, *slot = tree_make(&vm->pages, page);
    pa_t frame;
    int e = slot == NULL ? -ENOMEM : *slot == 0 ? first_frame(r, va, &frame) : 0;

    if (e != 0) {
        tree_prune(&vm->pages, page, page + 1);          // nodes that came for nothing
        return e;
    }
    if (*slot == 0) {
        *slot = frame | E_PRESENT;
        vm->resident++;
    } else if (access == E_WRITE && r->is_shared && !(*slot & E_WRITE)) {
        e = make_shared_writable(vm, r, va, slot);
    }
    if (e == 0 && access == E_WRITE && !r->is_shared) {
        e = make_private(vm, va, slot);
    }
    if (e == 0) {
        *slot = (*slot & ~(uint64_t)(E_BITS & ~E_MAPPED)) | E_PRESENT | allowed(r, *slot);
        *entry = *slot;
    }
    return e;
}

int vm_page(struct vm *vm, va_t va, uint32_t access, uint64_t *entry)
{
    uint64_t *slot = va < VM_END ? tree_find(&vm->pages, va >> ABI_PAGE_SHIFT) : NULL;

    if (slot != NULL && (*slot & access)) {
        *entry = *slot;
        return 0;
    }
    if (va >= VM_END) {
        return -EFAULT;
    }
    struct region *r = vm_find(vm, va);
    if (r == NULL) {
        r = grow_stack(vm, va);
    }
    if (r == NULL) {
        return -EFAULT;
    }
    int e = check_access(r, access);
    if (e == 0 && access == E_WRITE && vm_large_touch(vm, r, va)) {
        *entry = *tree_find(&vm->pages, va >> ABI_PAGE_SHIFT);
        return 0;
    }
    return e != 0 ? e : fill(vm, r, va, access, entry);
}

// Writable and executable at once is refused by the supervisor: such a page is what was asked for last.
uint64_t vm_map_flags(uint64_t entry, uint32_t access)
{
    if ((entry & E_EXEC) && (access == E_EXEC || !(entry & E_WRITE))) {
        return MAP_READ | MAP_EXEC;
    }
    return entry & E_WRITE ? MAP_READ | MAP_WRITE : MAP_READ;
}

// May pages of this region be mapped before they are touched?  Those of a file that cost no copy and no new frame.
static bool may_precede(const struct region *r, uint32_t access)
{
    return r->inode != NULL && access != E_WRITE && !r->is_shared && !(r->prot & PROT_WRITE);
}

static bool in_file(const struct region *r, va_t va)
{
    return (r->page << ABI_PAGE_SHIFT) + (va - r->start) < inode_size(r->inode);
}

void vm_around(struct vm *vm, va_t va, uint32_t access)
{
    struct region *r = vm_find(vm, va);
    va_t page = va & ~(va_t)(ABI_PAGE - 1), window = (va_t)FAULT_AROUND << ABI_PAGE_SHIFT;
    struct map_entry entry[FAULT_AROUND];
    uint64_t count = 0, loaded = 0;

    // Not worth it where mappings are scarce, nor for memory without a file that nobody has touched.
    if (r == NULL || vm->space == 0 || ak_system->mappings < 1024) {
        return;
    }
    va_t from = page & ~(window - 1), to = from + window;
    from = from > r->start ? from : r->start;
    to = to < r->end ? to : r->end;
    bool precede = may_precede(r, access);
    // A window lies in one leaf of the tree: the one that has the page.
    uint64_t *slot = tree_find(&vm->pages, from >> ABI_PAGE_SHIFT);
    for (va_t at = from; at < to; at += ABI_PAGE, slot++) {
        uint64_t ignore;
        if ((*slot & (E_MAPPED | E_READ)) != E_READ &&
            (*slot != 0 || !precede || !in_file(r, at) || fill(vm, r, at, access, &ignore) != 0)) {
            continue;
        }
        *slot |= E_MAPPED;
        entry[count++] = (struct map_entry){at, *slot & ~(uint64_t)E_BITS, vm_map_flags(*slot, access)};
    }
    if (count > 0) {
        (void)sys_mapping_load_batch(vm->space, entry, count, &loaded);
    }
}
