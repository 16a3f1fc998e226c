// file.h - open files, descriptors, and moving bytes between them and programs.
//
// A struct file is one open(): position, mode, and the operations of what was opened.  Descriptors (of one or
// several processes) and running calls each hold one user of it; the last one closes it.  A call that may
// sleep keeps its own user, since another thread may close the descriptor meanwhile.
//
// Locking: everything here is under the giant, which sleeping releases.
#pragma once
#include "inode.h"

// Where the bytes of a read go to and those of a write come from: places in a program, or memory of ours.
struct xfer {
    struct task  *task;
    struct iovec *iov;                   // consumed from the front
    unsigned      count;
    uint8_t      *kernel;                // not NULL: this instead
};
int xfer_out(struct xfer *x, const void *from, size_t n);    // 0 or -EFAULT
int xfer_in(struct xfer *x, void *to, size_t n);
int xfer_zero(struct xfer *x, size_t n);

// What poll collects: the queues to sleep on.  With queue NULL only the state is asked for.
struct poller {
    struct task    *task;
    struct waitq  **queue;
    unsigned        count, size;
};
void poller_add(struct poller *p, struct waitq *q);

// The result of read and write is a count or a negative error; 0 from read is the end.  NULL: not possible.
// `position` is where to read or write, and is moved; pipes and terminals ignore it.
struct file_ops {
    long     (*read)(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position);
    long     (*write)(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position);
    unsigned (*poll)(struct file *f, struct poller *p);      // NULL: always ready
    long     (*ioctl)(struct task *t, struct file *f, unsigned request, uint64_t argument);   // -ENOTTY
    void     (*close)(struct file *f);
    bool     seekable;                   // lseek, pread and pwrite make sense
};

struct file {
    const struct file_ops *ops;          // I
    struct inode *inode;                 // I  a user
    uint32_t      users;                 // g
    uint32_t      flags;                 // g  O_APPEND, O_NONBLOCK..., and the access mode
    bool          readable, writable;    // I
    bool          path_only;             // I  O_PATH
    uint64_t      position;              // g
    void         *private;               // I  pipe, terminal, text
};

// file.c
int  file_open_inode(struct task *t, struct inode *i, unsigned flags, struct file **out);
struct file *file_create(struct inode *i, const struct file_ops *ops, unsigned flags, void *private);
void file_put(struct file *f);
int  fd_get(struct task *t, int fd, struct file **out);      // one more user; -EBADF
int  fd_get_io(struct task *t, int fd, struct file **out);   // not those of O_PATH
int  fd_install(struct task *t, struct file *f, int lowest, bool cloexec);   // takes over the caller's user of f
int  fd_close(struct task *t, int fd);
int  fd_replace(struct task *t, int fd, struct file *f, bool cloexec);
struct file *fd_table_get(struct fd_table *files, unsigned fd);   // no more user; NULL
long file_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position);
long file_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position);
unsigned file_poll(struct file *f, struct poller *p);
int  file_limit(struct task *t, uint64_t at, size_t *n);     // cuts *n; -EFBIG after SIGXFSZ
extern const struct file_ops regular_ops, directory_ops;

// Memory of more than a page; frames in a row behind it.  Cleared.  NULL: no memory.
void *big_alloc(size_t size);
void  big_free(void *p, size_t size);

// A result of ux_sleep as the result of a call that may be restarted.
static inline long sleep_error(int e)
{
    return e == -EINTR ? -ERESTARTSYS : e;
}

// pipe.c
extern const struct file_ops pipe_ops;
int  pipe_create(struct task *t, unsigned flags, struct file **reader, struct file **writer);
int  fifo_open(struct task *t, struct inode *i, struct file *f);
long pipe_size(struct file *f);          // of the buffer; -EBADF if it is no pipe
struct fs *pipefs(void);

// file_lock.c
void locks_release_file(struct file *f);                     // flock, at the last close
void locks_release_owner(struct inode *i, const struct fd_table *owner);     // fcntl, at any close
int  lock_flock(struct task *t, struct file *f, unsigned operation);
int  lock_fcntl(struct task *t, struct file *f, unsigned command, struct flock *lock);
