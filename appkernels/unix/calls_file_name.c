// calls_file_name.c - Linux calls on names: unlink, link, rename, readlink, directories' contents, cwd and root.
#include <base.h>

#include "calls_file.h"

// ---- removing ---------------------------------------------------------------------------------------------

static long call_unlink(struct task *t, int dirfd, va_t text, bool directory)
{
    static const int no_rmdir[] = {[LAST_NAME] = 0, [LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY,
                                   [LAST_ROOT] = -EBUSY};
    struct path p;
    int e = path_user(t, dirfd, text, WALK_PARENT, &p);

    if (e == 0 && p.last != LAST_NAME) {
        e = directory ? no_rmdir[p.last] : -EISDIR;
    }
    if (e == 0 && p.inode == NULL) {
        e = -ENOENT;
    }
    if (e == 0) {
        e = path_may_delete(t, &p, directory);
    }
    if (e == 0) {
        e = p.dir->ops->unlink(p.dir, p.name, p.length, p.inode);
    }
    path_put(&p);
    return e;
}

long ux_sys_unlink(struct task *t, const uint64_t a[6])
{
    return call_unlink(t, AT_FDCWD, a[0], false);
}

long ux_sys_rmdir(struct task *t, const uint64_t a[6])
{
    return call_unlink(t, AT_FDCWD, a[0], true);
}

long ux_sys_unlinkat(struct task *t, const uint64_t a[6])
{
    if (((unsigned)a[2] & ~(unsigned)AT_REMOVEDIR) != 0) {
        return -EINVAL;
    }
    return call_unlink(t, (int)a[0], a[1], (a[2] & AT_REMOVEDIR) != 0);
}

// ---- linking ----------------------------------------------------------------------------------------------

static int link_check(struct task *t, const struct path *old, const struct path *to)
{
    if (to->inode != NULL) {
        return -EEXIST;
    }
    if (to->slash) {
        return -ENOENT;
    }
    int e = path_may_create(t, to);
    if (e != 0) {
        return e;
    }
    if (inode_is(old->inode, S_IFDIR)) {
        return -EPERM;
    }
    if (old->inode->fs != to->dir->fs) {
        return -EXDEV;
    }
    return old->inode->links == 0 ? -ENOENT : 0;
}

static long call_link(struct task *t, int olddir, va_t old, int newdir, va_t text, unsigned flags)
{
    struct path from, to;
    unsigned walk = (flags & AT_SYMLINK_FOLLOW) != 0 ? WALK_FOLLOW : 0;

    if ((flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) {
        return -EINVAL;
    }
    if ((flags & AT_EMPTY_PATH) != 0) {
        if (t->creds.euid != 0) {
            return -ENOENT;
        }
        walk |= WALK_EMPTY;
    }
    int e = path_user(t, olddir, old, walk, &from);
    if (e == 0) {
        e = path_user(t, newdir, text, WALK_PARENT, &to);
        if (e == 0) {
            e = link_check(t, &from, &to);
        }
        if (e == 0) {
            e = to.dir->ops->link(to.dir, to.name, to.length, from.inode);
        }
        path_put(&to);
    }
    path_put(&from);
    return e;
}

long ux_sys_link(struct task *t, const uint64_t a[6])
{
    return call_link(t, AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}

long ux_sys_linkat(struct task *t, const uint64_t a[6])
{
    return call_link(t, (int)a[0], a[1], (int)a[2], a[3], (unsigned)a[4]);
}

static int rename_check(struct task *t, const struct path *from, const struct path *to, unsigned flags)
{
    if (from->last != LAST_NAME || to->last != LAST_NAME) {
        return -EBUSY;
    }
    if (from->inode == NULL) {
        return -ENOENT;
    }
    if (from->dir->fs != to->dir->fs) {
        return -EXDEV;
    }
    bool directory = inode_is(from->inode, S_IFDIR);
    if (to->inode != NULL && (flags & RENAME_NOREPLACE) != 0) {
        return -EEXIST;
    }
    if ((from->slash || (to->slash && (flags & RENAME_EXCHANGE) == 0)) && !directory) {
        return -ENOTDIR;
    }
    int e = path_may_delete(t, from, directory);
    if (e != 0) {
        return e;
    }
    if ((flags & RENAME_EXCHANGE) != 0) {
        return to->inode == NULL ? -ENOENT : path_may_delete(t, to, inode_is(to->inode, S_IFDIR));
    }
    e = to->inode != NULL ? path_may_delete(t, to, directory) : path_may_create(t, to);
    if (e == 0 && directory && from->dir != to->dir) {
        e = inode_permission(&t->creds, from->inode, MAY_WRITE);     // its ".." changes
    }
    return e;
}

static long call_rename(struct task *t, int olddir, va_t old, int newdir, va_t text, unsigned flags)
{
    struct path from, to;

    if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE) {
        return -EINVAL;
    }
    int e = path_user(t, olddir, old, WALK_PARENT, &from);
    if (e == 0) {
        e = path_user(t, newdir, text, WALK_PARENT, &to);
        if (e == 0) {
            e = rename_check(t, &from, &to, flags);
        }
        if (e == 0 && from.inode != to.inode && flags == RENAME_EXCHANGE) {
            e = from.dir->ops->exchange(from.dir, from.name, from.length, from.inode, to.dir, to.name, to.length,
                                        to.inode);
        } else if (e == 0 && from.inode != to.inode) {       // two names of one file: both stay
            e = from.dir->ops->rename(from.dir, from.name, from.length, to.dir, to.name, to.length, from.inode,
                                      to.inode);
        }
        path_put(&to);
    }
    path_put(&from);
    return e;
}

long ux_sys_rename(struct task *t, const uint64_t a[6])
{
    return call_rename(t, AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}

long ux_sys_renameat(struct task *t, const uint64_t a[6])
{
    return call_rename(t, (int)a[0], a[1], (int)a[2], a[3], 0);
}

long ux_sys_renameat2(struct task *t, const uint64_t a[6])
{
    return call_rename(t, (int)a[0], a[1], (int)a[2], a[3], (unsigned)a[4]);
}

static long call_readlink(struct task *t, int dirfd, va_t text, va_t to, int64_t size)
{
    struct path p;
    long e = size <= 0 ? -EINVAL : 0;

    if (e != 0) {
        return e;
    }
    e = path_user(t, dirfd, text, WALK_EMPTY, &p);
    if (e == 0) {
        bool empty = p.buffer[0] == 0;
        char *link = path_buffer_get();
        if (link == NULL) {
            e = -ENOMEM;
        } else if (!inode_is(p.inode, S_IFLNK)) {
            e = empty ? -ENOENT : -EINVAL;
        } else {
            e = p.inode->ops->readlink(t, p.inode, link, LINUX_PATH_MAX);
        }
        if (e > 0) {
            e = e < size ? e : size;
            e = ux_copy_out(t, to, link, (size_t)e) != 0 ? -EFAULT : e;
        }
        if (link != NULL) {
            path_buffer_put(link);
        }
    }
    path_put(&p);
    return e;
}

long ux_sys_readlink(struct task *t, const uint64_t a[6])
{
    return call_readlink(t, AT_FDCWD, a[0], a[1], (int)a[2]);
}

long ux_sys_readlinkat(struct task *t, const uint64_t a[6])
{
    return call_readlink(t, (int)a[0], a[1], a[2], (int)a[3]);
}

// ---- working and root directory ---------------------------------------------------------------------------

long ux_sys_getcwd(struct task *t, const uint64_t a[6])
{
    char *buffer = path_buffer_get(), *start;

    if (buffer == NULL) {
        return -ENOMEM;
    }
    struct inode *cwd = t->fs->cwd;
    long e = cwd->links == 0 && !cwd->fs->transient ? -ENOENT
                                                    : fs_path_of(cwd, t->fs->root, buffer, LINUX_PATH_MAX, &start);
    if (e == 0) {
        size_t n = strlen(start) + 1;
        e = n > a[1] ? -ERANGE : ux_copy_out(t, a[0], start, n) != 0 ? -EFAULT : (long)n;
    }
    path_buffer_put(buffer);
    return e;
}

static int directory_enter(struct task *t, struct inode *dir, struct inode **place)
{
    if (!inode_is(dir, S_IFDIR)) {
        return -ENOTDIR;
    }
    int e = inode_permission(&t->creds, dir, MAY_EXEC);
    if (e == 0) {
        struct inode *old = *place;
        inode_get(dir);
        *place = dir;
        inode_put(old);
    }
    return e;
}

long ux_sys_chdir(struct task *t, const uint64_t a[6])
{
    struct path p;
    int e = path_user(t, AT_FDCWD, a[0], WALK_FOLLOW, &p);

    if (e == 0) {
        e = directory_enter(t, p.inode, &t->fs->cwd);
    }
    path_put(&p);
    return e;
}

long ux_sys_fchdir(struct task *t, const uint64_t a[6])
{
    struct file *f = fd_table_get(t->files, (unsigned)a[0]);

    return f == NULL ? -EBADF : directory_enter(t, f->inode, &t->fs->cwd);
}

long ux_sys_chroot(struct task *t, const uint64_t a[6])
{
    struct path p;
    int e = path_user(t, AT_FDCWD, a[0], WALK_FOLLOW, &p);

    if (e == 0 && t->creds.euid != 0) {
        e = -EPERM;
    }
    if (e == 0) {
        e = directory_enter(t, p.inode, &t->fs->root);
    }
    path_put(&p);
    return e;
}

// ---- contents of a directory ------------------------------------------------------------------------------

struct dents {
    uint8_t *at, *end;
    uint64_t next;
};

static int dents_add(void *arg, const char *name, size_t length, uint64_t number, unsigned type, uint64_t next)
{
    struct dents *d = arg;
    size_t size = (LINUX_DIRENT_HEAD + length + 1 + 7) & ~(size_t)7;
    struct linux_dirent head = {.number = number, .next = (int64_t)next, .length = (uint16_t)size,
                                .type = (uint8_t)type};

    if (size > (size_t)(d->end - d->at)) {
        return 1;
    }
    memset(d->at + size - 8, 0, 8);
    memcpy(d->at, &head, LINUX_DIRENT_HEAD);
    memcpy(d->at + LINUX_DIRENT_HEAD, name, length);
    d->at[LINUX_DIRENT_HEAD + length] = 0;
    d->at += size;
    d->next = next;
    return 0;
}

static long dents_read(struct task *t, struct file *f, va_t to, uint64_t size)
{
    uint8_t *page = (uint8_t *)path_buffer_get();

    if (page == NULL) {
        return -ENOMEM;
    }
    struct dents d = {.at = page, .next = f->position};
    d.end = page + (size < LINUX_PATH_MAX ? size : LINUX_PATH_MAX);
    long e = f->inode->ops->readdir(t, f->inode, f->position, dents_add, &d);
    long n = d.at - page;
    if (e == 0 && n == 0 && d.next == f->position) {
        // Nothing left, or no room for the first entry?
        struct dents probe = {.at = page, .end = page + LINUX_PATH_MAX};
        f->inode->ops->readdir(t, f->inode, f->position, dents_add, &probe);
        e = probe.at != page ? -EINVAL : 0;
    }
    if (e == 0 && n > 0) {
        e = ux_copy_out(t, to, page, (size_t)n);
        if (e == 0) {
            f->position = d.next;
            inode_accessed(f->inode);
            e = n;
        }
    }
    path_buffer_put((char *)page);
    return e;
}

long ux_sys_getdents64(struct task *t, const uint64_t a[6])
{
    struct file *f;
    long e = fd_get_io(t, (int)a[0], &f);

    if (e == 0) {
        e = f->ops != &directory_ops ? -ENOTDIR
            : f->inode->links == 0 && !f->inode->fs->transient ? -ENOENT
            : dents_read(t, f, a[1], (unsigned)a[2]);
        file_put(f);
    }
    return e;
}
