// test_vm_limits.c - memory of programs where it ends: no memory left, calls that are refused, stacks.
#include "vm_model.h"

#define AT(page) (BASE + (page) * ABI_PAGE)

static void fill(struct task *t, unsigned from, unsigned to, int byte)
{
    uint8_t bytes[ABI_PAGE];

    for (unsigned i = from; i < to; i++) {
        memset(bytes, byte + (int)i, ABI_PAGE);
        assert_int_equal(machine_write(t, AT(i), bytes, ABI_PAGE), 0);
    }
}

static void expect(struct task *t, unsigned from, unsigned to, int byte)
{
    uint8_t bytes[ABI_PAGE];

    for (unsigned i = from; i < to; i++) {
        assert_int_equal(machine_read(t, AT(i), bytes, ABI_PAGE), 0);
        assert_int_equal(bytes[0], (uint8_t)(byte + (int)i));
        assert_int_equal(bytes[ABI_PAGE - 1], (uint8_t)(byte + (int)i));
    }
}

static long map_plain(struct task *t, unsigned at, unsigned pages, uint32_t prot)
{
    return CALL(t, mmap, AT(at), pages * ABI_PAGE, prot,
                LINUX_MAP_FIXED | LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS, -1, 0);
}

// A region is split or made: refused, and all is as it was.
static void no_memory_regions(void **state)
{
    struct task *t = machine_first;

    (void)state;
    assert_int_equal(map_plain(t, 0, 8, 3), AT(0));
    fill(t, 0, 8, 1);
    size_t objects_before = machine_objects();
    machine_allow = 0;
    assert_int_equal(CALL(t, munmap, AT(2), 2 * ABI_PAGE), -ENOMEM);
    assert_int_equal(CALL(t, mprotect, AT(2), 2 * ABI_PAGE, PROT_READ), -ENOMEM);
    assert_int_equal(map_plain(t, 20, 1, 1), -ENOMEM);
    assert_int_equal(
        CALL(t, mmap, AT(20), ABI_PAGE, 3, LINUX_MAP_FIXED | LINUX_MAP_SHARED | LINUX_MAP_ANONYMOUS, -1, 0),
        -ENOMEM);
    machine_allow = 1;                   // enough for one half of it
    assert_int_equal(CALL(t, munmap, AT(2), 2 * ABI_PAGE), -ENOMEM);
    machine_allow = -1;
    assert_int_equal(machine_objects(), objects_before);
    expect(t, 0, 8, 1);
    fill(t, 0, 8, 50);
    assert_int_equal(CALL(t, munmap, AT(0), 8 * ABI_PAGE), 0);
}

// A page is touched, or copied for a write.
static void no_memory_pages(void **state)
{
    struct task *t = machine_first;
    uint64_t entry;

    (void)state;
    assert_int_equal(map_plain(t, 0, 4, 3), AT(0));
    for (long k = 0; k < 64; k++) {
        machine_allow = k;
        int e = vm_page(t->vm, AT(0), E_WRITE, &entry);
        machine_allow = -1;
        if (e == 0) {
            break;
        }
        assert_int_equal(e, -ENOMEM);
    }
    fill(t, 0, 4, 1);
    struct task *child = machine_fork(t);
    machine_allow = 0;
    assert_int_equal(vm_page(child->vm, AT(1), E_WRITE, &entry), -ENOMEM);
    assert_int_equal(vm_page(t->vm, AT(1), E_WRITE, &entry), -ENOMEM);
    assert_int_equal(vm_page(t->vm, AT(1), E_READ, &entry), 0);
    machine_allow = -1;
    fill(child, 0, 2, 50);
    expect(t, 0, 4, 1);
    expect(child, 0, 2, 50);
    expect(child, 2, 4, 1);
    // The last user of a page writes it without a copy.
    unsigned frames = machine_frames();
    fill(t, 0, 2, 7);
    assert_int_equal(machine_frames(), frames);
    machine_end(child, 0);
    assert_true(CALL(t, wait4, -1, 0, 0, 0) > 0);
    assert_int_equal(CALL(t, munmap, AT(0), 4 * ABI_PAGE), 0);
}

static void no_memory_fork(void **state)
{
    struct task *t = machine_first;
    long pid = 0;

    (void)state;
    assert_int_equal(map_plain(t, 0, 8, 3), AT(0));
    assert_int_equal(CALL(t, mprotect, AT(3), ABI_PAGE, PROT_READ), 0);
    fill(t, 0, 3, 1);
    machine_settle();
    unsigned frames = machine_frames(), tasks = task_count();
    size_t before = machine_objects();
    for (long k = 0; k < 200; k++) {
        machine_allow = k;
        pid = CALL(t, fork, 0);
        machine_allow = -1;
        if (pid > 0) {
            break;
        }
        assert_true(pid == -ENOMEM || pid == -EAGAIN);
        assert_int_equal(machine_objects(), before);
        assert_int_equal(machine_frames(), frames);
        assert_int_equal(task_count(), tasks);
        expect(t, 0, 3, 1);
    }
    assert_true(pid > 0);
    fill(t, 0, 3, 5);
    expect(ux_task_find((int)pid), 0, 3, 1);
    machine_end(ux_task_find((int)pid), 0);
    assert_int_equal(CALL(t, wait4, -1, 0, 0, 0), pid);
    machine_settle();
    assert_int_equal(task_count(), tasks);
    assert_int_equal(CALL(t, munmap, AT(0), 8 * ABI_PAGE), 0);
}

// A move that cannot be made leaves the pages where they were, and nothing where they should have gone.
static void no_memory_remap(void **state)
{
    struct task *t = machine_first;
    long to = 0;

    (void)state;
    assert_int_equal(map_plain(t, 0, 8, 3), AT(0));
    assert_int_equal(map_plain(t, 8, 4, 0), AT(8));      // no room to grow where it is
    fill(t, 0, 8, 1);
    uint64_t total = t->vm->as.total;
    for (long k = 0; k < 64; k++) {
        machine_allow = k;
        to = CALL(t, mremap, AT(0), 8 * ABI_PAGE, 10 * ABI_PAGE, LINUX_MREMAP_MAYMOVE, 0);
        machine_allow = -1;
        if (to > 0) {
            break;
        }
        assert_int_equal(to, -ENOMEM);
        expect(t, 0, 8, 1);
        assert_int_equal(t->vm->as.total, total);
    }
    assert_int_equal(t->vm->as.total, total + 2);
    assert_int_equal(CALL(t, munmap, to, 10 * ABI_PAGE), 0);
    assert_int_equal(machine_write(t, AT(0), &to, 1), -EFAULT);
    assert_int_equal(CALL(t, munmap, AT(8), 4 * ABI_PAGE), 0);
}

// ---- what calls refuse ------------------------------------------------------------------------------------

static void refusals(void **state)
{
    struct task *t = machine_first;
    const uint32_t plain = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS;

    (void)state;
    assert_int_equal(CALL(t, mmap, 0, 0, 3, plain, -1, 0), -EINVAL);
    assert_int_equal(CALL(t, mmap, 0, 4096, 3, LINUX_MAP_ANONYMOUS, -1, 0), -EINVAL);
    assert_int_equal(CALL(t, mmap, 0, UINT64_MAX, 3, plain, -1, 0), -ENOMEM);
    assert_int_equal(CALL(t, mmap, 0, 1ull << 47, 0, plain, -1, 0), -ENOMEM);
    assert_int_equal(CALL(t, mmap, 0, 1ull << 40, 3, plain, -1, 0), -ENOMEM);
    assert_int_equal(CALL(t, mmap, AT(0) + 1, 4096, 3, plain | LINUX_MAP_FIXED, -1, 0), -EINVAL);
    assert_int_equal(CALL(t, mmap, VM_END - 4096, 8192, 3, plain | LINUX_MAP_FIXED, -1, 0), -ENOMEM);
    assert_int_equal(CALL(t, mmap, 4096, 4096, 3, plain | LINUX_MAP_FIXED, -1, 0), -EPERM);
    assert_int_equal(CALL(t, mmap, 0, 4096, 3, LINUX_MAP_PRIVATE, 99, 0), -EBADF);
    assert_int_equal(CALL(t, mmap, 0, 4096, 3, LINUX_MAP_PRIVATE, fd_read[0], 1), -EINVAL);
    assert_int_equal(CALL(t, mmap, 0, 8192, 3, LINUX_MAP_PRIVATE, fd_read[0], -4096), -EOVERFLOW);
    assert_int_equal(CALL(t, munmap, AT(0), 0), -EINVAL);
    assert_int_equal(CALL(t, munmap, AT(0) + 1, 4096), -EINVAL);
    assert_int_equal(CALL(t, munmap, AT(0), UINT64_MAX), -EINVAL);
    assert_int_equal(CALL(t, munmap, VM_END, 4096), -EINVAL);
    assert_int_equal(CALL(t, mprotect, AT(0), 0, 3), 0);
    assert_int_equal(CALL(t, mprotect, AT(0) + 1, 4096, 3), -EINVAL);
    assert_int_equal(CALL(t, mprotect, AT(0), 4096, 8), -EINVAL);
    assert_int_equal(CALL(t, mprotect, AT(0), 4096, 3), -ENOMEM);
    assert_int_equal(CALL(t, mremap, AT(0), 4096, 4096, 0, 0), -EFAULT);
    assert_int_equal(CALL(t, mremap, MACHINE_DATA, 4096, 4096, LINUX_MREMAP_FIXED, AT(0)), -EINVAL);
    assert_int_equal(CALL(t, mremap, MACHINE_DATA, 8192, 8192, 3, MACHINE_DATA + 4096), -EINVAL);
    assert_int_equal(CALL(t, mremap, MACHINE_DATA, 4096, 0, 1, 0), -EINVAL);
    assert_int_equal(CALL(t, madvise, AT(0), 4096, LINUX_MADV_DONTNEED), -ENOMEM);
    assert_int_equal(CALL(t, madvise, MACHINE_DATA, 4096, 4711), -EINVAL);
    assert_int_equal(CALL(t, brk, UINT64_MAX), t->vm->brk);
}

// A stack grows down to its limit, but not onto what is below it.
static void stack_grows(void **state)
{
    struct task *t = machine_first;
    uint8_t byte = 1;

    (void)state;
    assert_true(CALL(t, mmap, AT(4000), 16 * ABI_PAGE, 3,
                     LINUX_MAP_FIXED | LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS | LINUX_MAP_GROWSDOWN, -1,
                     0) > 0);
    assert_int_equal(map_plain(t, 3000, 1, 3), AT(3000));
    assert_int_equal(machine_write(t, AT(3999), &byte, 1), 0);
    assert_int_equal(machine_write(t, AT(3500), &byte, 1), 0);
    assert_int_equal(machine_write(t, AT(3001), &byte, 1), -EFAULT);
    assert_int_equal(machine_write(t, AT(3256), &byte, 1), -EFAULT);
    assert_int_equal(machine_write(t, AT(3257), &byte, 1), 0);
    assert_int_equal(CALL(t, munmap, AT(3000), ABI_PAGE), 0);
    assert_int_equal(machine_write(t, AT(4016) - t->vm->stack_limit - 1, &byte, 1), -EFAULT);
    assert_int_equal(machine_write(t, AT(4016) - t->vm->stack_limit, &byte, 1), 0);
    assert_int_equal(CALL(t, munmap, AT(4016) - t->vm->stack_limit, t->vm->stack_limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_regions), cmocka_unit_test(no_memory_pages),
        cmocka_unit_test(no_memory_fork),    cmocka_unit_test(no_memory_remap),
        cmocka_unit_test(refusals),          cmocka_unit_test(stack_grows),
    };

    return cmocka_run_group_tests(tests, vm_setup, NULL);
}
