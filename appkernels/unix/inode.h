// inode.h - a file of any kind: what a name names and an open file reads.
//
// An inode belongs to a file system (struct fs), which gives its operations.  Two counts keep it: `links`,
// the names it has in directories, and `users`, the pointers to it from open files, path look-ups, mappings
// and working directories.  It is destroyed when both are 0; an inode of a `transient` file system (/proc) is
// made by the look-up and destroyed with its last user.
//
// Two more headers make up the file half: file.h (open files, descriptors, transfers) and path.h (names).
//
// Locking: everything here is under the giant.  I immutable after creation, g the giant.
#pragma once
#include <segment.h>

#include "linux_file.h"
#include "ux.h"

struct pipe;
struct ram_entry;
struct file_lock;
struct xfer;

struct fs {
    const char   *type;                  // I  as /proc/mounts shows it
    const char   *source;                // I
    uint32_t      dev;                   // I  st_dev
    uint32_t      magic;                 // I  of statfs
    bool          transient;             // I  inodes live only while used
    struct inode *root;                  // I
    struct inode *covered;               // I  the directory it is mounted on, NULL for the root
    uint64_t      next_number;           // g
    struct fs    *next;                  // I  list of the mounted ones
};

// Called for each entry of a directory; not 0 stops the walk before this entry counts as read.
typedef int (*dir_emit)(void *arg, const char *name, size_t length, uint64_t number, unsigned type,
                        uint64_t next);

// A NULL operation is one this kind of inode does not have.  Results: 0 or a negative Linux error.  Callers
// have checked types and permissions; the operations check only what the file system itself must keep true.
struct inode_ops {
    int  (*lookup)(struct inode *dir, const char *name, size_t length, struct inode **out);   // one more user
    int  (*readdir)(struct task *t, struct inode *dir, uint64_t position, dir_emit emit, void *arg);
    struct inode *(*parent)(struct inode *i);                                // one more user
    size_t (*name)(struct inode *i, char *to, size_t size);                  // in its parent
    // A new inode, not yet in any directory, with one user.
    int  (*create)(struct inode *dir, uint32_t mode, uint64_t rdev, struct inode **out);
    int  (*link)(struct inode *dir, const char *name, size_t length, struct inode *i);
    int  (*unlink)(struct inode *dir, const char *name, size_t length, struct inode *i);
    // Move `i`; `victim`, if any, is what the new name names now, and loses it.
    int  (*rename)(struct inode *from, const char *old, size_t old_length, struct inode *to, const char *name,
                   size_t length, struct inode *i, struct inode *victim);
    // Swap what two names name: i and j.
    int  (*exchange)(struct inode *a, const char *name, size_t length, struct inode *i, struct inode *b,
                     const char *other, size_t other_length, struct inode *j);
    int  (*set_link)(struct inode *i, const char *text, size_t length);      // of a new symbolic link
    long (*readlink)(struct task *t, struct inode *i, char *to, size_t size);
    int  (*follow)(struct task *t, struct inode *i, struct inode **out);     // a link that names no path
    int  (*open)(struct task *t, struct inode *i, struct file *f);           // sets ops and private of f
    int  (*truncate)(struct inode *i, uint64_t size);
    // Free it.  Gives an inode it held a user of, or NULL.
    struct inode *(*destroy)(struct inode *i);
};

struct dir_data {                        // directories of ramfs
    struct ram_entry *first, *last;      // g  by rising cookie
    uint64_t next_cookie;                // g
};
struct page_data {                       // regular files of ramfs, see filedata.c
    struct segment segment;              // g  its frames; one user of the inode while regions show it
    bool           own;                  // g  never hand out frames of the archive: somebody may write
    const uint8_t *base;                 // I  the file's bytes in the boot archive
    uint64_t       base_length;          // g  shrinks with truncation
};
struct link_data {
    const char *text;                    // I
    size_t      length;                  // I
    bool        allocated;               // I  else it lies in the archive
};
struct proc_data {
    const struct proc_kind *kind;        // I
    int pid;                             // I
    int fd;                              // I
};

struct inode {
    const struct inode_ops *ops;         // I
    struct fs  *fs;                      // I
    uint64_t    number;                  // I
    uint32_t    users;                   // g
    uint32_t    links;                   // g
    uint32_t    mode;                    // g  type (immutable) and permissions
    uint32_t    uid, gid;                // g
    uint64_t    rdev;                    // I  devices
    uint64_t    size;                    // g
    int64_t     atime, mtime, ctime;     // g  nanoseconds since 1970
    struct inode     *mounted;           // I  root of the file system mounted here
    struct file_lock *locks;             // g
    struct waitq      lock_wait;         // g  those that wait for a lock
    struct ram_entry *entry;             // g  the name it was found by last (ramfs)
    struct pipe      *pipe;              // g  while a FIFO is open
    union {
        struct dir_data  dir;
        struct page_data data;
        struct link_data link;
        struct proc_data proc;
    };
};

static inline bool inode_is(const struct inode *i, uint32_t type)
{
    return (i->mode & S_IFMT) == type;
}

// inode.c
struct inode *inode_create(struct fs *fs, const struct inode_ops *ops, uint32_t mode);   // one user, NULL: no memory
void inode_free(struct inode *i);        // the memory only
enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
int  inode_permission(const struct creds *c, const struct inode *i, unsigned may);       // by effective ids
int  inode_permission_ids(const struct creds *c, uint32_t uid, uint32_t gid, const struct inode *i, unsigned may);
bool creds_in_group(const struct creds *c, uint32_t gid);
bool inode_owner(const struct creds *c, const struct inode *i);          // its owner, or root
int  inode_chmod(struct task *t, struct inode *i, uint32_t mode);
int  inode_chown(struct task *t, struct inode *i, uint32_t uid, uint32_t gid);
int  inode_truncate(struct inode *i, uint64_t size);                     // regular files
void inode_touch(struct inode *i);       // mtime and ctime are now
void inode_accessed(struct inode *i);    // atime, as `relatime` has it
void inode_stat(struct inode *i, struct stat *st);
void inode_statfs(struct inode *i, struct statfs *st);
uint64_t inode_blocks(struct inode *i);  // of 512 bytes
struct fs *fs_mounted(void);             // the first of the list
void fs_mount(struct fs *fs, struct inode *covered);

// ramfs.c
struct fs *ramfs_create(const char *type, const char *source, uint32_t magic);
struct inode *ramfs_anonymous(uint32_t mode);                            // a file without a name
int  ramfs_add(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, struct inode **out);
uint64_t ramfs_inodes(void);
uint32_t fs_next_dev(void);

// filedata.c
enum { FILEDATA_MAX_SHIFT = 44 };
#define FILEDATA_MAX (1ull << FILEDATA_MAX_SHIFT)
long filedata_read(struct inode *i, struct xfer *x, uint64_t offset, size_t length);
long filedata_write(struct inode *i, struct xfer *x, uint64_t offset, size_t length);
int  filedata_truncate(struct inode *i, uint64_t size);
int  filedata_reserve(struct inode *i, uint64_t offset, uint64_t length);  // frames for a range
int  filedata_zero(struct inode *i, uint64_t offset, uint64_t length);     // within the file's size
void filedata_init(struct inode *i);     // a new file, empty
void filedata_destroy(struct inode *i);

// fstree.c
extern const struct inode_ops procfs_ops;
int  fs_path_of(struct inode *i, struct inode *root, char *to, size_t size, char **start);

// dev.c, proc.c
void dev_init(struct inode *root);
void proc_init(struct inode *root);
int  dev_open(struct task *t, struct inode *i, struct file *f);
