// xfer.c - moving bytes between the emulator and what a read or write call named; larger pieces of memory.
#include <base.h>

#include "file.h"

// Runs over the places in turn.  A place that cannot be reached ends it; what was moved before stays moved.
static int xfer_move(struct xfer *x, uint8_t *bytes, size_t n, bool out)
{
    while (n > 0) {
        if (x->count == 0) {
            return -EFAULT;
        }
        struct iovec *v = x->iov;
        size_t m = v->iov_len < n ? v->iov_len : n;
        if (m > 0) {
            int e = out ? ux_copy_out(x->task, (va_t)v->iov_base, bytes, m)
                        : ux_copy_in(x->task, bytes, (va_t)v->iov_base, m);
            if (e != 0) {
                return e;
            }
        }
        v->iov_base = (char *)v->iov_base + m;
        v->iov_len -= m;
        bytes += m;
        n -= m;
        if (v->iov_len == 0) {
            x->iov++;
            x->count--;
        }
    }
    return 0;
}

int xfer_out(struct xfer *x, const void *from, size_t n)
{
    if (x->kernel != NULL) {
        memcpy(x->kernel, from, n);
        x->kernel += n;
        return 0;
    }
    return xfer_move(x, (uint8_t *)from, n, true);
}

int xfer_in(struct xfer *x, void *to, size_t n)
{
    if (x->kernel != NULL) {
        memcpy(to, x->kernel, n);
        x->kernel += n;
        return 0;
    }
    return xfer_move(x, to, n, false);
}

int xfer_zero(struct xfer *x, size_t n)
{
    static const uint8_t zeros[ABI_PAGE];

    while (n > 0) {
        size_t m = n < sizeof(zeros) ? n : sizeof(zeros);
        int e = xfer_out(x, zeros, m);
        if (e != 0) {
            return e;
        }
        n -= m;
    }
    return 0;
}

enum { SMALL = 2048 };

void *big_alloc(size_t size)
{
    if (size <= SMALL) {
        return ak_alloc(size);
    }
    pa_t frames = ak_frame_alloc_run((unsigned)((size + ABI_PAGE - 1) / ABI_PAGE));
    if (frames == 0) {
        return NULL;
    }
    memset(ak_window(frames), 0, size);
    return ak_window(frames);
}

void big_free(void *p, size_t size)
{
    if (p == NULL) {
        return;
    }
    if (size <= SMALL) {
        ak_free(p, size);
        return;
    }
    for (size_t at = 0; at < size; at += ABI_PAGE) {
        ak_frame_put(ak_window_pa(p) + at);
    }
}
