// vm.c - regions: making, splitting, removing and copying them.  See vm.h.
#include "vm.h"

#include <base.h>
#include <sys.h>

static uint64_t page_of(va_t va)
{
    return va >> ABI_PAGE_SHIFT;
}

struct shared *shared_create(void)
{
    struct shared *s = ak_alloc(sizeof(*s));

    if (s != NULL) {
        s->users = 1;
    }
    return s;
}

void shared_put(struct shared *s)
{
    uint64_t index = 0, *slot;

    if (s == NULL || --s->users > 0) {
        return;
    }
    while ((slot = tree_next(&s->pages, &index, UINT64_MAX)) != NULL) {
        ak_frame_put(*slot & ~(uint64_t)E_BITS);
        index++;
    }
    tree_destroy(&s->pages);
    ak_free(s, sizeof(*s));
}

static void region_get(struct region *r)
{
    if (r->inode != NULL) {
        inode_get(r->inode);
    }
    if (r->shared != NULL) {
        r->shared->users++;
    }
}

void region_release(struct region *r)
{
    if (r->inode != NULL) {
        inode_put(r->inode);
    }
    shared_put(r->shared);
}

struct vm *vm_create(void)
{
    struct vm *vm = ak_alloc(sizeof(*vm));

    if (vm != NULL) {
        vm->users = 1;
        vm->stack_limit = 8ull << 20;
    }
    return vm;
}

struct region *vm_find_from(struct vm *vm, va_t va)
{
    struct region *r = vm->hint != NULL ? vm->hint : vm->first;

    while (r != NULL && r->end <= va) {
        r = r->next;
    }
    if (r == NULL) {
        r = vm->last;
        if (r == NULL || r->end <= va) {
            return NULL;
        }
    }
    while (r->prev != NULL && r->prev->end > va) {
        r = r->prev;
    }
    vm->hint = r;
    return r;
}

struct region *vm_find(struct vm *vm, va_t va)
{
    struct region *r = vm_find_from(vm, va);
    return r != NULL && r->start <= va ? r : NULL;
}

bool vm_is_free(struct vm *vm, va_t start, va_t end)
{
    struct region *r = vm_find_from(vm, start);
    return r == NULL || r->start >= end;
}

static void region_link(struct vm *vm, struct region *r, struct region *before)
{
    r->next = before;
    r->prev = before != NULL ? before->prev : vm->last;
    *(r->prev != NULL ? &r->prev->next : &vm->first) = r;
    *(before != NULL ? &before->prev : &vm->last) = r;
    vm->regions++;
    vm->total += page_of(r->end - r->start);
}

static void region_unlink(struct vm *vm, struct region *r)
{
    *(r->prev != NULL ? &r->prev->next : &vm->first) = r->next;
    *(r->next != NULL ? &r->next->prev : &vm->last) = r->prev;
    vm->hint = NULL;
    vm->regions--;
    vm->total -= page_of(r->end - r->start);
}

static uint64_t region_page(const struct region *r, va_t va)
{
    return r->page + page_of(va - r->start);
}

// May b, which follows a directly, become part of it?
static bool joins(const struct region *a, const struct region *b)
{
    return a->end == b->start && a->prot == b->prot && a->max_prot == b->max_prot && a->is_shared == b->is_shared &&
           a->grows_down == b->grows_down && a->kind == b->kind && a->inode == b->inode && a->shared == b->shared &&
           (a->inode == NULL && a->shared == NULL ? true : region_page(a, a->end) == b->page);
}

int vm_map(struct vm *vm, const struct region *like)
{
    struct region *next = vm_find_from(vm, like->start);
    struct region *before = next != NULL ? next->prev : vm->last;

    if (before != NULL && joins(before, like)) {
        before->end = like->end;
        vm->total += page_of(like->end - like->start);
        region_release((struct region *)like);
        return 0;
    }
    if (vm->regions >= VM_REGIONS) {
        return -ENOMEM;
    }
    struct region *r = ak_alloc(sizeof(*r));
    if (r == NULL) {
        return -ENOMEM;
    }
    *r = *like;
    region_link(vm, r, next);
    return 0;
}

int vm_split(struct vm *vm, va_t at)
{
    struct region *r = vm_find(vm, at);

    if (r == NULL || r->start == at) {
        return 0;
    }
    if (vm->regions >= VM_REGIONS) {
        return -ENOMEM;
    }
    struct region *high = ak_alloc(sizeof(*high));
    if (high == NULL) {
        return -ENOMEM;
    }
    *high = *r;
    high->start = at;
    high->page = region_page(r, at);
    high->grows_down = false;
    region_get(high);
    vm->total -= page_of(r->end - at);
    r->end = at;
    region_link(vm, high, r->next);
    return 0;
}

void vm_join(struct vm *vm, va_t start, va_t end)
{
    struct region *r = vm_find_from(vm, start);

    if (r != NULL && r->prev != NULL) {
        r = r->prev;
    }
    while (r != NULL && r->next != NULL && r->start < end) {
        struct region *next = r->next;
        if (!joins(r, next)) {
            r = next;
            continue;
        }
        va_t to = next->end;
        region_unlink(vm, next);
        region_release(next);
        ak_free(next, sizeof(*next));
        vm_extend(vm, r, to);
    }
}

void vm_extend(struct vm *vm, struct region *r, va_t end)
{
    vm->total += page_of(end - r->end);
    r->end = end;
}

void vm_unload(struct vm *vm, va_t start, va_t end)
{
    uint64_t count;

    if (vm->space == 0) {
        return;
    }
    if (sys_mapping_unload(vm->space, start, end - start, &count) != ERR_OK) {
        ak_space_finish(vm->space);      // stale: then it is not to be used by any processor either
        vm->space = 0;
    }
}

void vm_drop_pages(struct vm *vm, va_t start, va_t end)
{
    uint64_t index = page_of(start), last = page_of(end), *slot;
    bool unloaded = false, any = false;

    while ((slot = tree_next(&vm->pages, &index, last)) != NULL) {
        if (!unloaded && (*slot & E_MAPPED)) {
            vm_unload(vm, index << ABI_PAGE_SHIFT, end);
            unloaded = true;
        }
        ak_frame_put(*slot & ~(uint64_t)E_BITS);
        *slot = 0;
        vm->resident--;
        index++;
        any = true;
    }
    if (any) {
        tree_prune(&vm->pages, page_of(start), last);
    }
}

int vm_unmap(struct vm *vm, va_t start, va_t end)
{
    if (vm_split(vm, start) != 0 || vm_split(vm, end) != 0) {
        return -ENOMEM;
    }
    struct region *r = vm_find_from(vm, start);
    while (r != NULL && r->start < end) {
        struct region *next = r->next;
        vm_drop_pages(vm, r->start, r->end);
        region_unlink(vm, r);
        region_release(r);
        ak_free(r, sizeof(*r));
        r = next;
    }
    return 0;
}

// From the stack downwards, the highest gap that is large enough.
va_t vm_place(struct vm *vm, uint64_t length, va_t align)
{
    va_t top = VM_STACK_TOP - VM_STACK_GAP;

    for (struct region *r = vm->last;; r = r->prev) {
        va_t bottom = r != NULL ? r->end : VM_LOW;
        if (bottom < top && length <= top - bottom) {
            va_t at = (top - length) & ~(align - 1);
            if (at >= bottom) {
                return at;
            }
        }
        if (r == NULL) {
            return 0;
        }
        top = r->start < top ? r->start : top;
    }
}

void vm_put(struct vm *vm)
{
    struct region *r, *next;
    uint64_t index = 0, *slot;

    if (vm == NULL || --vm->users > 0) {
        return;
    }
    if (vm->space != 0 && sys_space_unload(vm->space) != ERR_OK) {
        ak_space_finish(vm->space);
    }
    while ((slot = tree_next(&vm->pages, &index, UINT64_MAX)) != NULL) {
        ak_frame_put(*slot & ~(uint64_t)E_BITS);
        index++;
    }
    tree_destroy(&vm->pages);
    for (r = vm->first; r != NULL; r = next) {
        next = r->next;
        region_release(r);
        ak_free(r, sizeof(*r));
    }
    ak_free(vm, sizeof(*vm));
}

// The pages of a region for a copy: the frames are shared; private ones will be copied by whoever writes first.
static bool copy_pages(struct vm *to, struct vm *from, const struct region *r)
{
    uint64_t index = page_of(r->start), *slot;
    bool writable = false;

    while ((slot = tree_next(&from->pages, &index, page_of(r->end))) != NULL) {
        uint64_t *copy = tree_make(&to->pages, index);
        if (copy == NULL) {
            return false;
        }
        if (!r->is_shared) {
            writable |= (*slot & (E_WRITE | E_MAPPED)) == (E_WRITE | E_MAPPED);
            *slot &= ~(uint64_t)E_WRITE;
        }
        ak_frame_get(*slot & ~(uint64_t)E_BITS);
        *copy = *slot & ~(uint64_t)E_MAPPED;
        to->resident++;
        index++;
    }
    if (writable && from->space != 0) {
        uint64_t modified;
        if (sys_mapping_protect(from->space, r->start, r->end - r->start, MAP_READ | MAP_EXEC, &modified) != ERR_OK) {
            ak_space_finish(from->space);
            from->space = 0;
        }
    }
    return true;
}

struct vm *vm_copy(struct vm *from)
{
    struct vm *to = vm_create();

    if (to == NULL) {
        return NULL;
    }
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->stack_limit = from->stack_limit;
    to->arguments = from->arguments;
    to->arguments_end = from->arguments_end;
    for (struct region *r = from->first; r != NULL; r = r->next) {
        struct region *copy = ak_alloc(sizeof(*copy));
        if (copy == NULL) {
            vm_put(to);
            return NULL;
        }
        *copy = *r;
        region_get(copy);
        region_link(to, copy, NULL);
        if (!copy_pages(to, from, r)) {
            vm_put(to);
            return NULL;
        }
    }
    return to;
}
