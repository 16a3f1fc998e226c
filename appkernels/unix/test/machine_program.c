// machine_program.c - programs on the machine: their calls, accesses, processes.  See machine.h.
#include "machine.h"

#include <stdio.h>
#include <sys.h>

static struct tty *terminal;

// ---- what is behind the file half -------------------------------------------------------------------------

struct tty *console_terminal(void)
{
    return terminal;
}

int console_open_stream(struct task *t, struct inode *i, struct file *f)
{
    (void)t, (void)i, (void)f;
    return -ENXIO;
}

static size_t put_nowhere(struct tty *y, const uint8_t *bytes, size_t n)
{
    (void)y, (void)bytes;
    return n;
}

static void drained(struct tty *y)
{
    (void)y;
}

// ---- into the emulator and back ---------------------------------------------------------------------------

// Run a handler, which never returns, until the program goes on.
static long enter(struct task *t, void (*handler)(struct task *t))
{
    jmp_buf here, *outer = machine_leave;
    bool outer_asleep = machine_asleep;
    volatile long result = 0;

    machine_leave = &here;
    machine_asleep = false;
    switch (setjmp(here)) {
    case 0:
        handler(t);
        break;
    case MACHINE_LEFT_ENDED:
        result = MACHINE_ENDED;
        break;
    default:
        result = machine_asleep ? MACHINE_ASLEEP : 0;
        break;
    }
    machine_leave = outer;
    machine_asleep = outer_asleep;
    return result;
}

static void trap(struct task *t)
{
    ux_trap(t->thread.state, (uint64_t)t, 0);
}

static void fault(struct task *t)
{
    ux_fault(t->thread.state, (uint64_t)t, 0);
}

long machine_call(struct task *t, uint64_t number, const uint64_t a[6])
{
    struct frame *f = &t->thread.state->frame[0];

    f->kind = FRAME_TRAP;
    f->rax = number;
    f->rdi = a[0];
    f->rsi = a[1];
    f->rdx = a[2];
    f->r10 = a[3];
    f->r8 = a[4];
    f->r9 = a[5];
    f->rip = MACHINE_CODE + 2;
    long e = enter(t, trap);
    return e != 0 ? e : (long)f->rax;
}

va_t machine_at(const struct task *t)
{
    return t->thread.state->frame[0].rip;
}

bool machine_again(const struct task *t, uint64_t number)
{
    const struct frame *f = &t->thread.state->frame[0];
    return f->rip == MACHINE_CODE && f->rax == number;
}

long machine_look(struct task *t)
{
    t->thread.state->frame[0].kind = FRAME_NONE;
    return enter(t, ux_return);
}

// ---- accesses ---------------------------------------------------------------------------------------------

// The byte for an access, after as many faults as it takes.
static int reach(struct task *t, va_t va, uint64_t need, uint8_t **at)
{
    struct frame *f = &t->thread.state->frame[0];
    uint32_t access = need & MAP_WRITE ? E_WRITE : need & MAP_EXEC ? E_EXEC : E_READ;
    uint64_t entry, error;

    for (unsigned tries = 0; tries < 100; tries++) {
        *at = machine_translate(t->vm->as.id, va, need, &error);
        if (*at != NULL) {
            return 0;
        }
        int e = vm_page(t->vm, va, access, &entry);
        if (e != 0) {
            return e;
        }
        f->kind = FRAME_FAULT;
        f->addr = va;
        f->error = error | (need & MAP_WRITE ? FAULT_WRITE : need & MAP_EXEC ? FAULT_EXEC : 0);
        assert_int_equal(enter(t, fault), 0);
    }
    fail_msg("the access never succeeds");
    return -1;
}

int machine_read(struct task *t, va_t va, void *to, size_t n)
{
    uint8_t *p;
    int e = reach(t, va, MAP_READ, &p);

    if (e == 0) {
        memcpy(to, p, n);
    }
    return e;
}

int machine_write(struct task *t, va_t va, const void *from, size_t n)
{
    uint8_t *p;
    int e = reach(t, va, MAP_WRITE, &p);

    if (e == 0) {
        memcpy(p, from, n);
    }
    return e;
}

int machine_fetch(struct task *t, va_t va)
{
    uint8_t *p;
    return reach(t, va, MAP_EXEC, &p);
}

// ---- processes --------------------------------------------------------------------------------------------

struct task *machine_fork(struct task *t)
{
    long pid = CALL(t, fork, 0);

    assert_true(pid > 0);
    assert_non_null(ux_task_find((int)pid));
    return ux_task_find((int)pid);
}

struct task *machine_thread(struct task *t)
{
    long tid = CALL(t, clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, MACHINE_STACK,
                    0, 0, 0);

    assert_true(tid > 0);
    return ux_task_find((int)tid);
}

void machine_end(struct task *t, int status)
{
    assert_int_equal(CALL(t, exit_group, status), MACHINE_ENDED);
}

void machine_settle(void)
{
    task_collect();
}

// ---- files and memory of the first process ----------------------------------------------------------------

va_t machine_text(struct task *t, unsigned slot, const char *text)
{
    va_t at = MACHINE_DATA + slot * ABI_PAGE;

    assert_int_equal(ux_copy_out(t, at, text, strlen(text) + 1), 0);
    return at;
}

void machine_file(const char *path, const void *bytes, size_t length, unsigned mode)
{
    struct task *t = machine_first;
    long fd = CALL(t, open, machine_text(t, 0, path), O_CREAT | O_TRUNC | O_RDWR, mode);

    assert_true(fd >= 0);
    for (size_t done = 0; done < length;) {
        size_t n = length - done < ABI_PAGE ? length - done : ABI_PAGE;
        assert_int_equal(ux_copy_out(t, MACHINE_DATA, (const uint8_t *)bytes + done, n), 0);
        assert_int_equal(CALL(t, write, fd, MACHINE_DATA, n), n);
        done += n;
    }
    assert_int_equal(CALL(t, close, fd), 0);
}

void machine_begin(void)
{
    static const struct tty_driver driver = {.put = put_nowhere, .drained = drained, .polled = true};
    const struct region data = {.start = MACHINE_DATA,
                                .end = MACHINE_DATA + MACHINE_PAGES * ABI_PAGE,
                                .access = 3,
                                .most = PROT_ALL};
    struct region stack = data;

    machine_memory_begin();
    fs_init(NULL, 0);
    terminal = tty_create(&driver);
    struct task *t = machine_first = task_create(NULL);
    t->sighand = ak_alloc(sizeof(*t->sighand));
    t->sighand->users = 1;
    t->fs = fs_context_create(fs_root());
    t->files = fd_table_create();
    t->vm = vm_create();
    t->process->is_first = true;
    t->process->exit_signal = SIGCHLD;
    limits_init(t->process);
    task_insert(t);
    assert_true(session_create(t) > 0);
    assert_int_equal(vm_map(t->vm, &data), 0);
    stack.start = MACHINE_STACK - MACHINE_PAGES * ABI_PAGE;
    stack.end = MACHINE_STACK;
    assert_int_equal(vm_map(t->vm, &stack), 0);
    t->thread.state->frame[0].rsp = MACHINE_STACK - 64;
    t->vm->brk_start = t->vm->brk = 0x28000000;
}
