// test_wait.c - how processes end and stop, and how their parents learn of it; random families.
#include "machine.h"

enum { SLOT_STATUS = 1, SLOT_USAGE, SLOT_INFO, CHILDREN = 8, GROUPS = 3, STEPS = 20000 };
#define SLOT(n) (MACHINE_DATA + (n) * ABI_PAGE)

static struct task *parent;              // has no children but those of the test

static int setup(void **state)
{
    (void)state;
    parent = machine_fork(machine_first);
    machine_on_sleep = NULL;
    return 0;
}

static int teardown(void **state)
{
    int pid = parent->tgid;

    (void)state;
    assert_null(parent->process->children);
    machine_end(parent, 0);
    assert_int_equal(CALL(machine_first, wait4, pid, 0, 0, 0), pid);
    machine_settle();
    return 0;
}

static long wait_for(long pid, int options, int *status)
{
    const int none = 0x5a5a5a5a;

    assert_int_equal(ux_copy_out(parent, SLOT(SLOT_STATUS), &none, sizeof(none)), 0);
    long found = CALL(parent, wait4, pid, SLOT(SLOT_STATUS), options, SLOT(SLOT_USAGE));
    assert_int_equal(ux_copy_in(parent, status, SLOT(SLOT_STATUS), sizeof(*status)), 0);
    assert_true(found > 0 || *status == none);
    return found;
}

static void kill_now(struct task *t, int signal)
{
    assert_int_equal(CALL(parent, kill, t->tgid, signal), 0);
    assert_int_equal(machine_look(t), MACHINE_ENDED);
}

static void forget_signals(void)
{
    signal_flush(&parent->process->pending, ~0ull);
    signal_recalculate(parent);
}

// ---- one child --------------------------------------------------------------------------------------------

static void statuses(void **state)
{
    struct task *child = machine_fork(parent);
    int status, pid = child->tgid;

    (void)state;
    assert_int_equal(wait_for(-1, WNOHANG, &status), 0);
    machine_end(child, 0x1203);          // a byte of it counts
    assert_int_equal(ux_task_state(child), 'Z');
    assert_int_equal(wait_for(pid + 1, 0, &status), -ECHILD);
    assert_int_equal(wait_for(-1, 0, &status), pid);
    assert_int_equal(status, 0x300);
    assert_int_equal(wait_for(-1, 0, &status), -ECHILD);
    assert_null(ux_task_find(pid));
    child = machine_fork(parent);
    pid = child->tgid;
    kill_now(child, SIGTERM);
    assert_int_equal(wait_for(pid, 0, &status), pid);
    assert_int_equal(status, SIGTERM);
    child = machine_fork(parent);        // killed while it would have exited with a value
    pid = child->tgid;
    CALL(parent, kill, pid, SIGKILL);
    machine_end(child, 7);
    assert_int_equal(wait_for(pid, 0, &status), pid);
    assert_int_equal(status, SIGKILL);
    assert_int_equal(wait_for(-1, 0x1000, &status), -EINVAL);
    assert_int_equal(wait_for(INT32_MIN, 0, &status), -ESRCH);
}

static void bad_places(void **state)
{
    struct task *child = machine_fork(parent);
    int status;

    (void)state;
    machine_end(child, 1);
    assert_int_equal(CALL(parent, wait4, -1, 8, WNOHANG, 0), -EFAULT);
    assert_int_equal(wait_for(-1, 0, &status), -ECHILD);         // it is gone all the same, as in Linux
}

static void child_signal(void **state)
{
    struct task *child;
    struct linux_siginfo info;
    int status;

    (void)state;
    parent->blocked = SIG_BIT(SIGCHLD);
    child = machine_fork(parent);
    machine_end(child, 9);
    assert_true(signal_take(parent, SIG_BIT(SIGCHLD), &info));
    assert_int_equal(info.code, CLD_EXITED);
    assert_int_equal(info.status, 9);
    assert_int_equal(info.pid, wait_for(-1, 0, &status));
    child = machine_fork(parent);
    kill_now(child, SIGABRT);
    assert_true(signal_take(parent, SIG_BIT(SIGCHLD), &info));
    assert_int_equal(info.code, CLD_KILLED);
    assert_int_equal(info.status, SIGABRT);
    assert_true(wait_for(-1, 0, &status) > 0);
    // A clone without a signal is waited for only by those that ask for such.
    long pid = CALL(parent, clone, 0, 0, 0, 0, 0);
    machine_end(ux_task_find((int)pid), 4);
    assert_false(signal_take(parent, ~0ull, &info));
    assert_int_equal(wait_for(-1, 0, &status), -ECHILD);
    assert_int_equal(wait_for(-1, (int)__WCLONE, &status), pid);
    assert_int_equal(status, 0x400);
    pid = CALL(parent, clone, SIGUSR1, 0, 0, 0, 0);
    parent->blocked |= SIG_BIT(SIGUSR1);
    machine_end(ux_task_find((int)pid), 0);
    assert_true(signal_take(parent, SIG_BIT(SIGUSR1), &info));
    assert_int_equal(wait_for(-1, __WALL, &status), pid);
    parent->blocked = 0;
    forget_signals();
}

static void stops(void **state)
{
    struct task *child = machine_fork(parent);
    int status, pid = child->tgid;

    (void)state;
    process_stop(child->process, SIGTSTP);
    assert_int_equal(wait_for(-1, WNOHANG, &status), 0);
    assert_int_equal(wait_for(-1, WUNTRACED, &status), pid);
    assert_int_equal(status, SIGTSTP << 8 | 0x7f);
    assert_int_equal(wait_for(-1, WUNTRACED | WNOHANG, &status), 0);     // once
    CALL(parent, kill, pid, SIGCONT);
    assert_int_equal(wait_for(-1, WUNTRACED | WNOHANG, &status), 0);
    assert_int_equal(wait_for(-1, WCONTINUED, &status), pid);
    assert_int_equal(status, 0xffff);
    assert_int_equal(wait_for(-1, WCONTINUED | WNOHANG, &status), 0);
    process_stop(child->process, SIGSTOP);
    CALL(parent, kill, pid, SIGCONT);                                   // the stop is not told any more
    assert_int_equal(wait_for(-1, WUNTRACED | WNOHANG, &status), 0);
    process_stop(child->process, SIGSTOP);                              // nor that it went on
    assert_int_equal(wait_for(-1, WCONTINUED | WNOHANG, &status), 0);
    kill_now(child, SIGKILL);
    assert_int_equal(wait_for(-1, WUNTRACED | WCONTINUED, &status), pid);
    assert_int_equal(status, SIGKILL);
    forget_signals();
}

static void waitid_looks_and_takes(void **state)
{
    struct task *child = machine_fork(parent);
    struct linux_siginfo info;
    int pid = child->tgid;

    (void)state;
    assert_int_equal(CALL(parent, waitid, P_ALL, 0, SLOT(SLOT_INFO), 0, 0), -EINVAL);
    assert_int_equal(CALL(parent, waitid, 9, 0, SLOT(SLOT_INFO), WEXITED, 0), -EINVAL);
    assert_int_equal(CALL(parent, waitid, P_PID, 0, SLOT(SLOT_INFO), WEXITED, 0), -EINVAL);
    assert_int_equal(CALL(parent, waitid, P_ALL, 0, SLOT(SLOT_INFO), WEXITED | WNOHANG, 0), 0);
    assert_int_equal(ux_copy_in(parent, &info, SLOT(SLOT_INFO), sizeof(info)), 0);
    assert_int_equal(info.pid, 0);
    machine_end(child, 5);
    assert_int_equal(CALL(parent, waitid, P_ALL, 0, SLOT(SLOT_INFO), WSTOPPED | WNOHANG, 0), 0);
    for (unsigned i = 0; i < 3; i++) {
        int keep = i < 2 ? WNOWAIT : 0;
        assert_int_equal(CALL(parent, waitid, P_PID, pid, SLOT(SLOT_INFO), WEXITED | keep, 0), 0);
        assert_int_equal(ux_copy_in(parent, &info, SLOT(SLOT_INFO), sizeof(info)), 0);
        assert_int_equal(info.signo, SIGCHLD);
        assert_int_equal(info.pid, pid);
        assert_int_equal(info.code, CLD_EXITED);
        assert_int_equal(info.status, 5);
    }
    assert_int_equal(CALL(parent, waitid, P_PID, pid, SLOT(SLOT_INFO), WEXITED, 0), -ECHILD);
}

static bool end_child(struct task *t)
{
    assert_ptr_equal(t, parent);
    machine_on_sleep = NULL;
    machine_end(parent->process->children->leader, 6);
    return true;
}

static void waiting_is_woken(void **state)
{
    struct task *child = machine_fork(parent);
    int status, pid = child->tgid;

    (void)state;
    assert_int_equal(wait_for(-1, 0, &status), MACHINE_ASLEEP);
    assert_true(machine_again(parent, NR_wait4));
    machine_on_sleep = end_child;
    assert_int_equal(wait_for(-1, 0, &status), pid);
    assert_int_equal(status, 0x600);
}

static void threads_end_one_by_one(void **state)
{
    struct task *child = machine_fork(parent), *other = machine_thread(child);
    int status, pid = child->tgid;

    (void)state;
    assert_int_equal(CALL(child, exit, 1), MACHINE_ENDED);       // the leader alone
    assert_int_equal(wait_for(-1, WNOHANG, &status), 0);
    assert_int_equal(ux_task_find(pid), child);
    assert_int_equal(CALL(other, exit, 2), MACHINE_ENDED);
    assert_int_equal(wait_for(-1, WNOHANG, &status), pid);
    assert_int_equal(status, 0x200);
    child = machine_fork(parent);
    other = machine_thread(child);
    pid = child->tgid;
    machine_end(other, 3);                                       // all of them
    assert_int_equal(wait_for(-1, WNOHANG, &status), 0);
    assert_int_equal(machine_look(child), MACHINE_ENDED);
    assert_int_equal(wait_for(-1, 0, &status), pid);
    assert_int_equal(status, 0x300);
}

// Zombies go with their parent; nobody could wait for them.
static void zombies_of_the_dead(void **state)
{
    struct task *child = machine_fork(parent), *grandchild = machine_fork(child);
    int status, pid = child->tgid, grandpid = grandchild->tgid;

    (void)state;
    assert_int_equal(CALL(grandchild, getppid, 0), pid);
    machine_end(grandchild, 1);
    machine_end(child, 2);
    assert_null(ux_task_find(grandpid));
    assert_int_equal(wait_for(grandpid, 0, &status), -ECHILD);
    assert_int_equal(wait_for(-1, 0, &status), pid);
}

// ---- many -------------------------------------------------------------------------------------------------

static struct child {
    struct task *task;                   // NULL: none
    int  pid, group, status;
    bool zombie, stopped, tell_stop, tell_continue;
} children[CHILDREN];
static int groups[GROUPS];               // their numbers

static void some_event(struct child *c)
{
    switch (machine_random(5)) {
    case 0:
        c->status = (int)machine_random(256) << 8;
        machine_end(c->task, c->status >> 8);
        c->zombie = true;
        break;
    case 1:
        c->status = SIGKILL;
        kill_now(c->task, SIGKILL);
        c->zombie = true;
        break;
    case 2:
        if (!c->stopped) {
            process_stop(c->task->process, SIGTTIN);
            c->stopped = c->tell_stop = true;
            c->tell_continue = false;
        }
        break;
    default:
        assert_int_equal(CALL(parent, kill, c->pid, SIGCONT), 0);
        c->tell_continue |= c->stopped;
        c->tell_stop &= !c->stopped;
        c->stopped = false;
        break;
    }
}

static void create(struct child *c)
{
    unsigned g = machine_random(GROUPS);

    c->task = machine_fork(parent);
    c->pid = c->task->tgid;
    if (groups[g] != 0 && CALL(parent, setpgid, c->pid, groups[g]) != 0) {
        groups[g] = 0;                   // nobody is in it any more
    }
    if (groups[g] == 0) {
        assert_int_equal(CALL(parent, setpgid, c->pid, 0), 0);
        groups[g] = c->pid;
    }
    c->group = groups[g];
}

static bool reports(const struct child *c, int options)
{
    return c->zombie || (c->tell_stop && (options & WUNTRACED)) ||
           (c->tell_continue && (options & WCONTINUED));
}

static void some_wait(void)
{
    static const int some_options[] = {0, WUNTRACED, WCONTINUED, WUNTRACED | WCONTINUED};
    int options = some_options[machine_random(4)], status;
    int which = (int)machine_random(3);
    long id = which == 0   ? -1
              : which == 1 ? children[machine_random(CHILDREN)].pid
                           : -groups[machine_random(GROUPS)];
    bool any = false, ready = false;

    id = id == 0 ? -1 : id;
    for (struct child *c = children; c < children + CHILDREN; c++) {
        bool meant = c->task != NULL && (id == -1 || c->pid == id || c->group == -id);
        any |= meant;
        ready |= meant && reports(c, options);
    }
    long found = wait_for(id, options | WNOHANG, &status);
    if (!ready) {
        assert_int_equal(found, any ? 0 : -ECHILD);
        return;
    }
    struct child *c = children;
    while (c < children + CHILDREN && (c->task == NULL || c->pid != found)) {
        c++;
    }
    assert_true(c < children + CHILDREN && (id == -1 || c->pid == id || c->group == -id) &&
                reports(c, options));
    if (c->zombie) {
        assert_int_equal(status, c->status);
        *c = (struct child){0};
    } else if (status == 0xffff) {
        assert_true(c->tell_continue && (options & WCONTINUED));
        c->tell_continue = false;
    } else {
        assert_int_equal(status, SIGTTIN << 8 | 0x7f);
        assert_true(c->tell_stop && (options & WUNTRACED));
        c->tell_stop = false;
    }
}

static void families(void **state)
{
    int status;

    (void)state;
    machine_end(machine_fork(parent), 0);                // what is copied at the first use is copied now
    assert_true(wait_for(-1, 0, &status) > 0);
    machine_settle();
    forget_signals();
    size_t objects = machine_objects();
    unsigned tasks = task_count(), frames = machine_frames();
    for (unsigned i = 0; i < STEPS; i++) {
        struct child *c = &children[machine_random(CHILDREN)];
        if (machine_random(3) == 0) {
            some_wait();
        } else if (c->task == NULL) {
            create(c);
        } else if (!c->zombie) {
            some_event(c);
        }
    }
    for (struct child *c = children; c < children + CHILDREN; c++) {
        if (c->task != NULL && !c->zombie) {
            kill_now(c->task, SIGKILL);
        }
    }
    while (wait_for(-1, 0, &status) > 0) {
    }
    machine_settle();
    forget_signals();
    assert_int_equal(task_count(), tasks);
    assert_int_equal(machine_objects(), objects);
    assert_int_equal(machine_frames(), frames);
}

// ---- the end of all ---------------------------------------------------------------------------------------

static void first_ends_all(void **state)
{
    (void)state;
    assert_int_equal(machine_stopped, -1);
    machine_end(machine_first, 42);
    assert_int_equal(machine_stopped, 42);
}

static int begin(void **state)
{
    (void)state;
    machine_begin();
    for (unsigned i = 0; i < MACHINE_PAGES; i++) {       // what stays is there from the beginning
        uint8_t byte = 1;
        assert_int_equal(machine_write(machine_first, MACHINE_DATA + i * ABI_PAGE, &byte, 1), 0);
    }
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statuses), TEST(bad_places), TEST(child_signal), TEST(stops), TEST(waitid_looks_and_takes),
        TEST(waiting_is_woken), TEST(threads_end_one_by_one), TEST(zombies_of_the_dead), TEST(families),
        cmocka_unit_test(first_ends_all),
    };

    machine_seed("wait");
    return cmocka_run_group_tests(tests, begin, NULL);
}
