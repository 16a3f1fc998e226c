// calls_file_open.c - Linux calls that open files or make new ones: open, mknod, mkdir, symlink.
#include <base.h>

#include "calls_file.h"

// A new inode at a place that is free.  The caller has checked that p->inode is NULL.
static int node_create(struct task *t, struct path *p, uint32_t mode, uint64_t rdev, struct inode **out)
{
    int e = path_may_create(t, p);

    if (e != 0) {
        return p->dir->ops->create == NULL && e == -EPERM ? -ENOENT : e;
    }
    e = p->dir->ops->create(p->dir, mode, rdev, out);
    if (e != 0) {
        return e;
    }
    struct inode *i = *out;
    i->uid = t->creds.euid;
    i->gid = t->creds.egid;
    if ((p->dir->mode & S_ISGID) != 0) {
        i->gid = p->dir->gid;
        i->mode |= inode_is(i, S_IFDIR) ? S_ISGID : 0;
    }
    e = p->dir->ops->link(p->dir, p->name, p->length, i);
    if (e != 0) {
        inode_put(i);
    }
    return e;
}

// May t open what was found?  Not asked for what it has just created.
static int open_check(struct task *t, struct inode *i, unsigned flags)
{
    unsigned mode = flags & O_ACCMODE, may = 0;

    if ((flags & O_DIRECTORY) != 0 && !inode_is(i, S_IFDIR)) {
        return -ENOTDIR;
    }
    if ((flags & O_PATH) != 0) {
        return 0;
    }
    if (inode_is(i, S_IFLNK)) {
        return -ELOOP;
    }
    may |= mode == O_RDONLY || mode == O_RDWR || mode == O_ACCMODE ? MAY_READ : 0;
    may |= mode != O_RDONLY || (flags & O_TRUNC) != 0 ? MAY_WRITE : 0;
    if (inode_is(i, S_IFDIR) && ((may & MAY_WRITE) != 0 || (flags & O_CREAT) != 0)) {
        return -EISDIR;
    }
    return inode_permission(&t->creds, i, may);
}

// Find the inode to open, or create it.
static int open_find(struct task *t, int dirfd, va_t text, unsigned flags, uint32_t mode, struct inode **out)
{
    struct path p;
    unsigned walk = (flags & O_CREAT) != 0 ? WALK_PARENT : 0;
    bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);

    if ((flags & O_NOFOLLOW) == 0 && !exclusive) {
        walk |= WALK_FOLLOW;
    }
    int e = path_user(t, dirfd, text, walk, &p);
    if (e == 0 && p.inode == NULL) {
        e = p.slash ? -EISDIR : node_create(t, &p, S_IFREG | (mode & 07777 & ~t->fs->umask), 0, out);
    } else if (e == 0) {
        e = exclusive ? -EEXIST : open_check(t, p.inode, flags);
        if (e == 0) {
            *out = p.inode;
            p.inode = NULL;
        }
    }
    path_put(&p);
    return e;
}

long call_open(struct task *t, int dirfd, va_t text, unsigned flags, uint32_t mode)
{
    struct inode *i;
    struct file *f;

    if ((flags & O_PATH) != 0) {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    }
    if ((flags & __O_TMPFILE) != 0) {
        return -EOPNOTSUPP;
    }
    int e = open_find(t, dirfd, text, flags, mode, &i);
    if (e != 0) {
        return e;
    }
    e = file_open_inode(t, i, flags | O_LARGEFILE, &f);
    if (e == 0 && (flags & O_TRUNC) != 0 && f->ops == &regular_ops && i->size > 0) {
        e = inode_truncate(i, 0);
        if (e != 0) {
            file_put(f);
        }
    }
    inode_put(i);
    return e != 0 ? e : fd_install(t, f, 0, (flags & O_CLOEXEC) != 0);
}

long ux_sys_open(struct task *t, const uint64_t a[6])
{
    return call_open(t, AT_FDCWD, a[0], (unsigned)a[1], (uint32_t)a[2]);
}

long ux_sys_openat(struct task *t, const uint64_t a[6])
{
    return call_open(t, (int)a[0], a[1], (unsigned)a[2], (uint32_t)a[3]);
}

long ux_sys_creat(struct task *t, const uint64_t a[6])
{
    return call_open(t, AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (uint32_t)a[1]);
}

static long call_mknod(struct task *t, int dirfd, va_t text, uint32_t mode, uint64_t rdev)
{
    struct path p;
    struct inode *i;
    uint32_t type = mode & S_IFMT;

    if (type == 0) {
        type = S_IFREG;
    }
    if (type == S_IFDIR) {
        return -EPERM;
    }
    if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK) {
        return -EINVAL;
    }
    bool device = type == S_IFCHR || type == S_IFBLK;
    int e = path_user(t, dirfd, text, WALK_PARENT, &p);
    if (e == 0) {
        e = p.inode != NULL || p.last != LAST_NAME ? -EEXIST : p.slash ? -ENOENT : 0;
    }
    if (e == 0 && device && t->creds.euid != 0) {
        e = -EPERM;
    }
    if (e == 0) {
        e = node_create(t, &p, type | (mode & 07777 & ~t->fs->umask), device ? rdev : 0, &i);
        if (e == 0) {
            inode_put(i);
        }
    }
    path_put(&p);
    return e;
}

long ux_sys_mknod(struct task *t, const uint64_t a[6])
{
    return call_mknod(t, AT_FDCWD, a[0], (uint32_t)a[1], (uint32_t)a[2]);
}

long ux_sys_mknodat(struct task *t, const uint64_t a[6])
{
    return call_mknod(t, (int)a[0], a[1], (uint32_t)a[2], (uint32_t)a[3]);
}

static long call_mkdir(struct task *t, int dirfd, va_t text, uint32_t mode)
{
    struct path p;
    struct inode *i;
    int e = path_user(t, dirfd, text, WALK_PARENT, &p);

    if (e == -ENOTDIR && p.inode != NULL) {
        e = -EEXIST;                         // "file/"
    }
    if (e == 0) {
        e = p.inode != NULL ? -EEXIST
                            : node_create(t, &p, S_IFDIR | (mode & 01777 & ~t->fs->umask), 0, &i);
        if (e == 0) {
            inode_put(i);
        }
    }
    path_put(&p);
    return e;
}

long ux_sys_mkdir(struct task *t, const uint64_t a[6])
{
    return call_mkdir(t, AT_FDCWD, a[0], (uint32_t)a[1]);
}

long ux_sys_mkdirat(struct task *t, const uint64_t a[6])
{
    return call_mkdir(t, (int)a[0], a[1], (uint32_t)a[2]);
}

static long call_symlink(struct task *t, va_t target, int dirfd, va_t text)
{
    struct path p;
    struct inode *i;
    char *to = path_buffer_get();

    if (to == NULL) {
        return -ENOMEM;
    }
    long n = ux_copy_string(t, to, target, LINUX_PATH_MAX);
    long e = n < 0 ? n : n == 0 ? -ENOENT : path_user(t, dirfd, text, WALK_PARENT, &p);
    if (n > 0) {
        if (e == 0) {
            e = p.inode != NULL ? -EEXIST : p.slash ? -ENOENT : node_create(t, &p, S_IFLNK | 0777, 0, &i);
        }
        if (e == 0) {
            e = i->ops->set_link(i, to, (size_t)n);
            if (e != 0) {
                p.dir->ops->unlink(p.dir, p.name, p.length, i);
            }
            inode_put(i);
        }
        path_put(&p);
    }
    path_buffer_put(to);
    return e;
}

long ux_sys_symlink(struct task *t, const uint64_t a[6])
{
    return call_symlink(t, a[0], AT_FDCWD, a[1]);
}

long ux_sys_symlinkat(struct task *t, const uint64_t a[6])
{
    return call_symlink(t, a[0], (int)a[1], a[2]);
}
