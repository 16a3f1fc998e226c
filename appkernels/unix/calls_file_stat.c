// calls_file_stat.c - Linux calls on what is known about a file: stat, access, mode, owner, times, file systems.
#include <base.h>

#include "calls_file.h"

// Look up for a call that takes a directory descriptor, a path and AT_ flags.
static int find_at(struct task *t, int dirfd, va_t text, unsigned flags, unsigned allowed, struct path *p)
{
    unsigned walk = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : WALK_FOLLOW;

    *p = (struct path){0};
    if ((flags & ~allowed) != 0) {
        return -EINVAL;
    }
    if ((flags & AT_EMPTY_PATH) != 0) {
        walk |= WALK_EMPTY;
    }
    return path_user(t, dirfd, text, walk, p);
}

// ---- stat -------------------------------------------------------------------------------------------------

static long stat_out(struct task *t, struct inode *i, va_t to)
{
    struct stat st;

    inode_stat(i, &st);
    return ux_copy_out(t, to, &st, sizeof(st));
}

static long call_stat(struct task *t, int dirfd, va_t text, va_t to, unsigned flags)
{
    const unsigned allowed = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
    struct path p;
    long e = find_at(t, dirfd, text, flags, allowed, &p);

    if (e == 0) {
        e = stat_out(t, p.inode, to);
    }
    path_put(&p);
    return e;
}

long ux_sys_stat(struct task *t, const uint64_t a[6])
{
    return call_stat(t, AT_FDCWD, a[0], a[1], 0);
}

long ux_sys_lstat(struct task *t, const uint64_t a[6])
{
    return call_stat(t, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW);
}

long ux_sys_newfstatat(struct task *t, const uint64_t a[6])
{
    return call_stat(t, (int)a[0], a[1], a[2], (unsigned)a[3]);
}

long ux_sys_fstat(struct task *t, const uint64_t a[6])
{
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);

    return f == NULL ? -EBADF : stat_out(t, f->inode, a[1]);
}

static struct statx_timestamp statx_time(unsigned long seconds, unsigned long rest)
{
    return (struct statx_timestamp){.tv_sec = (int64_t)seconds, .tv_nsec = (uint32_t)rest};
}

// Linux packs a device number as 12 bits of major between the low 8 and the high bits of the minor.
static uint32_t dev_major(uint64_t dev)
{
    return dev >> 8 & 0xfff;
}

static uint32_t dev_minor(uint64_t dev)
{
    return (uint32_t)((dev & 0xff) | (dev >> 12 & 0xfffff00));
}

long ux_sys_statx(struct task *t, const uint64_t a[6])
{
    const unsigned allowed = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;
    struct statx x = {.stx_mask = STATX_BASIC_STATS};
    struct stat st;
    struct path p;

    if ((a[3] & STATX__RESERVED) != 0 || (a[2] & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) {
        return -EINVAL;
    }
    long e = find_at(t, (int)a[0], a[1], (unsigned)a[2], allowed, &p);
    if (e == 0) {
        inode_stat(p.inode, &st);
        x.stx_blksize = (uint32_t)st.st_blksize;
        x.stx_nlink = (uint32_t)st.st_nlink;
        x.stx_uid = st.st_uid;
        x.stx_gid = st.st_gid;
        x.stx_mode = (uint16_t)st.st_mode;
        x.stx_ino = st.st_ino;
        x.stx_size = (uint64_t)st.st_size;
        x.stx_blocks = (uint64_t)st.st_blocks;
        x.stx_atime = statx_time(st.st_atime, st.st_atime_nsec);
        x.stx_mtime = statx_time(st.st_mtime, st.st_mtime_nsec);
        x.stx_ctime = statx_time(st.st_ctime, st.st_ctime_nsec);
        x.stx_rdev_major = dev_major(st.st_rdev);
        x.stx_rdev_minor = dev_minor(st.st_rdev);
        x.stx_dev_major = dev_major(st.st_dev);
        x.stx_dev_minor = dev_minor(st.st_dev);
        e = ux_copy_out(t, a[4], &x, sizeof(x));
    }
    path_put(&p);
    return e;
}

// ---- permissions and owners -------------------------------------------------------------------------------

static long call_access(struct task *t, int dirfd, va_t text, unsigned mode, unsigned flags)
{
    const struct creds *c = &t->creds;
    bool effective = (flags & AT_EACCESS) != 0;
    unsigned walk = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : WALK_FOLLOW;
    struct path p;

    if (mode > 7 || (flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
        return -EINVAL;
    }
    walk |= (effective ? 0 : WALK_REAL) | ((flags & AT_EMPTY_PATH) != 0 ? WALK_EMPTY : 0);
    int e = path_user(t, dirfd, text, walk, &p);
    if (e == 0 && mode != 0) {
        e = inode_permission_ids(c, effective ? c->euid : c->uid, effective ? c->egid : c->gid, p.inode, mode);
    }
    path_put(&p);
    return e;
}

long ux_sys_access(struct task *t, const uint64_t a[6])
{
    return call_access(t, AT_FDCWD, a[0], (unsigned)a[1], 0);
}

long ux_sys_faccessat(struct task *t, const uint64_t a[6])
{
    return call_access(t, (int)a[0], a[1], (unsigned)a[2], 0);
}

long ux_sys_faccessat2(struct task *t, const uint64_t a[6])
{
    return call_access(t, (int)a[0], a[1], (unsigned)a[2], (unsigned)a[3]);
}

static long call_chmod(struct task *t, int dirfd, va_t text, uint32_t mode)
{
    struct path p;
    int e = path_user(t, dirfd, text, WALK_FOLLOW, &p);

    if (e == 0) {
        e = inode_chmod(t, p.inode, mode);
    }
    path_put(&p);
    return e;
}

long ux_sys_chmod(struct task *t, const uint64_t a[6])
{
    return call_chmod(t, AT_FDCWD, a[0], (uint32_t)a[1]);
}

long ux_sys_fchmodat(struct task *t, const uint64_t a[6])
{
    return call_chmod(t, (int)a[0], a[1], (uint32_t)a[2]);
}

long ux_sys_fchmod(struct task *t, const uint64_t a[6])
{
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);

    return f == NULL || f->path_only ? -EBADF : inode_chmod(t, f->inode, (uint32_t)a[1]);
}

static long call_chown(struct task *t, int dirfd, va_t text, uint32_t uid, uint32_t gid, unsigned flags)
{
    struct path p;
    int e = find_at(t, dirfd, text, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &p);

    if (e == 0) {
        e = inode_chown(t, p.inode, uid, gid);
    }
    path_put(&p);
    return e;
}

long ux_sys_chown(struct task *t, const uint64_t a[6])
{
    return call_chown(t, AT_FDCWD, a[0], (uint32_t)a[1], (uint32_t)a[2], 0);
}

long ux_sys_lchown(struct task *t, const uint64_t a[6])
{
    return call_chown(t, AT_FDCWD, a[0], (uint32_t)a[1], (uint32_t)a[2], AT_SYMLINK_NOFOLLOW);
}

long ux_sys_fchownat(struct task *t, const uint64_t a[6])
{
    return call_chown(t, (int)a[0], a[1], (uint32_t)a[2], (uint32_t)a[3], (unsigned)a[4]);
}

long ux_sys_fchown(struct task *t, const uint64_t a[6])
{
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);

    return f == NULL || f->path_only ? -EBADF : inode_chown(t, f->inode, (uint32_t)a[1], (uint32_t)a[2]);
}

long ux_sys_umask(struct task *t, const uint64_t a[6])
{
    uint32_t old = t->fs->umask;

    t->fs->umask = (uint32_t)a[0] & 0777;
    return (long)old;
}

// ---- times ------------------------------------------------------------------------------------------------

struct times {                               // nanoseconds since 1970
    int64_t at[2];                           // access, modification
    bool    omit[2], now[2];
};

static void times_now(struct times *w)
{
    *w = (struct times){.now = {true, true}};
}

static int64_t time_of(int64_t seconds, int64_t rest)
{
    const int64_t most = INT64_MAX / 1000000000 - 1;

    seconds = seconds > most ? most : seconds < -most ? -most : seconds;
    return seconds * 1000000000 + rest;
}

static int times_set(struct task *t, struct inode *i, const struct times *w)
{
    if (w->omit[0] && w->omit[1]) {
        return 0;
    }
    if (i->fs->transient) {
        return -EPERM;
    }
    if (!inode_owner(&t->creds, i)) {
        if (!w->now[0] || !w->now[1]) {
            return -EPERM;
        }
        if (inode_permission(&t->creds, i, MAY_WRITE) != 0) {
            return -EACCES;
        }
    }
    int64_t now = (int64_t)ux_wall_ns();
    if (!w->omit[0]) {
        i->atime = w->now[0] ? now : w->at[0];
    }
    if (!w->omit[1]) {
        i->mtime = w->now[1] ? now : w->at[1];
    }
    i->ctime = now;
    return 0;
}

static long times_path(struct task *t, int dirfd, va_t text, unsigned flags, const struct times *w)
{
    struct path p;
    int e = find_at(t, dirfd, text, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &p);

    if (e == 0) {
        e = times_set(t, p.inode, w);
    }
    path_put(&p);
    return e;
}

long ux_sys_utimensat(struct task *t, const uint64_t a[6])
{
    struct __kernel_timespec ts[2];
    struct times w;

    times_now(&w);
    if (a[2] != 0) {
        if (ux_copy_in(t, ts, a[2], sizeof(ts)) != 0) {
            return -EFAULT;
        }
        for (int k = 0; k < 2; k++) {
            w.now[k] = ts[k].tv_nsec == UTIME_NOW;
            w.omit[k] = ts[k].tv_nsec == UTIME_OMIT;
            if (!w.now[k] && !w.omit[k] && (ts[k].tv_nsec < 0 || ts[k].tv_nsec >= 1000000000)) {
                return -EINVAL;
            }
            w.at[k] = time_of(ts[k].tv_sec, ts[k].tv_nsec);
        }
    }
    if (a[1] != 0) {
        return times_path(t, (int)a[0], a[1], (unsigned)a[3], &w);
    }
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);
    return a[3] != 0 ? -EINVAL : f == NULL || f->path_only ? -EBADF : times_set(t, f->inode, &w);
}

// utimes and futimesat: two pairs of seconds and microseconds.
static long times_micro(struct task *t, int dirfd, va_t text, va_t from)
{
    int64_t tv[4];
    struct times w;

    times_now(&w);
    if (from != 0) {
        if (ux_copy_in(t, tv, from, sizeof(tv)) != 0) {
            return -EFAULT;
        }
        if (tv[1] < 0 || tv[1] >= 1000000 || tv[3] < 0 || tv[3] >= 1000000) {
            return -EINVAL;
        }
        w = (struct times){.at = {time_of(tv[0], tv[1] * 1000), time_of(tv[2], tv[3] * 1000)}};
    }
    return times_path(t, dirfd, text, 0, &w);
}

long ux_sys_utimes(struct task *t, const uint64_t a[6])
{
    return times_micro(t, AT_FDCWD, a[0], a[1]);
}

long ux_sys_futimesat(struct task *t, const uint64_t a[6])
{
    return times_micro(t, (int)a[0], a[1], a[2]);
}

long ux_sys_utime(struct task *t, const uint64_t a[6])
{
    int64_t seconds[2];
    struct times w;

    times_now(&w);
    if (a[1] != 0) {
        if (ux_copy_in(t, seconds, a[1], sizeof(seconds)) != 0) {
            return -EFAULT;
        }
        w = (struct times){.at = {time_of(seconds[0], 0), time_of(seconds[1], 0)}};
    }
    return times_path(t, AT_FDCWD, a[0], 0, &w);
}

// ---- file systems -----------------------------------------------------------------------------------------

static long statfs_out(struct task *t, struct inode *i, va_t to)
{
    struct statfs st;

    inode_statfs(i, &st);
    return ux_copy_out(t, to, &st, sizeof(st));
}

long ux_sys_statfs(struct task *t, const uint64_t a[6])
{
    struct path p;
    long e = path_user(t, AT_FDCWD, a[0], WALK_FOLLOW, &p);

    if (e == 0) {
        e = statfs_out(t, p.inode, a[1]);
    }
    path_put(&p);
    return e;
}

long ux_sys_fstatfs(struct task *t, const uint64_t a[6])
{
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);

    return f == NULL ? -EBADF : statfs_out(t, f->inode, a[1]);
}

// The tree is what the boot archive made it, with /dev and /proc: no file system can be added or taken away.
long ux_sys_mount(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->creds.euid != 0 ? -EPERM : -ENODEV;
}

long ux_sys_umount2(struct task *t, const uint64_t a[6])
{
    struct path p;

    if (t->creds.euid != 0) {
        return -EPERM;
    }
    int e = path_user(t, AT_FDCWD, a[0], WALK_FOLLOW, &p);
    if (e == 0) {
        e = p.inode == p.inode->fs->root ? -EBUSY : -EINVAL;
    }
    path_put(&p);
    return e;
}
