// vm.c - the memory of programs: made, copied by fork, given back; where mmap puts things.  See vm.h.
#include "vm.h"

#include <base.h>
#include <resources.h>

#include "task.h"

// There is no frame: the memory of ended tasks may help.
static bool reclaim(struct manager *m)
{
    uint64_t before = ak_frames_free();

    (void)m;
    task_collect();
    return ak_frames_free() > before;
}

// More memory than the kernel began with may be had from srm.
static pa_t frame(struct manager *m)
{
    (void)m;
    return resources_frame();
}

// Half of the memory stays for pages: a program that touches little of each 2 MiB must not use up all.
static pa_t large(struct manager *m, const struct region *r)
{
    uint64_t total, free;

    (void)m;
    ux_memory_info(&total, &free);
    return !(r->tag & REGION_GROWS) && free > total / 2 + ABI_LARGE ? ak_frame_alloc_large() : 0;
}

static const struct manager_ops manager_ops = {.frame = frame, .large = large, .reclaim = reclaim};
struct manager vm_manager = {.ops = &manager_ops};

struct segment *shared_create(void)
{
    static const struct segment_ops defaults;

    return segment_create(&defaults, &vm_manager);
}

struct vm *vm_create(void)
{
    struct vm *vm = ak_alloc(sizeof(*vm));

    if (vm != NULL) {
        vm->users = 1;
        vm->stack_limit = 8ull << 20;
        vm->as.manager = &vm_manager;
        vm->as.most_regions = VM_REGIONS;
    }
    return vm;
}

void vm_put(struct vm *vm)
{
    if (vm != NULL && --vm->users == 0) {
        aspace_destroy(&vm->as);
        ak_free(vm, sizeof(*vm));
    }
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
    if (aspace_copy(&to->as, &from->as) != ERR_OK) {
        vm_put(to);
        return NULL;
    }
    return to;
}

static int error_of(err_t e)
{
    return e == ERR_OK ? 0 : e == ERR_LIMIT ? -ENOMEM : -EINVAL;
}

int vm_map(struct vm *vm, const struct region *like)
{
    err_t e = aspace_bind(&vm->as, like);

    if (e != ERR_OK) {
        segment_put(like->segment);
    }
    return error_of(e);
}

int vm_unmap(struct vm *vm, va_t start, va_t end)
{
    return error_of(aspace_unbind(&vm->as, start, end));
}

// From the stack downwards.
va_t vm_place(struct vm *vm, uint64_t length)
{
    return aspace_gap(&vm->as, VM_LOW, VM_STACK_TOP - VM_STACK_GAP, length, ABI_PAGE);
}
