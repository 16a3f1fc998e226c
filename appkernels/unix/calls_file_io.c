// calls_file_io.c - Linux calls that move bytes: read, write, their vector and positioned forms, lseek, sendfile.
#include <base.h>

#include "calls_file.h"

static size_t io_length(uint64_t n)
{
    return n < IO_MAX ? n : IO_MAX;
}

long ux_sys_read(struct task *t, const uint64_t a[6])
{
    struct iovec v = {.iov_base = (void *)a[1], .iov_len = io_length(a[2])};
    struct xfer x = {.task = t, .iov = &v, .count = 1};
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e == 0) {
        e = file_read(t, f, &x, v.iov_len, &f->position);
        file_put(f);
    }
    return e;
}

long ux_sys_write(struct task *t, const uint64_t a[6])
{
    struct iovec v = {.iov_base = (void *)a[1], .iov_len = io_length(a[2])};
    struct xfer x = {.task = t, .iov = &v, .count = 1};
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e == 0) {
        e = file_write(t, f, &x, v.iov_len, &f->position);
        file_put(f);
    }
    return e;
}

// A positioned read or write: any number of places, at a position that is not the file's.
static long io_at(struct task *t, int fd, struct xfer *x, size_t n, int64_t offset, bool write)
{
    struct file *f;
    uint64_t position = (uint64_t)offset;
    long e = fd_get_io(t, fd, &f);

    if (e != 0) {
        return e;
    }
    if (offset < 0) {
        e = -EINVAL;
    } else if (!f->ops->seekable) {
        e = -ESPIPE;
    } else {
        e = write ? file_write(t, f, x, n, &position) : file_read(t, f, x, n, &position);
    }
    file_put(f);
    return e;
}

long ux_sys_pread64(struct task *t, const uint64_t a[6])
{
    struct iovec v = {.iov_base = (void *)a[1], .iov_len = io_length(a[2])};
    struct xfer x = {.task = t, .iov = &v, .count = 1};

    return io_at(t, (int)a[0], &x, v.iov_len, (int64_t)a[3], false);
}

long ux_sys_pwrite64(struct task *t, const uint64_t a[6])
{
    struct iovec v = {.iov_base = (void *)a[1], .iov_len = io_length(a[2])};
    struct xfer x = {.task = t, .iov = &v, .count = 1};

    return io_at(t, (int)a[0], &x, v.iov_len, (int64_t)a[3], true);
}

// ---- vectors ----------------------------------------------------------------------------------------------

enum { VECTORS_ON_STACK = 8 };
struct vectors {
    struct iovec few[VECTORS_ON_STACK], *all;
    unsigned count;
    size_t total;
};

static int vectors_get(struct task *t, struct vectors *v, va_t from, uint64_t count)
{
    v->all = v->few;
    v->count = (unsigned)count;
    v->total = 0;
    if (count > LINUX_IOV_MAX) {
        v->count = 0;
        return -EINVAL;
    }
    if (count > VECTORS_ON_STACK) {
        v->all = big_alloc(count * sizeof(struct iovec));
        if (v->all == NULL) {
            return -ENOMEM;
        }
    }
    int e = ux_copy_in(t, v->all, from, count * sizeof(struct iovec));
    for (unsigned k = 0; e == 0 && k < v->count; k++) {
        if ((int64_t)v->all[k].iov_len < 0) {
            return -EINVAL;
        }
        if (v->all[k].iov_len > IO_MAX - v->total) {
            v->all[k].iov_len = IO_MAX - v->total;
        }
        v->total += v->all[k].iov_len;
    }
    return e;
}

static void vectors_put(struct vectors *v)
{
    if (v->all != v->few) {
        big_free(v->all, v->count * sizeof(struct iovec));
    }
}

static long io_vector(struct task *t, const uint64_t a[6], bool positioned, bool write)
{
    struct vectors v;
    struct file *f;
    long e = vectors_get(t, &v, a[1], a[2]);

    if (e == 0) {
        struct xfer x = {.task = t, .iov = v.all, .count = v.count};
        if (positioned) {
            e = io_at(t, (int)a[0], &x, v.total, (int64_t)a[3], write);
        } else {
            e = fd_get_io(t, (int)a[0], &f);
            if (e == 0) {
                e = write ? file_write(t, f, &x, v.total, &f->position) : file_read(t, f, &x, v.total, &f->position);
                file_put(f);
            }
        }
    }
    vectors_put(&v);
    return e;
}

long ux_sys_readv(struct task *t, const uint64_t a[6])
{
    return io_vector(t, a, false, false);
}

long ux_sys_writev(struct task *t, const uint64_t a[6])
{
    return io_vector(t, a, false, true);
}

long ux_sys_preadv(struct task *t, const uint64_t a[6])
{
    return io_vector(t, a, true, false);
}

long ux_sys_pwritev(struct task *t, const uint64_t a[6])
{
    return io_vector(t, a, true, true);
}

// ---- positions --------------------------------------------------------------------------------------------

// Holes are not told apart: a file is data up to its end, and a hole begins there.
static int64_t seek_to(struct file *f, int64_t offset, unsigned whence)
{
    int64_t size = (int64_t)f->inode->size;

    switch (whence) {
    case SEEK_SET:
        return offset;
    case SEEK_CUR:
        return (int64_t)((uint64_t)offset + f->position);
    case SEEK_END:
        return (int64_t)((uint64_t)offset + (uint64_t)size);
    case SEEK_DATA:
        return offset < 0 || offset >= size ? -ENXIO : offset;
    case SEEK_HOLE:
        return offset < 0 || offset >= size ? -ENXIO : size;
    default:
        return -EINVAL;
    }
}

long ux_sys_lseek(struct task *t, const uint64_t a[6])
{
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e != 0) {
        return e;
    }
    int64_t to = f->ops->seekable ? seek_to(f, (int64_t)a[1], (unsigned)a[2]) : -ESPIPE;
    if (to < 0) {
        e = to == -ENXIO || to == -ESPIPE ? to : -EINVAL;
    } else if (inode_is(f->inode, S_IFCHR)) {
        e = 0;                               // null, zero, random: everywhere is the same place
    } else if ((uint64_t)to > FILEDATA_MAX && !inode_is(f->inode, S_IFDIR)) {
        e = -EINVAL;
    } else {
        f->position = (uint64_t)to;
        e = to;
    }
    file_put(f);
    return e;
}

// ---- from file to file ------------------------------------------------------------------------------------

// Move up to n bytes by way of a page of ours.  What could not be written counts as not read.
static long copy_between(struct task *t, struct file *in, uint64_t *from, struct file *out, uint64_t *to, uint64_t n)
{
    char *page = path_buffer_get();
    uint64_t done = 0;
    long e = 0;

    if (page == NULL) {
        return -ENOMEM;
    }
    while (done < n) {
        size_t want = n - done < ABI_PAGE ? n - done : ABI_PAGE;
        struct xfer x = {.task = t, .kernel = (uint8_t *)page};
        uint64_t at = *from;
        e = file_read(t, in, &x, want, &at);
        if (e <= 0) {
            break;
        }
        size_t got = (size_t)e;
        x.kernel = (uint8_t *)page;
        e = file_write(t, out, &x, got, to);
        if (e <= 0) {
            break;
        }
        *from += (uint64_t)e;
        done += (uint64_t)e;
        if ((size_t)e < got || (t->interrupted && done < n)) {
            break;
        }
    }
    path_buffer_put(page);
    return done > 0 ? (long)done : e;
}

long ux_sys_sendfile(struct task *t, const uint64_t a[6])
{
    struct file *in = NULL, *out = NULL;
    int64_t offset = 0;
    long e = fd_get_io(t, (int)a[0], &out);

    if (e == 0) {
        e = fd_get_io(t, (int)a[1], &in);
    }
    if (e == 0 && (!in->readable || !out->writable)) {
        e = -EBADF;
    }
    if (e == 0 && (!in->ops->seekable || (out->flags & O_APPEND) != 0)) {
        e = a[2] != 0 && !in->ops->seekable ? -ESPIPE : -EINVAL;
    }
    if (e == 0 && a[2] != 0) {
        e = ux_copy_in(t, &offset, a[2], sizeof(offset));
        if (e == 0 && offset < 0) {
            e = -EINVAL;
        }
    }
    if (e == 0) {
        uint64_t position = (uint64_t)offset;
        e = copy_between(t, in, a[2] != 0 ? &position : &in->position, out, &out->position, io_length(a[3]));
        if (e >= 0 && a[2] != 0 && ux_copy_out(t, a[2], &position, sizeof(position)) != 0) {
            e = -EFAULT;
        }
    }
    if (in != NULL) {
        file_put(in);
    }
    if (out != NULL) {
        file_put(out);
    }
    return e;
}

// The position of one side of copy_file_range: its own, or the one at `where`.
static long range_position(struct task *t, struct file *f, va_t where, uint64_t *position)
{
    if (where == 0) {
        *position = f->position;
        return 0;
    }
    int e = ux_copy_in(t, position, where, sizeof(*position));
    return e != 0 ? e : (int64_t)*position < 0 ? -EINVAL : 0;
}

static long range_copy(struct task *t, struct file *in, va_t in_at, struct file *out, va_t out_at, uint64_t n)
{
    uint64_t from, to;

    if (!in->readable || !out->writable || (out->flags & O_APPEND) != 0) {
        return -EBADF;
    }
    if (inode_is(in->inode, S_IFDIR) || inode_is(out->inode, S_IFDIR)) {
        return -EISDIR;
    }
    if (in->ops != &regular_ops || out->ops != &regular_ops) {
        return -EINVAL;
    }
    long e = range_position(t, in, in_at, &from);
    if (e == 0) {
        e = range_position(t, out, out_at, &to);
    }
    if (e != 0) {
        return e;
    }
    uint64_t size = in->inode->size;
    n = from >= size ? 0 : n < size - from ? n : size - from;
    if (in->inode == out->inode && n > 0 && from < to + n && to < from + n) {
        return -EINVAL;
    }
    e = copy_between(t, in, &from, out, &to, n);
    if (e < 0) {
        return e;
    }
    int bad = 0;
    if (in_at != 0) {
        bad |= ux_copy_out(t, in_at, &from, sizeof(from));
    } else {
        in->position = from;
    }
    if (out_at != 0) {
        bad |= ux_copy_out(t, out_at, &to, sizeof(to));
    } else {
        out->position = to;
    }
    return bad != 0 ? -EFAULT : e;
}

long ux_sys_copy_file_range(struct task *t, const uint64_t a[6])
{
    struct file *in, *out;

    if (a[5] != 0) {
        return -EINVAL;
    }
    long e = fd_get_io(t, (int)a[0], &in);
    if (e != 0) {
        return e;
    }
    e = fd_get_io(t, (int)a[2], &out);
    if (e == 0) {
        e = range_copy(t, in, a[1], out, a[3], io_length(a[4]));
        file_put(out);
    }
    file_put(in);
    return e;
}
