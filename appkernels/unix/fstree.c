// fstree.c - the file tree: built from the boot archive, with /dev and /proc on it; names of inodes in it.
//
// Entries of the archive under "root/" become files; later entries replace earlier ones, so that an archive
// appended to another adds to its tree.  The bytes of regular files stay in the archive (filedata.c).
#include <base.h>
#include <cpio.h>

#include "file.h"
#include "path.h"

static struct fs *root_fs;                   // I

struct inode *fs_root(void)
{
    return root_fs->root;
}

// The path of an inode as seen from `root`, built backwards; *start points to it within `to`.  -ENOENT: it has no
// name any more, or never had one, or is not below root.
int fs_path_of(struct inode *i, struct inode *root, char *to, size_t size, char **start)
{
    char name[LINUX_NAME_MAX + 1];
    char *at = to + size - 1;
    int e = 0;

    *at = 0;
    inode_get(i);
    while (i != root && e == 0) {
        struct inode *up;
        if (i == i->fs->root) {
            up = i->fs->covered;
            if (up == NULL) {
                e = -ENOENT;
                break;
            }
            inode_get(up);
        } else {
            size_t n = i->ops->name != NULL ? i->ops->name(i, name, sizeof(name)) : 0;
            if (n == 0 || n + 2 > (size_t)(at - to)) {
                e = n == 0 ? -ENOENT : -ENAMETOOLONG;
                break;
            }
            at -= n;
            memcpy(at, name, n);
            *--at = '/';
            up = i->ops->parent(i);
        }
        inode_put(i);
        i = up;
    }
    inode_put(i);
    if (*at == 0) {
        *--at = '/';
    }
    *start = at;
    return e;
}

// ---- the boot archive -------------------------------------------------------------------------------------

// The directory that holds the last component of `path`, with all above it; *name points to that component.
static struct inode *tree_parent(const char *path, const char **name)
{
    char part[LINUX_NAME_MAX + 1];
    struct inode *dir = root_fs->root, *next;

    for (;;) {
        const char *slash = strchr(path, '/');
        if (slash == NULL) {
            *name = path;
            return dir;
        }
        size_t n = (size_t)(slash - path);
        if (n >= sizeof(part)) {
            return NULL;
        }
        memcpy(part, path, n);
        part[n] = 0;
        path = slash + 1;
        if (n == 0 || strcmp(part, ".") == 0) {
            continue;
        }
        if (strcmp(part, "..") == 0) {
            return NULL;
        }
        if (dir->ops->lookup(dir, part, n, &next) == 0) {
            inode_put(next);                 // its name keeps it
        } else if (ramfs_add(dir, part, S_IFDIR | 0755, 0, &next) != 0) {
            return NULL;
        }
        if (!inode_is(next, S_IFDIR)) {
            return NULL;
        }
        dir = next;
    }
}

static bool tree_fill(struct inode *i, const struct cpio_entry *e)
{
    i->uid = e->uid;
    i->gid = e->gid;
    i->mode = e->mode & (S_IFMT | 07777);
    i->atime = i->mtime = i->ctime = (int64_t)e->mtime * 1000000000;
    if (inode_is(i, S_IFREG)) {
        i->data.base = e->data;
        i->data.base_length = i->size = e->size;
    } else if (inode_is(i, S_IFLNK)) {
        i->link.text = e->data;
        i->link.length = i->size = e->size;
        return e->size < LINUX_PATH_MAX;
    }
    return true;
}

// One entry of the archive.  false: it cannot be (bad name, no memory).
static bool tree_add(const struct cpio_entry *e, const char *path)
{
    const char *name;
    struct inode *dir = tree_parent(path, &name), *i = NULL;
    size_t n = dir != NULL ? strlen(name) : 0;

    if (dir == NULL || n > LINUX_NAME_MAX || strcmp(name, "..") == 0) {
        return false;
    }
    if (n == 0 || strcmp(name, ".") == 0) {
        return tree_fill(dir, e);
    }
    if (dir->ops->lookup(dir, name, n, &i) == 0) {
        int failed = 0;
        bool keep = inode_is(i, S_IFDIR) && (e->mode & S_IFMT) == S_IFDIR;
        if (keep) {
            tree_fill(i, e);
        } else {
            failed = dir->ops->unlink(dir, name, n, i);
        }
        inode_put(i);
        if (keep || failed != 0) {
            return failed == 0;
        }
    }
    switch (e->mode & S_IFMT) {
    case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFIFO: case S_IFCHR: case S_IFBLK:
        break;
    default:
        return false;
    }
    int failed = ramfs_add(dir, name, e->mode & (S_IFMT | 07777), linux_dev(e->rdev_major, e->rdev_minor), &i);
    return failed == 0 && tree_fill(i, e);
}

// A directory of the tree by its path, made if need be.
static struct inode *tree_directory(const char *path)
{
    const char *name;

    return tree_parent(path, &name);
}

void fs_init(const void *archive, size_t length)
{
    static const char prefix[] = "root/";
    struct cpio_reader r;
    struct cpio_entry e;
    unsigned bad = 0;

    root_fs = ramfs_create("ramfs", "root", RAMFS_MAGIC);
    if (root_fs == NULL) {
        ak_panic("no memory for the file tree");
    }
    fs_mount(root_fs, NULL);
    cpio_begin(&r, archive, length);
    while (cpio_next(&r, &e)) {
        if (strncmp(e.name, prefix, sizeof(prefix) - 1) == 0 && !tree_add(&e, e.name + sizeof(prefix) - 1)) {
            if (bad++ == 0) {
                ak_log("file tree: %s cannot be added", e.name);
            }
        }
    }
    if (r.damaged) {
        ak_log("file tree: the boot archive is damaged at byte %zu", r.at);
    }
    if (bad > 1) {
        ak_log("file tree: %u more files could not be added", bad - 1);
    }
    struct inode *tmp = tree_directory("tmp/");
    if (tmp != NULL) {
        tmp->mode = S_IFDIR | 01777;
    }
    struct inode *dev = tree_directory("dev/"), *proc = tree_directory("proc/");
    if (dev == NULL || proc == NULL) {
        ak_panic("no memory for the file tree");
    }
    dev_init(dev);
    proc_init(proc);
}

int fs_open_exec(struct task *t, const char *path, struct inode **out, char *name, size_t size)
{
    struct path p;
    int e = path_kernel(t, path, WALK_FOLLOW, &p);

    if (e == 0 && !inode_is(p.inode, S_IFREG)) {
        e = -EACCES;
    }
    if (e == 0) {
        e = inode_permission(&t->creds, p.inode, MAY_EXEC);
    }
    if (e == 0 && p.inode->fs->transient) {
        e = -EACCES;
    }
    if (e == 0 && size > 0) {
        char *start;
        if (fs_path_of(p.inode, t->fs->root, name, size, &start) == 0) {
            memmove(name, start, strlen(start) + 1);
        } else {
            name[0] = 0;
        }
    }
    if (e == 0) {
        *out = p.inode;
        p.inode = NULL;
    }
    path_put(&p);
    return e;
}
