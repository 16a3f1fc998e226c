// inode.c - counts, permissions and attributes of inodes, and the list of mounted file systems.
#include "inode.h"

#include <base.h>

static struct fs *mounted;               // g  in the order of mounting
static struct fs **mounted_end = &mounted;
static uint32_t last_dev = 19;           // g  device numbers of file systems begin at 0:20

uint32_t fs_next_dev(void)
{
    return (uint32_t)linux_dev(0, ++last_dev);
}

struct fs *fs_mounted(void)
{
    return mounted;
}

void fs_mount(struct fs *fs, struct inode *covered)
{
    fs->covered = covered;
    if (covered != NULL) {
        inode_get(covered);
        covered->mounted = fs->root;
    }
    *mounted_end = fs;
    mounted_end = &fs->next;
}

struct inode *inode_create(struct fs *fs, const struct inode_ops *ops, uint32_t mode)
{
    struct inode *i = ak_alloc(sizeof(*i));

    if (i == NULL) {
        return NULL;
    }
    i->ops = ops;
    i->fs = fs;
    i->number = ++fs->next_number;
    i->users = 1;
    i->mode = mode;
    i->atime = i->mtime = i->ctime = (int64_t)ux_wall_ns();
    return i;
}

void inode_free(struct inode *i)
{
    ak_free(i, sizeof(*i));
}

void inode_get(struct inode *i)
{
    i->users++;
}

// What an inode holds is put in turn: a loop, since a chain of deleted directories can be long.
void inode_put(struct inode *i)
{
    while (i != NULL && --i->users == 0 && (i->links == 0 || i->fs->transient)) {
        i = i->ops->destroy(i);
    }
}

uint64_t inode_size(struct inode *i)
{
    return i->size;
}

uint64_t inode_number(struct inode *i)
{
    return i->number;
}

bool creds_in_group(const struct creds *c, uint32_t gid)
{
    for (uint32_t k = 0; k < c->ngroups; k++) {
        if (c->groups[k] == gid) {
            return true;
        }
    }
    return false;
}

// Root may do everything, except to execute what nobody may execute.
int inode_permission_ids(const struct creds *c, uint32_t uid, uint32_t gid, const struct inode *i, unsigned may)
{
    uint32_t mode = i->mode;

    if (uid == 0) {
        bool no_exec = (may & MAY_EXEC) != 0 && !inode_is(i, S_IFDIR) && (mode & 0111) == 0;
        return no_exec ? -EACCES : 0;
    }
    if (uid == i->uid) {
        mode >>= 6;
    } else if (gid == i->gid || creds_in_group(c, i->gid)) {
        mode >>= 3;
    }
    return (mode & may) == may ? 0 : -EACCES;
}

int inode_permission(const struct creds *c, const struct inode *i, unsigned may)
{
    return inode_permission_ids(c, c->euid, c->egid, i, may);
}

bool inode_owner(const struct creds *c, const struct inode *i)
{
    return c->euid == 0 || c->euid == i->uid;
}

void inode_touch(struct inode *i)
{
    i->mtime = i->ctime = (int64_t)ux_wall_ns();
}

// At most once a day unless the file changed since: reading a file again and again costs no clock.
void inode_accessed(struct inode *i)
{
    const int64_t day = 24ll * 3600 * 1000000000;

    if (i->atime > i->mtime && i->atime > i->ctime) {
        int64_t now = (int64_t)ux_wall_ns();
        if (now - i->atime >= day) {
            i->atime = now;
        }
    } else {
        i->atime = (int64_t)ux_wall_ns();
    }
}

int inode_chmod(struct task *t, struct inode *i, uint32_t mode)
{
    if (i->fs->transient || inode_is(i, S_IFLNK)) {
        return i->fs->transient ? -EPERM : -EOPNOTSUPP;
    }
    if (!inode_owner(&t->creds, i)) {
        return -EPERM;
    }
    // Who is not in the file's group cannot make it run with that group's rights.
    if (t->creds.euid != 0 && t->creds.egid != i->gid && !creds_in_group(&t->creds, i->gid)) {
        mode &= ~(uint32_t)S_ISGID;
    }
    i->mode = (i->mode & S_IFMT) | (mode & 07777);
    i->ctime = (int64_t)ux_wall_ns();
    return 0;
}

// An id of ~0 stays as it is.
int inode_chown(struct task *t, struct inode *i, uint32_t uid, uint32_t gid)
{
    const struct creds *c = &t->creds;

    if (i->fs->transient) {
        return -EPERM;
    }
    if (c->euid != 0) {
        bool same_user = uid == ~0u || (uid == i->uid && c->euid == i->uid);
        bool my_group = gid == ~0u || (c->euid == i->uid
                        && (gid == i->gid || gid == c->egid || creds_in_group(c, gid)));
        if (!same_user || !my_group) {
            return -EPERM;
        }
    }
    if (uid != ~0u) {
        i->uid = uid;
    }
    if (gid != ~0u) {
        i->gid = gid;
    }
    if (!inode_is(i, S_IFDIR) && (uid != ~0u || gid != ~0u)) {
        i->mode &= ~(uint32_t)S_ISUID;
        if ((i->mode & S_IXGRP) != 0) {
            i->mode &= ~(uint32_t)S_ISGID;
        }
    }
    i->ctime = (int64_t)ux_wall_ns();
    return 0;
}

int inode_truncate(struct inode *i, uint64_t size)
{
    if (i->ops->truncate == NULL) {
        return -EINVAL;
    }
    int e = i->ops->truncate(i, size);
    if (e == 0) {
        inode_touch(i);
    }
    return e;
}

uint64_t inode_blocks(struct inode *i)
{
    if (!inode_is(i, S_IFREG) || i->fs->transient) {
        return 0;
    }
    uint64_t base = (i->data.base_length + ABI_PAGE - 1) / ABI_PAGE;
    return (i->data.segment.resident > base ? i->data.segment.resident : base) * (ABI_PAGE / 512);
}

// Times before 1970 have a negative number of seconds and a positive rest.
static void split_time(int64_t ns, unsigned long *seconds, unsigned long *rest)
{
    int64_t s = ns / 1000000000, r = ns % 1000000000;

    if (r < 0) {
        s--;
        r += 1000000000;
    }
    *seconds = (unsigned long)s;
    *rest = (unsigned long)r;
}

void inode_stat(struct inode *i, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_dev = i->fs->dev;
    st->st_ino = i->number;
    st->st_nlink = i->fs->transient && i->links == 0 ? 1 : i->links;
    st->st_mode = i->mode;
    st->st_uid = i->uid;
    st->st_gid = i->gid;
    st->st_rdev = i->rdev;
    st->st_size = (long)i->size;
    st->st_blksize = ABI_PAGE;
    st->st_blocks = (long)inode_blocks(i);
    split_time(i->atime, &st->st_atime, &st->st_atime_nsec);
    split_time(i->mtime, &st->st_mtime, &st->st_mtime_nsec);
    split_time(i->ctime, &st->st_ctime, &st->st_ctime_nsec);
}

void inode_statfs(struct inode *i, struct statfs *st)
{
    uint64_t total = 0, available = 0;

    memset(st, 0, sizeof(*st));
    st->f_type = i->fs->magic;
    st->f_bsize = st->f_frsize = ABI_PAGE;
    st->f_namelen = LINUX_NAME_MAX;
    st->f_fsid.val[0] = (int)i->fs->dev;
    if (!i->fs->transient) {
        ux_memory_info(&total, &available);
        st->f_blocks = (long)(total / ABI_PAGE);
        st->f_bfree = st->f_bavail = (long)(available / ABI_PAGE);
        st->f_files = (long)(ramfs_inodes() + available / sizeof(struct inode));
        st->f_ffree = (long)(available / sizeof(struct inode));
    }
}
