// file.c - open files, descriptor tables, and the file operations of regular files and directories.
#include "file.h"

#include <asm-generic/resource.h>

#include <base.h>

enum { SIGXFSZ = 25 };

// ---- open files -------------------------------------------------------------------------------------------

static struct file *file_alloc(struct inode *i, unsigned flags)
{
    struct file *f = ak_alloc(sizeof(*f));
    unsigned mode = flags & O_ACCMODE;

    if (f != NULL) {
        f->users = 1;
        f->flags = flags & ~(unsigned)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
        f->readable = mode == O_RDONLY || mode == O_RDWR;
        f->writable = mode == O_WRONLY || mode == O_RDWR;
        f->inode = i;
        inode_get(i);
    }
    return f;
}

// An open file whose operations are known.  NULL: no memory; `private` stays the caller's then.
struct file *file_create(struct inode *i, const struct file_ops *ops, unsigned flags, void *private)
{
    struct file *f = file_alloc(i, flags);

    if (f != NULL) {
        f->ops = ops;
        f->private = private;
    }
    return f;
}

// Open an inode; the caller has checked permissions.  May sleep (FIFOs).
int file_open_inode(struct task *t, struct inode *i, unsigned flags, struct file **out)
{
    static const struct file_ops none;
    struct file *f = file_alloc(i, flags);
    int e = 0;

    if (f == NULL) {
        return -ENOMEM;
    }
    if ((flags & O_PATH) != 0) {
        f->path_only = true;
        f->readable = f->writable = false;
        f->flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
        f->ops = &none;
    } else {
        f->flags |= flags & O_NOCTTY;        // for terminals
        e = i->ops->open != NULL ? i->ops->open(t, i, f) : -ENXIO;
        f->flags &= ~(unsigned)O_NOCTTY;
    }
    if (e != 0) {
        f->ops = &none;                      // what open did not finish is not closed
        file_put(f);
        return e;
    }
    *out = f;
    return 0;
}

void file_put(struct file *f)
{
    if (--f->users > 0) {
        return;
    }
    if (f->inode->locks != NULL) {
        locks_release_file(f);
    }
    if (f->ops->close != NULL) {
        f->ops->close(f);
    }
    inode_put(f->inode);
    ak_free(f, sizeof(*f));
}

long file_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    if (!f->readable) {
        return -EBADF;
    }
    if (f->ops->read == NULL) {
        return -EINVAL;
    }
    return f->ops->read(t, f, x, n, position);
}

long file_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    if (!f->writable) {
        return -EBADF;
    }
    if (f->ops->write == NULL) {
        return -EINVAL;
    }
    return f->ops->write(t, f, x, n, position);
}

unsigned file_poll(struct file *f, struct poller *p)
{
    return f->ops->poll != NULL ? f->ops->poll(f, p) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

// ---- descriptor tables ------------------------------------------------------------------------------------

enum { FIRST_SIZE = 64 };

struct fd_table *fd_table_create(void)
{
    struct fd_table *files = ak_alloc(sizeof(*files));

    if (files == NULL) {
        return NULL;
    }
    files->users = 1;
    files->size = FIRST_SIZE;
    files->entry = big_alloc(FIRST_SIZE * sizeof(files->entry[0]));
    if (files->entry == NULL) {
        ak_free(files, sizeof(*files));
        return NULL;
    }
    return files;
}

static bool table_grow(struct fd_table *files, unsigned size)
{
    struct fd_entry *entry = big_alloc(size * sizeof(*entry));

    if (entry == NULL) {
        return false;
    }
    memcpy(entry, files->entry, files->size * sizeof(*entry));
    big_free(files->entry, files->size * sizeof(*entry));
    files->entry = entry;
    files->size = size;
    return true;
}

struct fd_table *fd_table_copy(struct fd_table *from)
{
    struct fd_table *files = fd_table_create();

    if (files == NULL) {
        return NULL;
    }
    if (from->size > files->size && !table_grow(files, from->size)) {
        fd_table_put(files);
        return NULL;
    }
    for (unsigned k = 0; k < from->size; k++) {
        files->entry[k] = from->entry[k];
        if (files->entry[k].file != NULL) {
            files->entry[k].file->users++;
        }
    }
    return files;
}

static void entry_close(struct fd_table *files, unsigned fd)
{
    struct file *f = files->entry[fd].file;

    files->entry[fd] = (struct fd_entry){0};
    if (f->inode->locks != NULL) {
        locks_release_owner(f->inode, files);
    }
    file_put(f);
}

void fd_table_put(struct fd_table *files)
{
    if (--files->users > 0) {
        return;
    }
    for (unsigned k = 0; k < files->size; k++) {
        if (files->entry[k].file != NULL) {
            entry_close(files, k);
        }
    }
    big_free(files->entry, files->size * sizeof(files->entry[0]));
    ak_free(files, sizeof(*files));
}

void fd_table_close_on_exec(struct fd_table *files)
{
    for (unsigned k = 0; k < files->size; k++) {
        if (files->entry[k].file != NULL && files->entry[k].cloexec) {
            entry_close(files, k);
        }
    }
}

struct file *fd_table_get(struct fd_table *files, unsigned fd)
{
    return fd < files->size ? files->entry[fd].file : NULL;
}

int fd_get(struct task *t, int fd, struct file **out)
{
    struct file *f = fd_table_get(t->files, (unsigned)fd);

    if (f == NULL) {
        return -EBADF;
    }
    f->users++;
    *out = f;
    return 0;
}

int fd_get_io(struct task *t, int fd, struct file **out)
{
    struct file *f = fd_table_get(t->files, (unsigned)fd);

    if (f == NULL || f->path_only) {
        return -EBADF;
    }
    f->users++;
    *out = f;
    return 0;
}

// The lowest free descriptor from `lowest` on gets f; on an error f is put.
int fd_install(struct task *t, struct file *f, int lowest, bool cloexec)
{
    struct fd_table *files = t->files;
    unsigned fd = (unsigned)lowest;

    while (fd < files->size && files->entry[fd].file != NULL) {
        fd++;
    }
    if (fd >= ux_limit(t, RLIMIT_NOFILE)) {
        file_put(f);
        return -EMFILE;
    }
    unsigned size = files->size;
    while (size <= fd && size < LINUX_OPEN_MAX) {
        size *= 2;
    }
    if (fd >= LINUX_OPEN_MAX) {
        file_put(f);
        return -EMFILE;
    }
    if (size != files->size && !table_grow(files, size)) {
        file_put(f);
        return -ENOMEM;
    }
    files->entry[fd] = (struct fd_entry){.file = f, .cloexec = cloexec};
    return (int)fd;
}

// dup2: f, a user of which it takes over, becomes descriptor fd, whatever that was.
int fd_replace(struct task *t, int fd, struct file *f, bool cloexec)
{
    struct fd_table *files = t->files;

    if (fd < 0 || fd >= LINUX_OPEN_MAX || (unsigned)fd >= ux_limit(t, RLIMIT_NOFILE)) {
        file_put(f);
        return -EBADF;
    }
    if ((unsigned)fd >= files->size || files->entry[fd].file == NULL) {
        return fd_install(t, f, fd, cloexec);
    }
    struct file *old = files->entry[fd].file;
    files->entry[fd] = (struct fd_entry){.file = f, .cloexec = cloexec};
    if (old->inode->locks != NULL) {
        locks_release_owner(old->inode, files);
    }
    file_put(old);
    return fd;
}

int fd_close(struct task *t, int fd)
{
    if (fd_table_get(t->files, (unsigned)fd) == NULL) {
        return -EBADF;
    }
    entry_close(t->files, (unsigned)fd);
    return 0;
}

// ---- working directories ----------------------------------------------------------------------------------

struct fs_context *fs_context_create(struct inode *root)
{
    struct fs_context *fs = ak_alloc(sizeof(*fs));

    if (fs != NULL) {
        fs->users = 1;
        fs->cwd = fs->root = root;
        fs->umask = 022;
        inode_get(root);
        inode_get(root);
    }
    return fs;
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
    struct fs_context *fs = ak_alloc(sizeof(*fs));

    if (fs != NULL) {
        *fs = *from;
        fs->users = 1;
        inode_get(fs->cwd);
        inode_get(fs->root);
    }
    return fs;
}

void fs_context_put(struct fs_context *fs)
{
    if (--fs->users > 0) {
        return;
    }
    inode_put(fs->cwd);
    inode_put(fs->root);
    ak_free(fs, sizeof(*fs));
}

// ---- regular files and directories ------------------------------------------------------------------------

static long regular_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    long done = filedata_read(f->inode, x, *position, n);

    (void)t;
    if (done > 0) {
        *position += (uint64_t)done;
    }
    return done;
}

// RLIMIT_FSIZE: a write stops at the limit, one from there on is an error.
int file_limit(struct task *t, uint64_t at, size_t *n)
{
    uint64_t limit = ux_limit(t, RLIMIT_FSIZE);

    if (limit >= FILEDATA_MAX || *n == 0) {
        return 0;
    }
    if (at >= limit) {
        ux_signal_task(t, SIGXFSZ);
        return -EFBIG;
    }
    *n = *n < limit - at ? *n : limit - at;
    return 0;
}

static long regular_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    uint64_t at = (f->flags & O_APPEND) != 0 ? f->inode->size : *position;
    int e = file_limit(t, at, &n);
    if (e != 0) {
        return e;
    }
    long done = filedata_write(f->inode, x, at, n);
    if (done > 0) {
        *position = at + (uint64_t)done;
    }
    return done;
}

static long regular_ioctl(struct task *t, struct file *f, unsigned request, uint64_t argument)
{
    if (request != FIONREAD) {
        return -ENOTTY;
    }
    int left = f->position < f->inode->size ? (int)(f->inode->size - f->position) : 0;
    return ux_copy_out(t, argument, &left, sizeof(left));
}

const struct file_ops regular_ops = {
    .read = regular_read,
    .write = regular_write,
    .ioctl = regular_ioctl,
    .seekable = true,
};

static long directory_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    (void)t, (void)f, (void)x, (void)n, (void)position;
    return -EISDIR;
}

const struct file_ops directory_ops = {.read = directory_read, .seekable = true};

// ---- for the process half ---------------------------------------------------------------------------------

int fd_mmap_inode(struct task *t, int fd, bool shared_write, struct inode **out)
{
    struct file *f = fd_table_get(t->files, (unsigned)fd);

    if (f == NULL || f->path_only) {
        return -EBADF;
    }
    if (!f->readable || (shared_write && !f->writable)) {
        return -EACCES;
    }
    struct inode *i = f->inode;
    if (inode_is(i, S_IFCHR) && i->rdev == linux_dev(1, 5)) {
        // A mapping of /dev/zero is a new file of zeros that nobody else sees.
        i = ramfs_anonymous(S_IFREG | 0600);
        if (i == NULL) {
            return -ENOMEM;
        }
        i->size = FILEDATA_MAX;
        *out = i;
        return 0;
    }
    if (!inode_is(i, S_IFREG) || i->fs->transient) {
        return -ENODEV;
    }
    if (shared_write) {
        i->data.own = true;
    }
    inode_get(i);
    *out = i;
    return 0;
}
