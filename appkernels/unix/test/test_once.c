// test_once.c - what was wrong once: ends of processes, signals handed on, memory left behind, lines cut off.
#include "signal_steps.h"

// A process signal was given to a thread that blocks it before it looks: another one must be brought to take it.
static void retarget_on_block(void **state)
{
    struct task *other = machine_thread(task);

    (void)state;
    action(task, SIGUSR1, HANDLER, 0, 0);
    kill_it(SIGUSR1);
    assert_ptr_equal(machine_woken, task);
    machine_woken = NULL;
    assert_int_equal(mask(task, SIG_BLOCK, SIG_BIT(SIGUSR1)), 0);
    assert_ptr_equal(machine_woken, other);
    assert_int_equal(entered(other), SIGUSR1);
}

static void retarget_on_exit(void **state)
{
    struct task *other = machine_thread(task);

    (void)state;
    action(task, SIGUSR1, HANDLER, 0, 0);
    kill_it(SIGUSR1);
    assert_ptr_equal(machine_woken, task);
    machine_woken = NULL;
    assert_int_equal(CALL(task, exit, 0), MACHINE_ENDED);
    assert_ptr_equal(machine_woken, other);
}

static void orphan(void **state)
{
    struct task *child = machine_fork(task);
    struct task *grand = machine_fork(child);
    int grandpid = grand->tgid;
    (void)state;
    machine_end(child, 0);
    assert_true(CALL(task, wait4, -1, 0, 0, 0) > 0);
    assert_int_equal(CALL(grand, getppid, 0), 1);
    machine_end(grand, 0);
    machine_settle();
    assert_null(ux_task_find(grandpid));
}

static void sigchld_ignored(void **state)
{
    (void)state;
    action(task, SIGCHLD, SIG_HANDLER_IGN, 0, 0);
    machine_end(machine_fork(task), 0);
    assert_int_equal(CALL(task, wait4, -1, 0, 0, 0), -ECHILD);
}

static void remap_no_memory(void **state)
{
    (void)state;
    task = machine_first;
    long at = CALL(task, mmap, 0, 8 * ABI_PAGE, 3, LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS, -1, 0);
    uint8_t byte = 1;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(machine_write(task, (va_t)at + i * ABI_PAGE, &byte, 1), 0);
    }
    uint64_t total = task->vm->as.total;
    for (long k = 0; k < 64; k++) {
        machine_allow = k;
        long to = CALL(task, mremap, at + 2 * ABI_PAGE, 2 * ABI_PAGE, 4 * ABI_PAGE, LINUX_MREMAP_MAYMOVE, 0);
        machine_allow = -1;
        if (to > 0) {
            assert_int_equal(task->vm->as.total, total + 2);
            return;
        }
        assert_int_equal(task->vm->as.total, total);
    }
    fail();
}

static void madvise_hole(void **state)
{
    (void)state;
    long at = CALL(task, mmap, 0, 3 * ABI_PAGE, 3, LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS, -1, 0);
    uint8_t byte = 1;
    machine_write(task, (va_t)at, &byte, 1);
    CALL(task, munmap, at + ABI_PAGE, ABI_PAGE);
    assert_int_equal(CALL(task, madvise, at, 3 * ABI_PAGE, LINUX_MADV_DONTNEED), -ENOMEM);
    machine_read(task, (va_t)at, &byte, 1);
    assert_int_equal(byte, 0);           // Linux: the mapped parts are done
}

static void long_script(const char *start, char fill, long want)
{
    char text[600];
    memset(text, fill, sizeof text);
    memcpy(text, start, strlen(start));
    machine_file("/script", text, sizeof text, 0755);
    assert_int_equal(CALL(task, execve, machine_text(task, 3, "/script"), 0, 0), want);
}

static void script_cut(void **state)
{
    (void)state;
    long_script("#! /", 'x', -ENOEXEC);          // nobody knows where the name ends
    long_script("#!/nobody\t", 'x', -ENOENT);     // the name is whole, the argument is cut
}

// Pages beyond the end of a file: nodes of the tree that hold nothing
static void empty_nodes(void **state)
{
    (void)state;
    machine_file("/e", "", 0, 0644);
    long fd = CALL(task, open, machine_text(task, 3, "/e"), O_RDONLY, 0);
    size_t before = machine_objects();
    for (int i = 0; i < 100; i++) {
        va_t at = 0x40000000000ull + i * 0x40000000ull;
        assert_int_equal(CALL(task, mmap, at, ABI_PAGE, 1, LINUX_MAP_PRIVATE | LINUX_MAP_FIXED, fd, 0), at);
        uint8_t byte;
        assert_int_equal(machine_read(task, at, &byte, 1), -EIO);
        assert_int_equal(CALL(task, munmap, at, ABI_PAGE), 0);
    }
    assert_int_equal(machine_objects(), before);
    assert_int_equal(CALL(task, close, fd), 0);
}
static int begin(void **state)
{
    (void)state;
    machine_begin();
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, signal_setup, signal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(retarget_on_block), TEST(retarget_on_exit), TEST(madvise_hole), TEST(script_cut),
        TEST(empty_nodes), TEST(sigchld_ignored), TEST(orphan), cmocka_unit_test(remap_no_memory),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
