// exec_stack.c - what a new program finds on its stack: strings, pointers to them, and the auxiliary vector.
//
// Strings are pushed down from the top: the name of the program, the environment, the arguments; each array lies in
// ascending order, so that the pointers can be written by walking over it once more.
#include "exec.h"

#include <base.h>

enum { AUXV_MAX = 24, STACK_ALIGN = 16, RANDOM_BYTES = 16 };
enum { HWCAP2_FSGSBASE = 2, SIGNAL_STACK = 2048 };

// Write to the new memory.
static int exec_write(struct vm *vm, va_t to, const void *from, size_t length)
{
    const uint8_t *in = from;

    while (length > 0) {
        uint64_t entry;
        size_t n = ABI_PAGE - (to & (ABI_PAGE - 1));
        n = n < length ? n : length;
        int e = vm_page(vm, to, E_WRITE, &entry);
        if (e != 0) {
            return e == -ENOMEM ? e : -E2BIG;
        }
        memcpy((uint8_t *)ak_window(entry_frame(entry)) + (to & (ABI_PAGE - 1)), in, n);
        to += n;
        in += n;
        length -= n;
    }
    return 0;
}

static int push(struct exec *x, const void *bytes, size_t size)
{
    if (VM_STACK_TOP - x->sp + size > LINUX_ARG_MAX) {
        return -E2BIG;
    }
    x->sp -= size;
    return exec_write(x->vm, x->sp, bytes, size);
}

// A part of the caller's memory that is in one page; NULL: not there.
static const char *piece(struct task *t, va_t va, size_t *n)
{
    uint64_t entry;

    *n = ABI_PAGE - (va & (ABI_PAGE - 1));
    if (vm_page(t->vm, va, E_READ, &entry) != 0) {
        return NULL;
    }
    return (const char *)ak_window(entry_frame(entry)) + (va & (ABI_PAGE - 1));
}

// Push a string of the caller's memory, with its NUL.
static int push_user(struct exec *x, va_t from)
{
    size_t length = 0, n;

    for (va_t va = from;; va += n) {
        const char *p = piece(x->task, va, &n);
        if (p == NULL) {
            return -EFAULT;
        }
        size_t here = strnlen(p, n);
        length += here;
        if (length >= LINUX_ARG_STRLEN || VM_STACK_TOP - x->sp + length + 1 > LINUX_ARG_MAX) {
            return -E2BIG;
        }
        if (here < n) {
            break;
        }
    }
    x->sp -= length + 1;
    for (size_t done = 0; done < length + 1; done += n) {
        const char *p = piece(x->task, from + done, &n);
        if (p == NULL) {
            return -EFAULT;
        }
        n = n < length + 1 - done ? n : length + 1 - done;
        int e = exec_write(x->vm, x->sp + done, p, n);
        if (e != 0) {
            return e;
        }
    }
    return 0;
}

static int push_text(struct exec *x, const char *text)
{
    return push(x, text, strlen(text) + 1);
}

static int count_pointers(struct task *t, va_t array, unsigned *count)
{
    uint64_t pointer;

    for (*count = 0; array != 0; (*count)++) {
        if (ux_copy_in(t, &pointer, array + *count * sizeof(pointer), sizeof(pointer)) != 0) {
            return -EFAULT;
        }
        if (pointer == 0) {
            break;
        }
        if (*count >= LINUX_ARG_MAX / sizeof(pointer)) {
            return -E2BIG;
        }
    }
    return 0;
}

// Push the strings of an array, the last one first, but not those before `skip`.
static int push_array(struct exec *x, va_t array, const char *const *own, unsigned count, unsigned skip)
{
    int e = 0;

    for (unsigned i = count; i > skip && e == 0; i--) {
        uint64_t pointer;
        if (own != NULL) {
            e = push_text(x, own[i - 1]);
        } else if (ux_copy_in(x->task, &pointer, array + (i - 1) * sizeof(pointer), sizeof(pointer)) != 0) {
            e = -EFAULT;
        } else {
            e = push_user(x, pointer);
        }
    }
    return e;
}

static unsigned count_own(const char *const *strings)
{
    unsigned n = 0;

    while (strings[n] != NULL) {
        n++;
    }
    return n;
}

int exec_push_strings(struct exec *x, va_t argv, va_t envp, const struct exec_strings *own)
{
    unsigned argc = 0, skip = x->nwords > 0 ? 1 : 0;
    int e = 0;

    if (own != NULL) {
        argc = count_own(own->argv);
        x->envc = count_own(own->envp);
    } else {
        e = count_pointers(x->task, argv, &argc);
        e = e != 0 ? e : count_pointers(x->task, envp, &x->envc);
    }
    e = e != 0 ? e : push_text(x, x->called);
    x->exec_name = x->sp;
    e = e != 0 ? e : push_array(x, envp, own != NULL ? own->envp : NULL, x->envc, 0);
    x->environment = x->sp;
    skip = skip < argc ? skip : argc;
    e = e != 0 ? e : push_array(x, argv, own != NULL ? own->argv : NULL, argc, skip);
    for (unsigned i = 0; i < x->nwords && e == 0; i++) {
        e = push_text(x, x->words[i]);
    }
    x->argc = argc - skip + x->nwords;
    if (e == 0 && x->argc == 0) {        // Linux gives a program without arguments an empty one
        e = push_text(x, "");
        x->argc = 1;
    }
    x->strings = x->sp;
    return e;
}

// ---- what the program finds on its stack ------------------------------------------------------------------

static uint32_t cpu_features(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d;
}

static size_t string_size(struct vm *vm, va_t va)
{
    size_t size = 0;

    for (;;) {
        uint64_t entry;
        size_t n = ABI_PAGE - ((va + size) & (ABI_PAGE - 1));
        if (vm_page(vm, va + size, E_READ, &entry) != 0) {
            return size;
        }
        const char *p = (const char *)ak_window(entry_frame(entry)) + ((va + size) & (ABI_PAGE - 1));
        size_t here = strnlen(p, n);
        size += here;
        if (here < n) {
            return size + 1;
        }
    }
}

// Pointers to `count` strings that follow each other, and NULL.
static int write_pointers(struct exec *x, va_t *to, va_t string, unsigned count)
{
    static const uint64_t none = 0;
    int e = 0;

    for (unsigned i = 0; i < count && e == 0; i++) {
        e = exec_write(x->vm, *to, &string, sizeof(string));
        *to += sizeof(string);
        string += string_size(x->vm, string);
    }
    e = e != 0 ? e : exec_write(x->vm, *to, &none, sizeof(none));
    *to += sizeof(none);
    return e;
}

static unsigned make_auxv(const struct exec *x, uint64_t random, uint64_t platform, uint64_t v[][2])
{
    const struct creds *c = &x->task->creds;
    const uint64_t all[][2] = {
        {AT_PHDR, x->headers}, {AT_PHENT, sizeof(Elf64_Phdr)}, {AT_PHNUM, x->header_count}, {AT_PAGESZ, ABI_PAGE},
        {AT_BASE, x->base}, {AT_FLAGS, 0}, {AT_ENTRY, x->program_entry}, {AT_UID, c->uid}, {AT_EUID, c->euid},
        {AT_GID, c->gid}, {AT_EGID, c->egid}, {AT_SECURE, 0}, {AT_RANDOM, random}, {AT_EXECFN, x->exec_name},
        {AT_PLATFORM, platform}, {AT_HWCAP, cpu_features()}, {AT_HWCAP2, HWCAP2_FSGSBASE},
        {AT_CLKTCK, LINUX_CLK_TCK}, {AT_MINSIGSTKSZ, SIGNAL_STACK}, {AT_NULL, 0},
    };
    _Static_assert(sizeof(all) / sizeof(all[0]) <= AUXV_MAX, "auxv");

    memcpy(v, all, sizeof(all));
    return sizeof(all) / sizeof(all[0]);
}

int exec_build_stack(struct exec *x)
{
    uint8_t bytes[RANDOM_BYTES];
    uint64_t auxv[AUXV_MAX][2], argc = x->argc;

    ux_random(bytes, sizeof(bytes));
    int e = push_text(x, "x86_64");
    va_t platform = x->sp;
    x->sp &= ~(va_t)(STACK_ALIGN - 1);
    e = e != 0 ? e : push(x, bytes, sizeof(bytes));
    va_t random = x->sp;
    unsigned entries = make_auxv(x, random, platform, auxv);
    size_t pointers = (1 + x->argc + 1 + x->envc + 1) * sizeof(uint64_t), size = pointers + entries * sizeof(auxv[0]);
    if (e == 0 && VM_STACK_TOP - x->sp + size > 2 * LINUX_ARG_MAX) {
        e = -E2BIG;
    }
    x->sp = (x->sp - size) & ~(va_t)(STACK_ALIGN - 1);
    va_t to = x->sp + sizeof(argc);
    e = e != 0 ? e : exec_write(x->vm, x->sp, &argc, sizeof(argc));
    e = e != 0 ? e : write_pointers(x, &to, x->strings, x->argc);
    e = e != 0 ? e : write_pointers(x, &to, x->environment, x->envc);
    return e != 0 ? e : exec_write(x->vm, to, auxv, entries * sizeof(auxv[0]));
}
