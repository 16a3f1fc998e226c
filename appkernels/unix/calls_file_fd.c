// calls_file_fd.c - Linux calls on descriptors: close, dup, fcntl, pipe, ioctl, locks, sizes, sync.
#include <asm-generic/resource.h>
#include <base.h>
#include <linux/close_range.h>
#include <linux/fadvise.h>

#include "calls_file.h"

long ux_sys_close(struct task *t, const uint64_t a[6])
{
    return fd_close(t, (int)a[0]);
}

long ux_sys_close_range(struct task *t, const uint64_t a[6])
{
    unsigned first = (unsigned)a[0], last = (unsigned)a[1], flags = (unsigned)a[2];

    if (first > last || (flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0) {
        return -EINVAL;
    }
    if ((flags & CLOSE_RANGE_UNSHARE) != 0 && t->files->users > 1) {
        struct fd_table *copy = fd_table_copy(t->files);
        if (copy == NULL) {
            return -ENOMEM;
        }
        fd_table_put(t->files);
        t->files = copy;
    }
    for (unsigned fd = first; fd <= last && fd < t->files->size; fd++) {
        if (fd_table_get(t->files, fd) == NULL) {
            continue;
        }
        if ((flags & CLOSE_RANGE_CLOEXEC) != 0) {
            t->files->entry[fd].cloexec = true;
        } else {
            fd_close(t, (int)fd);
        }
    }
    return 0;
}

static long dup_from(struct task *t, int fd, uint64_t lowest, bool cloexec)
{
    struct file *f;

    if (lowest >= LINUX_OPEN_MAX || lowest >= ux_limit(t, RLIMIT_NOFILE)) {
        return -EINVAL;
    }
    int e = fd_get(t, fd, &f);
    return e != 0 ? e : fd_install(t, f, (int)lowest, cloexec);
}

long ux_sys_dup(struct task *t, const uint64_t a[6])
{
    return dup_from(t, (int)a[0], 0, false);
}

long ux_sys_dup2(struct task *t, const uint64_t a[6])
{
    struct file *f;
    int e = fd_get(t, (int)a[0], &f);

    if (e != 0) {
        return e;
    }
    if ((int)a[0] == (int)a[1]) {
        file_put(f);
        return (int)a[1];
    }
    return fd_replace(t, (int)a[1], f, false);
}

long ux_sys_dup3(struct task *t, const uint64_t a[6])
{
    struct file *f;

    if ((int)a[0] == (int)a[1] || ((unsigned)a[2] & ~(unsigned)O_CLOEXEC) != 0) {
        return -EINVAL;
    }
    int e = fd_get(t, (int)a[0], &f);
    return e != 0 ? e : fd_replace(t, (int)a[1], f, (a[2] & O_CLOEXEC) != 0);
}

static long call_pipe(struct task *t, va_t to, unsigned flags)
{
    struct file *reader, *writer;
    int fd[2];

    if ((flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;                      // packets (O_DIRECT) are not there
    }
    int e = pipe_create(t, flags, &reader, &writer);
    if (e != 0) {
        return e;
    }
    fd[0] = fd_install(t, reader, 0, (flags & O_CLOEXEC) != 0);
    if (fd[0] < 0) {
        file_put(writer);
        return fd[0];
    }
    fd[1] = fd_install(t, writer, 0, (flags & O_CLOEXEC) != 0);
    if (fd[1] < 0) {
        fd_close(t, fd[0]);
        return fd[1];
    }
    e = ux_copy_out(t, to, fd, sizeof(fd));
    if (e != 0) {
        fd_close(t, fd[0]);
        fd_close(t, fd[1]);
    }
    return e;
}

long ux_sys_pipe(struct task *t, const uint64_t a[6])
{
    return call_pipe(t, a[0], 0);
}

long ux_sys_pipe2(struct task *t, const uint64_t a[6])
{
    return call_pipe(t, a[0], (unsigned)a[1]);
}

// ---- fcntl ------------------------------------------------------------------------------------------------

static long fcntl_lock(struct task *t, struct file *f, unsigned command, va_t where)
{
    struct flock lock;
    long e = ux_copy_in(t, &lock, where, sizeof(lock));

    if (e == 0) {
        e = lock_fcntl(t, f, command, &lock);
    }
    if (e == 0 && (command == F_GETLK || command == F_OFD_GETLK)) {
        e = ux_copy_out(t, where, &lock, sizeof(lock));
    }
    return e;
}

static long fcntl_on(struct task *t, struct file *f, int fd, unsigned command, uint64_t argument)
{
    const unsigned settable = O_APPEND | O_NONBLOCK | O_NOATIME;

    switch (command) {
    case F_GETFD:
        return t->files->entry[fd].cloexec ? FD_CLOEXEC : 0;
    case F_SETFD:
        t->files->entry[fd].cloexec = (argument & FD_CLOEXEC) != 0;
        return 0;
    case F_GETFL:
        return f->flags;
    default:
        break;
    }
    if (f->path_only) {
        return -EBADF;
    }
    switch (command) {
    case F_SETFL:
        f->flags = (f->flags & ~settable) | ((unsigned)argument & settable);
        return 0;
    case F_GETLK: case F_SETLK: case F_SETLKW: case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
        return fcntl_lock(t, f, command, argument);
    case F_GETPIPE_SZ:
        return pipe_size(f);
    case F_SETPIPE_SZ: {
        long size = pipe_size(f);
        return size < 0 ? size : argument <= (uint64_t)size ? size : -EPERM;
    }
    default:
        return -EINVAL;
    }
}

long ux_sys_fcntl(struct task *t, const uint64_t a[6])
{
    unsigned command = (unsigned)a[1];
    struct file *f;

    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
        if (fd_table_get(t->files, (unsigned)a[0]) == NULL) {
            return -EBADF;
        }
        return dup_from(t, (int)a[0], (uint32_t)a[2], command == F_DUPFD_CLOEXEC);
    }
    long e = fd_get(t, (int)a[0], &f);
    if (e == 0) {
        e = fcntl_on(t, f, (int)a[0], command, a[2]);
        file_put(f);
    }
    return e;
}

long ux_sys_flock(struct task *t, const uint64_t a[6])
{
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e == 0) {
        e = lock_flock(t, f, (unsigned)a[1]);
        file_put(f);
    }
    return e;
}

static long ioctl_on(struct task *t, struct file *f, int fd, unsigned request, uint64_t argument)
{
    int on;

    switch (request) {
    case FIOCLEX:
    case FIONCLEX:
        t->files->entry[fd].cloexec = request == FIOCLEX;
        return 0;
    case FIONBIO:
        if (ux_copy_in(t, &on, argument, sizeof(on)) != 0) {
            return -EFAULT;
        }
        f->flags = on != 0 ? f->flags | O_NONBLOCK : f->flags & ~(unsigned)O_NONBLOCK;
        return 0;
    default:
        return f->ops->ioctl != NULL ? f->ops->ioctl(t, f, request, argument) : -ENOTTY;
    }
}

long ux_sys_ioctl(struct task *t, const uint64_t a[6])
{
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e == 0) {
        e = ioctl_on(t, f, (int)a[0], (unsigned)a[1], a[2]);
        file_put(f);
    }
    return e;
}

// ---- sizes ------------------------------------------------------------------------------------------------

static int truncate_to(struct task *t, struct inode *i, uint64_t size)
{
    size_t grow = size > i->size ? size - i->size : 0, most = grow;
    int e = file_limit(t, i->size, &most);

    if (e == 0 && most < grow) {
        size_t one = 1;
        e = file_limit(t, size, &one);       // beyond the limit: all of it fails
    }
    return e != 0 ? e : inode_truncate(i, size);
}

long ux_sys_truncate(struct task *t, const uint64_t a[6])
{
    struct path p;
    int e = (int64_t)a[1] < 0 ? -EINVAL : 0;

    if (e != 0) {
        return e;
    }
    e = path_user(t, AT_FDCWD, a[0], WALK_FOLLOW, &p);
    if (e == 0) {
        e = inode_is(p.inode, S_IFDIR) ? -EISDIR : !inode_is(p.inode, S_IFREG) ? -EINVAL : 0;
    }
    if (e == 0) {
        e = inode_permission(&t->creds, p.inode, MAY_WRITE);
    }
    if (e == 0) {
        e = truncate_to(t, p.inode, a[1]);
    }
    path_put(&p);
    return e;
}

long ux_sys_ftruncate(struct task *t, const uint64_t a[6])
{
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e == 0) {
        e = (int64_t)a[1] < 0 || !f->writable || f->ops != &regular_ops ? -EINVAL : truncate_to(t, f->inode, a[1]);
        file_put(f);
    }
    return e;
}

static long fallocate_on(struct file *f, unsigned mode, uint64_t offset, uint64_t length)
{
    if (!f->writable) {
        return -EBADF;
    }
    if (f->ops != &regular_ops) {
        return inode_is(f->inode, S_IFIFO) ? -ESPIPE : -ENODEV;
    }
    if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
        int e = filedata_zero(f->inode, offset, length);
        inode_touch(f->inode);
        return e;
    }
    if (mode != 0) {
        return -EOPNOTSUPP;
    }
    long e = filedata_reserve(f->inode, offset, length);
    if (e == 0 && offset + length > f->inode->size) {
        e = inode_truncate(f->inode, offset + length);
    }
    return e;
}

long ux_sys_fallocate(struct task *t, const uint64_t a[6])
{
    struct file *f;

    if ((int64_t)a[2] < 0 || (int64_t)a[3] <= 0) {
        return -EINVAL;
    }
    if (a[2] + a[3] > FILEDATA_MAX) {
        return -EFBIG;
    }
    long e = fd_get_io(t, (int)a[0], &f);
    if (e == 0) {
        e = fallocate_on(f, (unsigned)a[1], a[2], a[3]);
        file_put(f);
    }
    return e;
}

// Advice that this system has no use for: every file is in memory.
long ux_sys_fadvise64(struct task *t, const uint64_t a[6])
{
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);

    if (f == NULL || f->path_only) {
        return -EBADF;
    }
    if (inode_is(f->inode, S_IFIFO)) {
        return -ESPIPE;
    }
    return (int64_t)a[2] < 0 || a[3] > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

// ---- sync: files are in memory, and never anywhere else ---------------------------------------------------

static long sync_fd(struct task *t, int fd)
{
    struct file *f = fd_table_get(t->files, (unsigned)fd);

    if (f == NULL || f->path_only) {
        return -EBADF;
    }
    return inode_is(f->inode, S_IFREG) || inode_is(f->inode, S_IFDIR) ? 0 : -EINVAL;
}

long ux_sys_fsync(struct task *t, const uint64_t a[6])
{
    return sync_fd(t, (int)a[0]);
}

long ux_sys_fdatasync(struct task *t, const uint64_t a[6])
{
    return sync_fd(t, (int)a[0]);
}

long ux_sys_syncfs(struct task *t, const uint64_t a[6])
{
    return fd_table_get(t->files, (unsigned)a[0]) == NULL ? -EBADF : 0;
}

long ux_sys_sync(struct task *t, const uint64_t a[6])
{
    (void)t, (void)a;
    return 0;
}
