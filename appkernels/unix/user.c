// user.c - copying between the emulator and a program's memory, through the window.
#include <base.h>

#include "task.h"
#include "vm.h"

// Where the byte at va is, after making the page ready for the access; NULL: it is not the program's.
static uint8_t *reach(struct task *t, va_t va, uint32_t access)
{
    uint64_t entry;

    if (vm_page(t->vm, va, access, &entry) != 0) {
        return NULL;
    }
    return (uint8_t *)ak_window(entry_frame(entry)) + (va & (ABI_PAGE - 1));
}

static size_t in_page(va_t va, size_t length)
{
    size_t n = ABI_PAGE - (va & (ABI_PAGE - 1));
    return length < n ? length : n;
}

static bool in_range(va_t va, size_t length)
{
    return va < VM_END && length <= VM_END - va;
}

int ux_copy_in(struct task *t, void *to, va_t from, size_t length)
{
    uint8_t *out = to;

    if (!in_range(from, length)) {
        return length == 0 ? 0 : -EFAULT;
    }
    while (length > 0) {
        size_t n = in_page(from, length);
        const uint8_t *p = reach(t, from, E_READ);
        if (p == NULL) {
            return -EFAULT;
        }
        memcpy(out, p, n);
        out += n;
        from += n;
        length -= n;
    }
    return 0;
}

int ux_copy_out(struct task *t, va_t to, const void *from, size_t length)
{
    const uint8_t *in = from;

    if (!in_range(to, length)) {
        return length == 0 ? 0 : -EFAULT;
    }
    while (length > 0) {
        size_t n = in_page(to, length);
        uint8_t *p = reach(t, to, E_WRITE);
        if (p == NULL) {
            return -EFAULT;
        }
        memcpy(p, in, n);
        in += n;
        to += n;
        length -= n;
    }
    return 0;
}

long ux_copy_string(struct task *t, char *to, va_t from, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t n = in_page(from, size - done);
        const char *p = in_range(from, 1) ? (const char *)reach(t, from, E_READ) : NULL;
        if (p == NULL) {
            return -EFAULT;
        }
        size_t length = strnlen(p, n);
        memcpy(to + done, p, length);
        if (length < n) {
            to[done + length] = 0;
            return (long)(done + length);
        }
        done += n;
        from += n;
    }
    return -ENAMETOOLONG;
}

uint32_t *user_word(struct task *t, va_t va, uint32_t access)
{
    return va % sizeof(uint32_t) == 0 && va < VM_END ? (uint32_t *)reach(t, va, access) : NULL;
}
