// pipe.c - pipes and FIFOs: 64 KiB between those who write and those who read.
//
// The bytes are a ring over 16 frames, taken when they are first written to and given back when the pipe runs
// empty (all but one).  `head` and `tail` count bytes for ever; the ring holds head - tail.  Writes of at most
// PIPE_BUF bytes enter whole or not at all; larger ones go in as room appears.
//
// A pipe lives as long as an open file or somebody who waits to open it: `users`.  Its inode points to it
// meanwhile, so that a FIFO, or /proc/PID/fd/N, can be opened once more.  Opening a FIFO waits for the other
// side; that a side has come is seen by its count of openings, even if it is gone again.
//
// Locking: the giant, released only while asleep.
#include <base.h>

#include "file.h"

enum { SLOTS = 16, PIPE_SIZE = SLOTS * ABI_PAGE, SIGPIPE = 13 };

struct pipe {
    struct inode *inode;                     // I  no user: the files have one
    unsigned users;                          // g
    unsigned readers, writers;               // g  open files
    uint64_t reader_opens, writer_opens;     // g  ever
    uint64_t head, tail;                     // g
    pa_t     slot[SLOTS];                    // g
    struct waitq read_wait, write_wait, open_wait;
};

struct fs *pipefs(void)
{
    static struct fs fs = {.type = "pipefs", .source = "none", .magic = PIPEFS_MAGIC, .transient = true};

    if (fs.dev == 0) {
        fs.dev = fs_next_dev();
    }
    return &fs;
}

static struct pipe *pipe_of(struct inode *i)
{
    if (i->pipe == NULL) {
        i->pipe = ak_alloc(sizeof(struct pipe));
        if (i->pipe == NULL) {
            return NULL;
        }
        i->pipe->inode = i;
    }
    i->pipe->users++;
    return i->pipe;
}

static void pipe_trim(struct pipe *p, bool all)
{
    for (unsigned k = all ? 0 : 1; k < SLOTS; k++) {
        if (p->slot[k] != 0) {
            ak_frame_put(p->slot[k]);
            p->slot[k] = 0;
        }
    }
}

static void pipe_release(struct pipe *p)
{
    if (--p->users == 0) {
        pipe_trim(p, true);
        p->inode->pipe = NULL;
        ak_free(p, sizeof(*p));
    }
}

static size_t pipe_used(const struct pipe *p)
{
    return p->head - p->tail;
}

// Empty: begin again at the first slot, and keep only that.
static void pipe_rewind(struct pipe *p)
{
    if (p->head == p->tail) {
        if (p->head > ABI_PAGE) {
            pipe_trim(p, false);
        }
        p->head = p->tail = 0;
    }
}

static long pipe_take(struct pipe *p, struct xfer *x, size_t n)
{
    size_t done = 0;

    n = n < pipe_used(p) ? n : pipe_used(p);
    while (done < n) {
        size_t at = p->tail % PIPE_SIZE, in_page = at % ABI_PAGE;
        size_t m = ABI_PAGE - in_page < n - done ? ABI_PAGE - in_page : n - done;
        int e = xfer_out(x, (uint8_t *)ak_window(p->slot[at / ABI_PAGE]) + in_page, m);
        if (e != 0) {
            return done > 0 ? (long)done : e;
        }
        p->tail += m;
        done += m;
    }
    pipe_rewind(p);
    return (long)done;
}

// Frames for the next n bytes; how many bytes there are frames for.
static size_t pipe_prepare(struct pipe *p, size_t n)
{
    size_t end = 0;

    while (end < n) {
        size_t at = (p->head + end) % PIPE_SIZE;
        pa_t *slot = &p->slot[at / ABI_PAGE];
        if (*slot == 0 && (*slot = ak_frame_alloc()) == 0) {
            break;
        }
        end += ABI_PAGE - at % ABI_PAGE;
    }
    return end < n ? end : n;
}

// Bytes enter the pipe only when all of this piece has been fetched: a fault leaves no half of it.
static long pipe_give(struct pipe *p, struct xfer *x, size_t n)
{
    size_t fetched = 0, have = pipe_prepare(p, n);

    if (have == 0 || (have < n && n <= LINUX_PIPE_BUF)) {
        return -ENOMEM;
    }
    while (fetched < have) {
        size_t at = (p->head + fetched) % PIPE_SIZE, in_page = at % ABI_PAGE;
        size_t m = ABI_PAGE - in_page < have - fetched ? ABI_PAGE - in_page : have - fetched;
        int e = xfer_in(x, (uint8_t *)ak_window(p->slot[at / ABI_PAGE]) + in_page, m);
        if (e != 0) {
            return e;
        }
        fetched += m;
    }
    p->head += have;
    return (long)have;
}

static long pipe_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    struct pipe *p = f->private;

    (void)position;
    while (n > 0) {
        if (pipe_used(p) > 0) {
            long done = pipe_take(p, x, n);
            ux_wake(&p->write_wait);
            return done;
        }
        if (p->writers == 0) {
            return 0;
        }
        if ((f->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        int e = ux_sleep(t, &p->read_wait, 0);
        if (e != 0) {
            return sleep_error(e);
        }
    }
    return 0;
}

static long pipe_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    struct pipe *p = f->private;
    size_t done = 0;
    long e = 0;

    (void)position;
    while (done < n && e >= 0) {
        size_t room = PIPE_SIZE - pipe_used(p), left = n - done;
        if (p->readers == 0) {
            ux_signal_task(t, SIGPIPE);
            e = -EPIPE;
        } else if (room >= (n <= LINUX_PIPE_BUF ? n : 1)) {
            e = pipe_give(p, x, left < room ? left : room);
            done += e > 0 ? (size_t)e : 0;
            ux_wake(&p->read_wait);
        } else if ((f->flags & O_NONBLOCK) != 0) {
            e = -EAGAIN;
        } else {
            e = sleep_error(ux_sleep(t, &p->write_wait, 0));
        }
    }
    return done > 0 ? (long)done : e;
}

static unsigned pipe_poll(struct file *f, struct poller *q)
{
    struct pipe *p = f->private;
    unsigned state = 0;

    if (f->readable) {
        poller_add(q, &p->read_wait);
        state |= pipe_used(p) > 0 ? POLLIN | POLLRDNORM : 0;
        state |= p->writers == 0 && p->writer_opens > 0 ? POLLHUP : 0;
    }
    if (f->writable) {
        poller_add(q, &p->write_wait);
        state |= PIPE_SIZE - pipe_used(p) >= LINUX_PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
        state |= p->readers == 0 ? POLLERR : 0;
    }
    return state;
}

static long pipe_ioctl(struct task *t, struct file *f, unsigned request, uint64_t argument)
{
    struct pipe *p = f->private;
    int used = (int)pipe_used(p);

    return request == FIONREAD ? ux_copy_out(t, argument, &used, sizeof(used)) : -ENOTTY;
}

static void pipe_close(struct file *f)
{
    struct pipe *p = f->private;

    p->readers -= f->readable;
    p->writers -= f->writable;
    if (p->readers == 0 || p->writers == 0) {
        ux_wake(&p->read_wait);
        ux_wake(&p->write_wait);
    }
    pipe_release(p);
}

const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .close = pipe_close,
};

long pipe_size(struct file *f)
{
    return f->ops == &pipe_ops ? PIPE_SIZE : -EBADF;
}

// An open file takes its sides of the pipe, and the caller's user of it.
static void pipe_attach(struct pipe *p, struct file *f)
{
    f->private = p;
    f->ops = &pipe_ops;
    p->readers += f->readable;
    p->writers += f->writable;
    p->reader_opens += f->readable;
    p->writer_opens += f->writable;
    ux_wake(&p->open_wait);
    ux_wake(&p->read_wait);
    ux_wake(&p->write_wait);
}

// Open a pipe without a name once more, by way of /proc: waits for nobody.
static int pipe_open(struct task *t, struct inode *i, struct file *f)
{
    struct pipe *p = pipe_of(i);

    (void)t;
    if (p == NULL) {
        return -ENOMEM;
    }
    pipe_attach(p, f);
    return 0;
}

// Open a FIFO.  May sleep until the other side comes.
int fifo_open(struct task *t, struct inode *i, struct file *f)
{
    bool wait = (f->flags & O_NONBLOCK) == 0;
    struct pipe *p = pipe_of(i);

    if (p == NULL) {
        return -ENOMEM;
    }
    if (!f->readable && f->writable && !wait && p->readers == 0) {
        pipe_release(p);
        return -ENXIO;
    }
    pipe_attach(p, f);
    uint64_t seen = f->readable ? p->writer_opens : p->reader_opens;
    int e = 0;
    if (f->readable != f->writable && wait) {
        while (e == 0 && (f->readable ? p->writers == 0 && p->writer_opens == seen
                                      : p->readers == 0 && p->reader_opens == seen)) {
            e = (int)sleep_error(ux_sleep(t, &p->open_wait, 0));
        }
    }
    if (e != 0) {
        pipe_close(f);
    }
    return e;
}

// ---- pipes without a name ---------------------------------------------------------------------------------

static struct inode *pipe_inode_destroy(struct inode *i)
{
    inode_free(i);
    return NULL;
}

static const struct inode_ops pipe_inode_ops = {.open = pipe_open, .destroy = pipe_inode_destroy};

int pipe_create(struct task *t, unsigned flags, struct file **reader, struct file **writer)
{
    struct inode *i = inode_create(pipefs(), &pipe_inode_ops, S_IFIFO | 0600);
    struct pipe *p = i != NULL ? pipe_of(i) : NULL;
    struct file *r, *w;

    if (p == NULL) {
        if (i != NULL) {
            inode_put(i);
        }
        return -ENOMEM;
    }
    i->uid = t->creds.euid;
    i->gid = t->creds.egid;
    // The first file takes over the user of the pipe that pipe_of() gave.
    r = file_create(i, &pipe_ops, O_RDONLY | (flags & O_NONBLOCK), p);
    w = r != NULL ? file_create(i, &pipe_ops, O_WRONLY | (flags & O_NONBLOCK), p) : NULL;
    p->readers = 1;
    if (w == NULL) {
        if (r != NULL) {
            file_put(r);
        } else {
            pipe_release(p);
        }
        inode_put(i);
        return -ENOMEM;
    }
    inode_put(i);
    p->users = 2;
    p->writers = 1;
    p->reader_opens = p->writer_opens = 1;
    *reader = r;
    *writer = w;
    return 0;
}
