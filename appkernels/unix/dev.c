// dev.c - /dev: the simple devices, and which driver a device number means.
//
// A node is an inode with a number; opening it finds the driver here, so nodes made by mknod work like ours.
#include <base.h>

#include "tty.h"

static long empty_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    (void)t, (void)f, (void)x, (void)n, (void)position;
    return 0;
}

static long sink_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    (void)t, (void)f, (void)x, (void)position;
    return (long)n;
}

static long full_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    (void)t, (void)f, (void)x, (void)position;
    return n > 0 ? -ENOSPC : 0;
}

static long zero_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    int e = 0;
    size_t done = 0;

    (void)f, (void)position;
    while (done < n && e == 0 && !(done > 0 && t->interrupted)) {
        size_t m = n - done < ABI_PAGE ? n - done : ABI_PAGE;
        e = xfer_zero(x, m);
        done += e == 0 ? m : 0;
    }
    return done > 0 ? (long)done : e;
}

static long random_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    uint8_t piece[256];
    size_t done = 0;
    int e = 0;

    (void)f, (void)position;
    while (done < n && e == 0 && !(done > 0 && t->interrupted)) {
        size_t m = n - done < sizeof(piece) ? n - done : sizeof(piece);
        ux_random(piece, m);
        e = xfer_out(x, piece, m);
        done += e == 0 ? m : 0;
    }
    return done > 0 ? (long)done : e;
}

static const struct file_ops null_ops = {.read = empty_read, .write = sink_write, .seekable = true};
static const struct file_ops zero_ops = {.read = zero_read, .write = sink_write, .seekable = true};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .seekable = true};
// What is written to it is not believed to be random.
static const struct file_ops random_ops = {.read = random_read, .write = sink_write, .seekable = true};

static int open_terminal(struct task *t, struct file *f, struct tty *y)
{
    if (y == NULL) {
        return -ENXIO;
    }
    if (y != console_terminal()) {
        return pty_open_again(t, y, f);
    }
    f->ops = &tty_ops;
    f->private = y;
    tty_opened(t, f, y);
    return 0;
}

// The console of a system whose streams are no terminal is those streams.
static int open_console(struct task *t, struct inode *i, struct file *f)
{
    return console_terminal() != NULL ? open_terminal(t, f, console_terminal()) : console_open_stream(t, i, f);
}

static const struct simple {
    const char *name;
    unsigned major, minor;
    uint32_t mode;
    const struct file_ops *ops;
} simple[] = {
    {"null",    1, 3,  0666, &null_ops},
    {"zero",    1, 5,  0666, &zero_ops},
    {"full",    1, 7,  0666, &full_ops},
    {"random",  1, 8,  0666, &random_ops},
    {"urandom", 1, 9,  0666, &random_ops},
    {"tty",     5, 0,  0666, NULL},
    {"console", 5, 1,  0600, NULL},
    {"ptmx",    5, 2,  0666, NULL},
    {"ttyS0",   4, 64, 0620, NULL},
};
enum { SIMPLE = sizeof(simple) / sizeof(simple[0]), PTS_MAJOR = 136 };

int dev_open(struct task *t, struct inode *i, struct file *f)
{
    for (unsigned k = 0; k < SIMPLE; k++) {
        if (simple[k].ops != NULL && i->rdev == linux_dev(simple[k].major, simple[k].minor)) {
            f->ops = simple[k].ops;
            return 0;
        }
    }
    if (i->rdev == linux_dev(5, 0)) {
        return open_terminal(t, f, t->session != NULL ? t->session->tty : NULL);
    }
    if (i->rdev == linux_dev(5, 1)) {
        return open_console(t, i, f);
    }
    if (i->rdev == linux_dev(4, 64)) {
        return open_terminal(t, f, console_terminal());
    }
    if (i->rdev == linux_dev(5, 2)) {
        return pty_open_master(t, i, f);
    }
    if ((i->rdev >> 8 & 0xfff) == PTS_MAJOR) {
        return pty_open_slave(t, (unsigned)(i->rdev & 0xff), f);
    }
    return -ENXIO;
}

static bool add_link(struct inode *dir, const char *name, const char *target)
{
    struct inode *i;

    return ramfs_add(dir, name, S_IFLNK | 0777, 0, &i) == 0 && i->ops->set_link(i, target, strlen(target)) == 0;
}

void dev_init(struct inode *on)
{
    struct fs *fs = ramfs_create("devtmpfs", "devtmpfs", TMPFS_MAGIC);
    struct inode *pts = NULL, *shm = NULL;
    bool ok = fs != NULL;

    for (unsigned k = 0; ok && k < SIMPLE; k++) {
        ok = ramfs_add(fs->root, simple[k].name, S_IFCHR | simple[k].mode,
                       linux_dev(simple[k].major, simple[k].minor), NULL) == 0;
    }
    ok = ok && add_link(fs->root, "fd", "/proc/self/fd") && add_link(fs->root, "stdin", "/proc/self/fd/0")
         && add_link(fs->root, "stdout", "/proc/self/fd/1") && add_link(fs->root, "stderr", "/proc/self/fd/2")
         && ramfs_add(fs->root, "pts", S_IFDIR | 0755, 0, &pts) == 0
         && ramfs_add(fs->root, "shm", S_IFDIR | 01777, 0, &shm) == 0;
    if (!ok) {
        ak_panic("no memory for /dev");
    }
    pty_init(pts);
    fs_mount(fs, on);
}
