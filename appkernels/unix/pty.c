// pty.c - pseudo-terminals: /dev/ptmx is one side, /dev/pts/N the other, with a line discipline between them.
//
// The master writes what a keyboard would type and reads what a screen would show: the output ring of the terminal.
// It stays while either side is open; /dev/pts/N is a name as long as the master is.  When the master closes, the
// slave side is hung up; when the last slave closes, the master reads -EIO.
//
// Locking: the giant.
#include <base.h>

#include "tty.h"

enum { PTY_MAX = 64, PTS_MAJOR = 136 };

static struct tty *ptys[PTY_MAX];            // g  NULL: free; until both sides are closed
static struct inode *directory;              // I  /dev/pts

void pty_init(struct inode *pts)
{
    directory = pts;
}

// ---- the driver: nothing is taken from the ring but by the master's read ----------------------------------

static size_t pty_put(struct tty *y, const uint8_t *bytes, size_t n)
{
    (void)bytes, (void)n;
    ux_wake(&y->master_wait);
    return 0;
}

static void pty_drained(struct tty *y)
{
    ux_wake(&y->master_wait);
}

static const struct tty_driver driver = {.put = pty_put, .drained = pty_drained};

static void pty_release(struct tty *y)
{
    if (!y->master && y->slaves == 0) {
        tty_forget(y);
        ptys[y->number] = NULL;
        tty_destroy(y);
    }
}

// ---- the master -------------------------------------------------------------------------------------------

static bool slave_gone(const struct tty *y)
{
    return y->opened && y->slaves == 0;
}

static long master_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    struct tty *y = f->private;
    size_t done = 0;

    (void)position;
    while (n > 0 && y->out_head == y->out_tail) {
        if (slave_gone(y)) {
            return -EIO;
        }
        if ((f->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        int e = ux_sleep(t, &y->master_wait, 0);
        if (e != 0) {
            return sleep_error(e);
        }
    }
    while (done < n && y->out_head != y->out_tail) {
        uint32_t at = y->out_tail % TTY_OUTPUT, used = y->out_head - y->out_tail;
        size_t m = TTY_OUTPUT - at < used ? TTY_OUTPUT - at : used;
        m = m < n - done ? m : n - done;
        int e = xfer_out(x, y->output + at, m);
        if (e != 0) {
            return done > 0 ? (long)done : e;
        }
        y->out_tail += (uint32_t)m;
        done += m;
    }
    ux_wake(&y->write_wait);
    return (long)done;
}

static long master_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    struct tty *y = f->private;
    size_t done = 0;
    long e = 0;

    (void)position;
    while (done < n && e == 0) {
        uint8_t byte;
        if (slave_gone(y)) {
            e = -EIO;
        } else if (tty_room(y) > 0) {
            e = xfer_in(x, &byte, 1);
            if (e == 0) {
                tty_input(y, byte);
                done++;
            }
        } else if ((f->flags & O_NONBLOCK) != 0) {
            e = -EAGAIN;
        } else {
            e = sleep_error(ux_sleep(t, &y->master_wait, 0));
        }
    }
    return done > 0 ? (long)done : e;
}

static unsigned master_poll(struct file *f, struct poller *p)
{
    struct tty *y = f->private;
    unsigned state = 0;

    poller_add(p, &y->master_wait);
    state |= y->out_head != y->out_tail ? POLLIN | POLLRDNORM : 0;
    state |= tty_room(y) > 0 ? POLLOUT | POLLWRNORM : 0;
    return slave_gone(y) ? state | POLLHUP : state;
}

static long master_ioctl(struct task *t, struct file *f, unsigned request, uint64_t argument)
{
    struct tty *y = f->private;
    int value;

    switch (request) {
    case TIOCGPTN:
        value = (int)y->number;
        return ux_copy_out(t, argument, &value, sizeof(value));
    case TIOCSPTLCK:
        if (ux_copy_in(t, &value, argument, sizeof(value)) != 0) {
            return -EFAULT;
        }
        y->locked = value != 0;
        return 0;
    case TIOCGPTLCK:
        value = y->locked;
        return ux_copy_out(t, argument, &value, sizeof(value));
    case TIOCGPGRP:
        return ux_copy_out(t, argument, &y->pgrp, sizeof(y->pgrp));
    case FIONREAD:
        value = (int)(y->out_head - y->out_tail);
        return ux_copy_out(t, argument, &value, sizeof(value));
    case TIOCSCTTY: case TIOCNOTTY: case TIOCSPGRP: case TIOCGSID:
        return -ENOTTY;
    default:
        return tty_ioctl(t, f, request, argument);
    }
}

static size_t slave_name(unsigned number, char *to, size_t size)
{
    return (size_t)base_format(to, size, "%u", number);
}

static void master_close(struct file *f)
{
    struct tty *y = f->private;
    struct inode *node;
    char name[12];
    size_t n = slave_name(y->number, name, sizeof(name));

    if (directory->ops->lookup(directory, name, n, &node) == 0) {
        if (node->rdev == linux_dev(PTS_MAJOR, y->number)) {
            directory->ops->unlink(directory, name, n, node);
        }
        inode_put(node);
    }
    y->master = false;
    tty_hangup(y);
    pty_release(y);
}

static const struct file_ops master_ops = {
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = master_ioctl,
    .close = master_close,
};

// A new pair.  The slave is locked until TIOCSPTLCK, and belongs to who opened the master.
int pty_open_master(struct task *t, struct inode *i, struct file *f)
{
    struct inode *node;
    char name[12];
    unsigned number = 0;

    (void)i;
    while (number < PTY_MAX && ptys[number] != NULL) {
        number++;
    }
    if (number == PTY_MAX) {
        return -ENOSPC;
    }
    struct tty *y = tty_create(&driver);
    if (y == NULL) {
        return -ENOMEM;
    }
    slave_name(number, name, sizeof(name));
    int e = ramfs_add(directory, name, S_IFCHR | 0620, linux_dev(PTS_MAJOR, number), &node);
    if (e != 0) {
        tty_destroy(y);
        return e == -ENOSPC ? -ENOMEM : e;
    }
    node->uid = t->creds.euid;
    node->gid = t->creds.egid;
    y->number = number;
    y->master = y->locked = true;
    ptys[number] = y;
    f->ops = &master_ops;
    f->private = y;
    return 0;
}

// ---- the slave --------------------------------------------------------------------------------------------

static void slave_close(struct file *f)
{
    struct tty *y = f->private;

    if (--y->slaves == 0) {
        ux_wake(&y->master_wait);
    }
    pty_release(y);
}

static const struct file_ops slave_ops = {
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
    .close = slave_close,
};

int pty_open_again(struct task *t, struct tty *y, struct file *f)
{
    if (!y->master) {
        return -EIO;
    }
    f->ops = &slave_ops;
    f->private = y;
    y->slaves++;
    y->opened = true;
    tty_opened(t, f, y);
    return 0;
}

int pty_open_slave(struct task *t, unsigned number, struct file *f)
{
    struct tty *y = number < PTY_MAX ? ptys[number] : NULL;

    if (y == NULL) {
        return -ENXIO;
    }
    return y->locked ? -EIO : pty_open_again(t, y, f);
}
