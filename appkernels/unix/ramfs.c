// ramfs.c - a file system in memory: directories, names and links.  What regular files hold is filedata.c.
//
// Entries of all directories are in one hash table, by directory and name, and each directory lists its own
// in the order they were made.  An entry's cookie is its place in that order and the position that readdir
// gives out: entries that come and go meanwhile neither hide others nor show them twice.
//
// An inode remembers the entry it was found by last, for getcwd and /proc.  The last entry of an inode that
// is still in use stays with it after removal, marked `gone` and holding a user of its directory: so ".." of a
// removed directory still leads out.
//
// Locking: the giant.
#include <base.h>

#include "file.h"

struct ram_entry {
    struct ram_entry *hash_next;             // g
    struct ram_entry *prev, *next;           // g  in the directory
    struct inode     *dir;                   // I
    struct inode     *inode;                 // I
    uint64_t          cookie;                // I
    uint32_t          hash;                  // I
    uint16_t          length;                // I
    bool              gone;                  // g
    char              name[];                // I
};

enum { HASH_BITS = 14, FIRST_COOKIE = 3 };   // positions 0, 1 and 2 are ".", ".." and the first entry
static struct ram_entry *table[1 << HASH_BITS];
static uint64_t inodes;

static const struct inode_ops ramfs_ops;

uint64_t ramfs_inodes(void)
{
    return inodes;
}

static uint32_t hash_name(const struct inode *dir, const char *name, size_t length)
{
    uint64_t h = (uint64_t)dir >> 4;

    for (size_t k = 0; k < length; k++) {
        h = (h ^ (uint8_t)name[k]) * 0x100000001b3ull;
    }
    return (uint32_t)(h ^ h >> 32);
}

static struct ram_entry **bucket(uint32_t hash)
{
    return &table[hash & ((1u << HASH_BITS) - 1)];
}

static struct ram_entry *entry_find(struct inode *dir, const char *name, size_t length)
{
    uint32_t hash = hash_name(dir, name, length);

    for (struct ram_entry *e = *bucket(hash); e != NULL; e = e->hash_next) {
        if (e->hash == hash && e->dir == dir && e->length == length && memcmp(e->name, name, length) == 0) {
            return e;
        }
    }
    return NULL;
}

static size_t entry_size(size_t length)
{
    return sizeof(struct ram_entry) + length + 1;
}

static struct ram_entry *entry_create(struct inode *dir, const char *name, size_t length, struct inode *i)
{
    struct ram_entry *e = ak_alloc(entry_size(length));

    if (e != NULL) {
        e->dir = dir;
        e->inode = i;
        e->length = (uint16_t)length;
        memcpy(e->name, name, length);
    }
    return e;
}

static void entry_free(struct ram_entry *e)
{
    ak_free(e, entry_size(e->length));
}

// The inode forgets a removed entry that it kept.
static struct inode *entry_forget(struct inode *i)
{
    struct ram_entry *e = i->entry;
    struct inode *dir = NULL;

    if (e != NULL && e->gone) {
        dir = e->dir;
        entry_free(e);
    }
    i->entry = NULL;
    return dir;
}

static void entry_insert(struct ram_entry *e)
{
    struct dir_data *d = &e->dir->dir;

    e->hash = hash_name(e->dir, e->name, e->length);
    e->hash_next = *bucket(e->hash);
    *bucket(e->hash) = e;
    e->cookie = d->next_cookie++;
    e->prev = d->last;
    *(d->last != NULL ? &d->last->next : &d->first) = e;
    d->last = e;
    e->inode->links++;
    if (inode_is(e->inode, S_IFDIR)) {
        e->dir->links++;
        e->inode->links++;                   // its own "."
    }
    struct inode *old = entry_forget(e->inode);
    e->inode->entry = e;
    inode_put(old);
    inode_touch(e->dir);
    e->inode->ctime = e->dir->ctime;
}

static void entry_remove(struct ram_entry *e)
{
    struct dir_data *d = &e->dir->dir;
    struct ram_entry **at = bucket(e->hash);
    struct inode *i = e->inode;

    while (*at != e) {
        at = &(*at)->hash_next;
    }
    *at = e->hash_next;
    *(e->prev != NULL ? &e->prev->next : &d->first) = e->next;
    *(e->next != NULL ? &e->next->prev : &d->last) = e->prev;
    i->links--;
    if (inode_is(i, S_IFDIR)) {
        e->dir->links--;
        i->links--;
    }
    inode_touch(e->dir);
    i->ctime = e->dir->ctime;
    if (i->entry == e) {                     // the caller has a user of i: it is still there
        e->gone = true;
        inode_get(e->dir);
    } else {
        entry_free(e);
    }
}

// ---- operations -------------------------------------------------------------------------------------------

static int ram_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    struct ram_entry *e = entry_find(dir, name, length);

    if (e == NULL) {
        return -ENOENT;
    }
    if (e->inode->entry != e) {              // several links: remember the one in use
        struct inode *old = entry_forget(e->inode);
        e->inode->entry = e;
        inode_put(old);
    }
    inode_get(e->inode);
    *out = e->inode;
    return 0;
}

static struct inode *ram_parent(struct inode *i)
{
    struct inode *parent = i->entry != NULL ? i->entry->dir : i;

    inode_get(parent);
    return parent;
}

static size_t ram_name(struct inode *i, char *to, size_t size)
{
    const struct ram_entry *e = i->entry;

    if (e == NULL || e->length >= size) {
        return 0;
    }
    memcpy(to, e->name, e->length);
    return e->length;
}

static int ram_readdir(struct task *t, struct inode *dir, uint64_t position, dir_emit emit, void *arg)
{
    (void)t;
    if (position == 0) {
        if (emit(arg, ".", 1, dir->number, linux_dirent_type(dir->mode), 1) != 0) {
            return 0;
        }
        position = 1;
    }
    if (position == 1) {
        struct inode *from = dir == dir->fs->root && dir->fs->covered != NULL ? dir->fs->covered : dir;
        struct inode *parent = from->ops->parent(from);
        int stop = emit(arg, "..", 2, parent->number, linux_dirent_type(parent->mode), 2);
        inode_put(parent);
        if (stop != 0) {
            return 0;
        }
        position = 2;
    }
    for (const struct ram_entry *e = dir->dir.first; e != NULL; e = e->next) {
        if (e->cookie >= position
            && emit(arg, e->name, e->length, e->inode->number, linux_dirent_type(e->inode->mode), e->cookie + 1)) {
            break;
        }
    }
    return 0;
}

static struct inode *ram_inode(struct fs *fs, uint32_t mode, uint64_t rdev)
{
    struct inode *i = inode_create(fs, &ramfs_ops, mode);

    if (i != NULL) {
        i->rdev = rdev;
        inodes++;
        if (inode_is(i, S_IFDIR)) {
            i->dir.next_cookie = FIRST_COOKIE - 1;
            i->size = ABI_PAGE;              // what programs expect of a directory
        } else if (inode_is(i, S_IFREG)) {
            filedata_init(i);
        }
    }
    return i;
}

static int ram_create(struct inode *dir, uint32_t mode, uint64_t rdev, struct inode **out)
{
    *out = ram_inode(dir->fs, mode, rdev);
    return *out != NULL ? 0 : -ENOSPC;
}

static int ram_link(struct inode *dir, const char *name, size_t length, struct inode *i)
{
    struct ram_entry *e = entry_create(dir, name, length, i);

    if (e == NULL) {
        return -ENOSPC;
    }
    entry_insert(e);
    return 0;
}

static int ram_unlink(struct inode *dir, const char *name, size_t length, struct inode *i)
{
    struct ram_entry *e = entry_find(dir, name, length);

    if (e == NULL || e->inode != i) {
        return -ENOENT;
    }
    if (inode_is(i, S_IFDIR) && i->dir.first != NULL) {
        return -ENOTEMPTY;
    }
    entry_remove(e);
    return 0;
}

// Is `dir` the directory `i`, or below it?
static bool is_below(struct inode *dir, const struct inode *i)
{
    while (dir != i && dir->entry != NULL) {
        dir = dir->entry->dir;
    }
    return dir == i;
}

static int ram_rename(struct inode *from, const char *old, size_t old_length, struct inode *to, const char *name,
                      size_t length, struct inode *i, struct inode *victim)
{
    struct ram_entry *e = entry_find(from, old, old_length);
    struct ram_entry *gone = victim != NULL ? entry_find(to, name, length) : NULL;

    if (e == NULL || e->inode != i || (victim != NULL && (gone == NULL || gone->inode != victim))) {
        return -ENOENT;
    }
    if (inode_is(i, S_IFDIR) && is_below(to, i)) {
        return -EINVAL;
    }
    if (gone != NULL && inode_is(victim, S_IFDIR) && victim->dir.first != NULL) {
        return -ENOTEMPTY;
    }
    struct ram_entry *fresh = entry_create(to, name, length, i);
    if (fresh == NULL) {
        return -ENOSPC;
    }
    if (gone != NULL) {
        entry_remove(gone);
    }
    entry_remove(e);
    entry_insert(fresh);
    return 0;
}

static int ram_exchange(struct inode *a, const char *name, size_t length, struct inode *i, struct inode *b,
                        const char *other, size_t other_length, struct inode *j)
{
    struct ram_entry *first = entry_find(a, name, length), *second = entry_find(b, other, other_length);

    if (first == NULL || first->inode != i || second == NULL || second->inode != j) {
        return -ENOENT;
    }
    if ((inode_is(i, S_IFDIR) && is_below(b, i)) || (inode_is(j, S_IFDIR) && is_below(a, j))) {
        return -EINVAL;
    }
    struct ram_entry *to = entry_create(b, other, other_length, i), *from = entry_create(a, name, length, j);
    if (to == NULL || from == NULL) {
        if (to != NULL) {
            entry_free(to);
        }
        if (from != NULL) {
            entry_free(from);
        }
        return -ENOSPC;
    }
    entry_remove(first);
    entry_remove(second);
    entry_insert(to);
    entry_insert(from);
    return 0;
}

static int ram_set_link(struct inode *i, const char *text, size_t length)
{
    char *copy = ak_alloc(length + 1);

    if (copy == NULL) {
        return -ENOSPC;
    }
    memcpy(copy, text, length);
    i->link.text = copy;
    i->link.length = length;
    i->link.allocated = true;
    i->size = length;
    return 0;
}

static long ram_readlink(struct task *t, struct inode *i, char *to, size_t size)
{
    size_t n = i->link.length < size ? i->link.length : size;

    (void)t;
    memcpy(to, i->link.text, n);
    return (long)n;
}

static int ram_open(struct task *t, struct inode *i, struct file *f)
{
    switch (i->mode & S_IFMT) {
    case S_IFREG:
        f->ops = &regular_ops;
        return 0;
    case S_IFDIR:
        f->ops = &directory_ops;
        return 0;
    case S_IFIFO:
        return fifo_open(t, i, f);
    case S_IFCHR:
        return dev_open(t, i, f);
    default:
        return -ENXIO;                       // block devices and sockets: nothing is behind them
    }
}

static int ram_truncate(struct inode *i, uint64_t size)
{
    return filedata_truncate(i, size);
}

static struct inode *ram_destroy(struct inode *i)
{
    struct inode *held = entry_forget(i);

    if (inode_is(i, S_IFREG)) {
        filedata_destroy(i);
    } else if (inode_is(i, S_IFLNK) && i->link.allocated) {
        ak_free((void *)i->link.text, i->link.length + 1);
    }
    inodes--;
    inode_free(i);
    return held;
}

static const struct inode_ops ramfs_ops = {
    .lookup = ram_lookup,
    .readdir = ram_readdir,
    .parent = ram_parent,
    .name = ram_name,
    .create = ram_create,
    .link = ram_link,
    .unlink = ram_unlink,
    .rename = ram_rename,
    .exchange = ram_exchange,
    .set_link = ram_set_link,
    .readlink = ram_readlink,
    .open = ram_open,
    .truncate = ram_truncate,
    .destroy = ram_destroy,
};

// ---- making a tree ----------------------------------------------------------------------------------------

// A file system with an empty root directory.  NULL: no memory.
struct fs *ramfs_create(const char *type, const char *source, uint32_t magic)
{
    struct fs *fs = ak_alloc(sizeof(*fs));

    if (fs == NULL) {
        return NULL;
    }
    fs->type = type;
    fs->source = source;
    fs->magic = magic;
    fs->dev = fs_next_dev();
    fs->root = ram_inode(fs, S_IFDIR | 0755, 0);
    if (fs->root == NULL) {
        ak_free(fs, sizeof(*fs));
        return NULL;
    }
    fs->root->links = 2;
    return fs;
}

// Files without names, behind shared mappings: on a file system that is mounted nowhere.
struct inode *ramfs_anonymous(uint32_t mode)
{
    static struct fs nameless = {.type = "tmpfs", .source = "none", .magic = TMPFS_MAGIC};

    if (nameless.dev == 0) {
        nameless.dev = fs_next_dev();
    }
    return ram_inode(&nameless, mode, 0);
}

// For building trees at boot: a new inode with a name.  *out comes without a user of its own: the name keeps it.
int ramfs_add(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, struct inode **out)
{
    struct inode *i;
    int e = ram_create(dir, mode, rdev, &i);

    if (e != 0) {
        return e;
    }
    e = ram_link(dir, name, strlen(name), i);
    inode_put(i);
    if (e == 0 && out != NULL) {
        *out = i;
    }
    return e;
}
