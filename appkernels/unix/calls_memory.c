// calls_memory.c - mmap, munmap, mprotect, mremap, madvise, msync, brk.
#include <base.h>
#include <sys.h>

#include "calls.h"
#include "inode.h"
#include "task.h"
#include "vm.h"

static va_t page_up(va_t va)
{
    return (va + ABI_PAGE - 1) & ~(va_t)(ABI_PAGE - 1);
}

static bool aligned(va_t va)
{
    return (va & (ABI_PAGE - 1)) == 0;
}

// A range of whole pages in user space.
static bool range_valid(va_t start, uint64_t length)
{
    return aligned(start) && length != 0 && start < VM_END && length <= VM_END - start;
}

// More than all memory can never be touched: better refused now.
static bool too_much(uint64_t length)
{
    uint64_t total, free;

    ux_memory_info(&total, &free);
    return length > total;
}

// Where a new region goes.
static long choose_place(struct vm *vm, va_t hint, uint64_t length, uint32_t flags, va_t *at)
{
    if (flags & (LINUX_MAP_FIXED | LINUX_MAP_FIXED_NOREPLACE)) {
        if (!aligned(hint)) {
            return -EINVAL;
        }
        if (hint < VM_LOW) {
            return -EPERM;
        }
        if (!range_valid(hint, length)) {
            return -ENOMEM;
        }
        *at = hint;
        if ((flags & LINUX_MAP_FIXED_NOREPLACE) && !aspace_is_free(&vm->as, hint, hint + length)) {
            return -EEXIST;
        }
        return 0;
    }
    hint = page_up(hint);
    if (hint >= VM_LOW && range_valid(hint, length) && hint + length <= VM_STACK_TOP - VM_STACK_GAP &&
        aspace_is_free(&vm->as, hint, hint + length)) {
        *at = hint;
        return 0;
    }
    *at = vm_place(vm, length);
    return *at != 0 ? 0 : -ENOMEM;
}

// What backs a new region.
static long choose_backing(struct task *t, const uint64_t a[6], uint32_t flags, struct region *r)
{
    if (flags & LINUX_MAP_ANONYMOUS) {
        if (r->shared && (r->segment = shared_create()) == NULL) {
            return -ENOMEM;
        }
        return 0;
    }
    if (!aligned(a[5]) || a[5] > FILEDATA_MAX || r->end - r->start > FILEDATA_MAX - a[5]) {
        return aligned(a[5]) ? -EOVERFLOW : -EINVAL;
    }
    r->page = a[5] >> ABI_PAGE_SHIFT;
    bool write = r->shared && (r->access & PROT_WRITE);
    struct inode *i, *again;
    long e = fd_mmap_inode(t, (int)a[4], write, &i);
    if (e != 0) {
        return e;
    }
    r->segment = inode_segment(i);
    inode_put(i);
    if (r->shared && !write) {
        // mprotect may ask for writing later: only if the descriptor allows it.
        if (fd_mmap_inode(t, (int)a[4], true, &again) == 0) {
            inode_put(again);
        } else {
            r->most &= ~(uint32_t)PROT_WRITE;
        }
    }
    return 0;
}

static void populate(struct vm *vm, va_t start, va_t end, uint32_t prot)
{
    uint64_t entry;

    for (va_t va = start; va < end; va += ABI_PAGE) {
        if (vm_page(vm, va, prot & PROT_WRITE ? E_WRITE : E_READ, &entry) != 0) {
            return;
        }
    }
}

long ux_sys_mmap(struct task *t, const uint64_t a[6])
{
    struct vm *vm = t->vm;
    uint32_t flags = (uint32_t)a[3], type = flags & LINUX_MAP_TYPE;
    uint64_t length = page_up(a[1]);
    va_t at = 0;

    if (a[1] == 0 || (type != LINUX_MAP_SHARED && type != LINUX_MAP_PRIVATE && type != LINUX_MAP_SHARED_VALIDATE)) {
        return -EINVAL;
    }
    if (length == 0 || length > VM_END ||
        (type == LINUX_MAP_PRIVATE && (a[2] & PROT_WRITE) && too_much(length))) {
        return -ENOMEM;
    }
    long e = choose_place(vm, a[0], length, flags, &at);
    if (e != 0) {
        return e;
    }
    struct region r = {.start = at, .end = at + length, .access = (uint32_t)a[2] & PROT_ALL, .most = PROT_ALL,
                       .shared = type != LINUX_MAP_PRIVATE,
                       .tag = flags & LINUX_MAP_GROWSDOWN ? REGION_GROWS : REGION_PLAIN};
    e = choose_backing(t, a, flags, &r);
    if (e != 0) {
        return e;
    }
    e = vm_unmap(vm, r.start, r.end);
    if (e != 0) {
        segment_put(r.segment);
        return e;
    }
    e = vm_map(vm, &r);
    if (e != 0) {
        return e;
    }
    if (flags & LINUX_MAP_POPULATE) {
        populate(vm, at, at + length, r.access);
    }
    return (long)at;
}

long ux_sys_munmap(struct task *t, const uint64_t a[6])
{
    uint64_t length = page_up(a[1]);

    return range_valid(a[0], length) ? vm_unmap(t->vm, a[0], a[0] + length) : -EINVAL;
}

// Is the whole range mapped, and does nothing forbid these rights?  If not, *end is moved to where that is.
static long protect_check(struct vm *vm, va_t start, va_t *end, uint32_t prot)
{
    err_t e = aspace_check(&vm->as, start, end, prot);
    return e == ERR_OK ? 0 : e == ERR_DENIED ? -EACCES : -ENOMEM;
}

long ux_sys_mprotect(struct task *t, const uint64_t a[6])
{
    struct vm *vm = t->vm;
    va_t start = a[0], end = start + page_up(a[1]);
    uint32_t prot = (uint32_t)a[2];

    if (!aligned(start) || (a[2] & ~(uint64_t)(PROT_ALL | PROT_GROWSDOWN)) != 0) {
        return -EINVAL;
    }
    if (end == start) {
        return 0;
    }
    if (!range_valid(start, end - start)) {
        return -ENOMEM;
    }
    if (prot & PROT_GROWSDOWN) {
        struct region *r = aspace_find(&vm->as, start);
        if (r == NULL || !(r->tag & REGION_GROWS)) {
            return -EINVAL;
        }
        start = r->start;
        prot &= PROT_ALL;
    }
    // As in Linux, what comes before a hole or a refusal is changed.
    long refused = protect_check(vm, start, &end, prot);
    if (end > start && aspace_protect(&vm->as, start, end, prot) != ERR_OK) {
        return -ENOMEM;
    }
    return refused;
}

long ux_sys_brk(struct task *t, const uint64_t a[6])
{
    struct vm *vm = t->vm;
    va_t old = page_up(vm->brk), new = page_up(a[0]);

    if (a[0] < vm->brk_start || a[0] >= VM_STACK_TOP - VM_STACK_GAP || too_much(a[0] - vm->brk_start)) {
        return (long)vm->brk;
    }
    if (new > old) {
        struct region r = {.start = old, .end = new, .access = PROT_READ | PROT_WRITE, .most = PROT_ALL,
                           .tag = REGION_HEAP};
        if (!aspace_is_free(&vm->as, old, new) || vm_map(vm, &r) != 0) {
            return (long)vm->brk;
        }
    } else if (new < old && vm_unmap(vm, new, old) != 0) {
        return (long)vm->brk;
    }
    vm->brk = a[0];
    return (long)vm->brk;
}

long ux_sys_madvise(struct task *t, const uint64_t a[6])
{
    va_t start = a[0], end = start + page_up(a[1]);
    int advice = (int)a[2];

    if (!aligned(start) || end < start) {
        return -EINVAL;
    }
    bool drop = advice == LINUX_MADV_DONTNEED || advice == LINUX_MADV_FREE;
    if (!drop && !(advice >= LINUX_MADV_NORMAL && advice <= LINUX_MADV_WILLNEED) && advice != LINUX_MADV_HUGEPAGE &&
        advice != LINUX_MADV_NOHUGEPAGE && advice != LINUX_MADV_DONTDUMP && advice != LINUX_MADV_DODUMP &&
        advice != LINUX_MADV_COLD) {
        return -EINVAL;                  // also those that promise something that is not there
    }
    if (end == start) {
        return 0;
    }
    va_t checked = end;
    if (!range_valid(start, end - start)) {
        return -ENOMEM;
    }
    long e = protect_check(t->vm, start, &checked, 0);       // with holes: what is there is done, and then said
    for (struct region *r = aspace_find_from(&t->vm->as, start); drop && r != NULL && r->start < end; r = r->next) {
        if (advice == LINUX_MADV_FREE && r->segment != NULL) {
            return -EINVAL;
        }
        aspace_drop(&t->vm->as, r->start > start ? r->start : start, r->end < end ? r->end : end);
    }
    return e;
}

// Files live in memory, and a shared page is the file's own.
long ux_sys_msync(struct task *t, const uint64_t a[6])
{
    const uint64_t known = LINUX_MS_ASYNC | LINUX_MS_SYNC | LINUX_MS_INVALIDATE;
    uint64_t length = page_up(a[1]);

    if (!aligned(a[0]) || (a[2] & ~known) || (a[2] & LINUX_MS_ASYNC && a[2] & LINUX_MS_SYNC)) {
        return -EINVAL;
    }
    if (length == 0) {
        return 0;
    }
    va_t end = a[0] + length;
    return range_valid(a[0], length) ? protect_check(t->vm, a[0], &end, 0) : -ENOMEM;
}

// ---- mremap -----------------------------------------------------------------------------------------------

long ux_sys_mremap(struct task *t, const uint64_t a[6])
{
    struct vm *vm = t->vm;
    va_t start = a[0], to = a[4];
    uint64_t old = page_up(a[1]), new = page_up(a[2]), flags = a[3];

    if ((flags & ~(uint64_t)(LINUX_MREMAP_MAYMOVE | LINUX_MREMAP_FIXED)) || !aligned(start) || new == 0 || old == 0 ||
        ((flags & LINUX_MREMAP_FIXED) && !(flags & LINUX_MREMAP_MAYMOVE))) {
        return -EINVAL;
    }
    struct region *r = start < VM_END ? aspace_find(&vm->as, start) : NULL;
    if (r == NULL || old > r->end - start || new > VM_END) {
        return r == NULL || new <= VM_END ? -EFAULT : -ENOMEM;
    }
    if (!(flags & LINUX_MREMAP_FIXED)) {
        if (new <= old) {
            long e = new < old ? vm_unmap(vm, start + new, start + old) : 0;
            return e != 0 ? e : (long)start;
        }
        if (too_much(new)) {
            return -ENOMEM;
        }
        if (start + old == r->end && aspace_extend(&vm->as, r, r->start, start + new) == ERR_OK) {
            return (long)start;
        }
        if (!(flags & LINUX_MREMAP_MAYMOVE)) {
            return -ENOMEM;
        }
        to = vm_place(vm, new);
        if (to == 0) {
            return -ENOMEM;
        }
    } else {
        if (!range_valid(to, new) || to < VM_LOW || (to < start + old && start < to + new)) {
            return -EINVAL;
        }
        long e = vm_unmap(vm, to, to + new);
        if (e != 0) {
            return e;
        }
    }
    return aspace_move(&vm->as, start, old, to, new) == ERR_OK ? (long)to : -ENOMEM;
}

// Pages of a file that has become shorter: also private copies beyond its end go, as in Linux.
void ux_file_truncated(struct inode *i, uint64_t size)
{
    segment_hide(&i->data.segment, (size + ABI_PAGE - 1) >> ABI_PAGE_SHIFT, TREE_END);
}
