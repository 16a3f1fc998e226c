// fault.c - faults of programs: the library's, with stacks that grow.
#include "task.h"
#include "vm.h"

// Linux lets a stack grow to any address that is not too far below, and keeps a gap to what is under it.
static bool grow_stack(struct vm *vm, va_t va)
{
    struct region *r = va < VM_END ? aspace_find_from(&vm->as, va) : NULL;
    va_t start = va & ~(va_t)(ABI_PAGE - 1);

    if (r == NULL || r->start <= va || !(r->tag & REGION_GROWS) || r->end - start > vm->stack_limit || start < VM_LOW) {
        return false;
    }
    if (r->prev != NULL && start < r->prev->end + (r->prev->access != 0 ? 256 * ABI_PAGE : 0)) {
        return false;
    }
    return aspace_extend(&vm->as, r, start, r->end) == ERR_OK;
}

static int error_of(err_t e)
{
    switch (e) {
    case ERR_OK:
        return 0;
    case ERR_INVAL:
        return -EFAULT;
    case ERR_DENIED:
        return -EACCES;
    case ERR_LIMIT:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

// The stack may grow; else it is an error.
static int page_again(struct vm *vm, va_t va, uint32_t access, uint64_t *entry, err_t e)
{
    return error_of(e == ERR_INVAL && grow_stack(vm, va) ? aspace_page(&vm->as, va, access, entry) : e);
}

int vm_page(struct vm *vm, va_t va, uint32_t access, uint64_t *entry)
{
    err_t e = aspace_page(&vm->as, va, access, entry);
    return e == ERR_OK ? 0 : page_again(vm, va, access, entry, e);
}

int vm_fault(struct vm *vm, va_t va, uint64_t error, struct map_entry *load)
{
    err_t e = aspace_fault(&vm->as, va, error, load);

    if (e == ERR_OK) {
        return 0;
    }
    return error_of(e == ERR_INVAL && grow_stack(vm, va) ? aspace_fault(&vm->as, va, error, load) : e);
}
