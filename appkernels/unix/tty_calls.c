// tty_calls.c - terminals as files: read, write, poll, ioctl, and who controls whom.  See tty.h.
#include <base.h>

#include "tty.h"

static bool bit_get(const uint64_t *map, uint32_t at)
{
    return (map[at % TTY_INPUT / 64] >> at % 64 & 1) != 0;
}

static bool local(const struct tty *y, tcflag_t flag)
{
    return (y->termios.c_lflag & flag) != 0;
}

static bool controls(const struct tty *y, const struct task *t)
{
    return t->session != NULL && t->session->tty == y;
}

// A process outside the foreground group gets `signal` instead of what it wanted.
static int foreground(struct task *t, struct tty *y, int signal)
{
    if (!controls(y, t) || y->pgrp == 0 || t->pgid == y->pgrp) {
        return 0;
    }
    return ux_tty_check(t, y->pgrp, signal);
}

// ---- reading ----------------------------------------------------------------------------------------------

// Give `n` bytes from the tail of the ring.
static int ring_take(struct tty *y, struct xfer *x, size_t n)
{
    while (n > 0) {
        uint32_t at = y->tail % TTY_INPUT;
        size_t m = TTY_INPUT - at < n ? TTY_INPUT - at : n;
        int e = xfer_out(x, y->input + at, m);
        if (e != 0) {
            return e;
        }
        y->tail += (uint32_t)m;
        n -= m;
    }
    return 0;
}

// At most one line.  The byte that stands for the end of the file is passed over, also if it comes just after.
static long take_line(struct tty *y, struct xfer *x, size_t n)
{
    uint32_t at = y->tail;
    bool marked = false;

    while (at != y->canon && at - y->tail < n && !marked) {
        marked = bit_get(y->mark, at);
        at++;
    }
    if (!marked && at != y->canon && bit_get(y->mark, at) && bit_get(y->end, at)) {
        marked = true;
        at++;
    }
    bool end = marked && bit_get(y->end, at - 1);
    size_t length = at - y->tail - (end ? 1 : 0);
    int e = ring_take(y, x, length);
    if (e != 0) {
        return e;
    }
    y->tail += end;
    return (long)length;
}

// Without lines: c_cc[VMIN] and c_cc[VTIME] say when a read is done.
struct raw_read {
    size_t   got;
    uint64_t deadline;
    bool     timing, expired;
};

// 1: done; 0: wait; negative error.
static int take_raw(struct tty *y, struct xfer *x, size_t n, struct raw_read *r)
{
    unsigned min = y->termios.c_cc[VMIN], time = y->termios.c_cc[VTIME];
    size_t have = y->head - y->tail;
    size_t m = have < n - r->got ? have : n - r->got;

    if (m > 0) {
        int e = ring_take(y, x, m);
        if (e != 0) {
            return r->got > 0 ? 1 : e;
        }
        y->canon = y->head;
        r->got += m;
        r->timing = false;                   // the time between bytes begins anew
    }
    if (r->got >= n || (r->got > 0 && r->got >= min) || r->expired) {
        return 1;
    }
    if (min == 0 && time == 0) {
        return 1;
    }
    if (time > 0 && !r->timing && (min == 0 || r->got > 0)) {
        r->deadline = ux_deadline(time * 100000000ull);
        r->timing = true;
    }
    return 0;
}

long tty_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    struct tty *y = f->private;
    struct raw_read r = {0};

    (void)position;
    while (n > 0) {
        int e = foreground(t, y, SIGTTIN);
        if (e != 0) {
            return r.got > 0 ? (long)r.got : e;
        }
        if (local(y, ICANON)) {
            if (r.got > 0) {
                break;
            }
            if (y->canon != y->tail) {
                long done = take_line(y, x, n);
                y->driver->drained(y);
                return done;
            }
        } else {
            e = take_raw(y, x, n, &r);
            y->driver->drained(y);
            if (e != 0) {
                return e < 0 ? e : (long)r.got;
            }
        }
        if (y->hung) {
            break;
        }
        if ((f->flags & O_NONBLOCK) != 0) {
            return r.got > 0 ? (long)r.got : -EAGAIN;
        }
        e = ux_sleep(t, &y->read_wait, r.timing ? r.deadline : 0);
        if (e == -ETIMEDOUT) {
            r.expired = true;
        } else if (e != 0) {
            return r.got > 0 ? (long)r.got : sleep_error(e);
        }
    }
    return (long)r.got;
}

unsigned tty_input_ready(const struct tty *y)
{
    if (!local(y, ICANON)) {
        return y->head - y->tail;
    }
    unsigned n = 0;
    for (uint32_t at = y->tail; at != y->canon; at++) {
        n += !bit_get(y->end, at);
    }
    return n;
}

// ---- writing ----------------------------------------------------------------------------------------------

// Wait until the device may have room.  A polled one is asked again after a short while.
static long wait_room(struct task *t, struct tty *y)
{
    int e = ux_sleep(t, &y->write_wait, y->driver->polled ? ux_deadline(500000) : 0);

    return e == -ETIMEDOUT ? 0 : sleep_error(e);
}

// What the ring still holds goes out before the writer returns, so that nothing is lost when the system ends.
// (The ring of a pseudo-terminal is where its other side reads: that is out already.)
static long drain(struct task *t, struct tty *y)
{
    long e = 0;

    while (e == 0 && y->driver->polled && !y->hung && !tty_flush_output(y)) {
        e = wait_room(t, y);
    }
    return e;
}

static long write_bytes(struct task *t, struct file *f, struct tty *y, struct xfer *x, size_t n)
{
    uint8_t piece[128];
    size_t done = 0;
    long e = 0;

    while (done < n && e == 0) {
        size_t m = n - done < sizeof(piece) ? n - done : sizeof(piece), put = 0;
        e = xfer_in(x, piece, m);
        while (e == 0 && put < m) {
            if (y->hung) {
                e = -EIO;
            } else if (!y->stopped && tty_output_room(y)) {
                tty_put(y, piece[put++]);
            } else if ((f->flags & O_NONBLOCK) != 0) {
                e = -EAGAIN;
            } else {
                e = wait_room(t, y);
            }
        }
        done += put;
    }
    bool all = tty_flush_output(y);
    if (!all && e == 0 && (f->flags & O_NONBLOCK) == 0) {
        (void)drain(t, y);                   // a signal meanwhile: the bytes count as written all the same
    }
    return done > 0 ? (long)done : e;
}

long tty_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    struct tty *y = f->private;
    long e = local(y, TOSTOP) ? foreground(t, y, SIGTTOU) : 0;

    (void)position;
    while (e == 0 && y->writing) {
        e = (f->flags & O_NONBLOCK) != 0 ? -EAGAIN : sleep_error(ux_sleep(t, &y->write_wait, 0));
    }
    if (e != 0) {
        return e;
    }
    y->writing = true;
    long done = write_bytes(t, f, y, x, n);
    y->writing = false;
    ux_wake(&y->write_wait);
    return done;
}

unsigned tty_poll(struct file *f, struct poller *p)
{
    struct tty *y = f->private;
    unsigned state = 0, min = y->termios.c_cc[VMIN] > 0 && y->termios.c_cc[VTIME] == 0 ? y->termios.c_cc[VMIN] : 1;

    poller_add(p, &y->read_wait);
    poller_add(p, &y->write_wait);
    if (local(y, ICANON) ? y->canon != y->tail : y->head - y->tail >= min) {
        state |= POLLIN | POLLRDNORM;
    }
    if (y->hung) {
        state |= POLLHUP | POLLIN | POLLRDNORM;
    }
    if (!y->stopped && TTY_OUTPUT - (y->out_head - y->out_tail) >= TTY_OUTPUT / 2) {
        state |= POLLOUT | POLLWRNORM;
    }
    return state;
}

// ---- control ----------------------------------------------------------------------------------------------

void tty_attach(struct tty *y, struct task *t)
{
    if (t->session != NULL) {
        t->session->tty = y;
        y->sid = t->session->sid;
        y->pgrp = t->pgid;
    }
}

// Is the session that the terminal belongs to still there?
static bool session_alive(const struct tty *y)
{
    for (struct task *t = ux_task_next(NULL); y->sid != 0 && t != NULL; t = ux_task_next(t)) {
        if (controls(y, t)) {
            return true;
        }
    }
    return false;
}

// A session leader without a terminal gets the first one it opens.
void tty_opened(struct task *t, struct file *f, struct tty *y)
{
    if ((f->flags & O_NOCTTY) == 0 && t->session != NULL && t->session->tty == NULL && t->session->sid == t->tgid
        && !session_alive(y)) {
        tty_attach(y, t);
    }
}

void tty_forget(struct tty *y)
{
    for (struct task *t = ux_task_next(NULL); t != NULL; t = ux_task_next(t)) {
        if (controls(y, t)) {
            t->session->tty = NULL;
        }
    }
    y->sid = y->pgrp = 0;
}

// The other side is gone: readers get the end, the foreground group SIGHUP.
void tty_hangup(struct tty *y)
{
    if (y->hung) {
        return;
    }
    y->hung = true;
    if (y->pgrp != 0) {
        ux_signal_group(y->pgrp, SIGHUP);
        ux_signal_group(y->pgrp, SIGCONT);
    }
    ux_wake(&y->read_wait);
    ux_wake(&y->write_wait);
}

void tty_resize(struct tty *y, const struct winsize *w)
{
    if (memcmp(&y->window, w, sizeof(*w)) != 0) {
        y->window = *w;
        if (y->pgrp != 0) {
            ux_signal_group(y->pgrp, SIGWINCH);
        }
    }
}

static long give_int(struct task *t, va_t to, int value)
{
    return ux_copy_out(t, to, &value, sizeof(value));
}

// The foreground group of a session: one of its own.
static long set_group(struct task *t, struct tty *y, va_t from)
{
    int pgrp;

    if (!controls(y, t)) {
        return -ENOTTY;
    }
    if (ux_copy_in(t, &pgrp, from, sizeof(pgrp)) != 0) {
        return -EFAULT;
    }
    if (pgrp < 0) {
        return -EINVAL;
    }
    bool found = false;
    for (struct task *other = ux_task_next(NULL); other != NULL; other = ux_task_next(other)) {
        if (other->pgid == pgrp && other->session == t->session) {
            y->pgrp = pgrp;
            return 0;
        }
        found |= other->pgid == pgrp;
    }
    return found ? -EPERM : -ESRCH;
}

static long set_controlling(struct task *t, struct tty *y, uint64_t steal)
{
    if (t->session == NULL || t->session->sid != t->tgid) {
        return -EPERM;
    }
    if (controls(y, t)) {
        return 0;
    }
    if (t->session->tty != NULL) {
        return -EPERM;
    }
    if (session_alive(y)) {
        if (steal != 1 || t->creds.euid != 0) {
            return -EPERM;
        }
        tty_forget(y);
    }
    tty_attach(y, t);
    return 0;
}

static long give_up(struct task *t, struct tty *y)
{
    if (!controls(y, t)) {
        return -ENOTTY;
    }
    if (t->session->sid == t->tgid) {
        int pgrp = y->pgrp;
        t->session->tty = NULL;
        y->pgrp = y->sid = 0;
        if (pgrp != 0) {
            ux_signal_group(pgrp, SIGHUP);
            ux_signal_group(pgrp, SIGCONT);
        }
        return 0;
    }
    return -EPERM;                           // the terminal is the session's
}

static long set_termios(struct task *t, struct tty *y, unsigned request, va_t from)
{
    struct termios wanted;
    long e = foreground(t, y, SIGTTOU);

    if (e == 0) {
        e = ux_copy_in(t, &wanted, from, sizeof(wanted));
    }
    if (e == 0 && request != TCSETS) {
        e = drain(t, y);
    }
    if (e == 0) {
        if (request == TCSETSF) {
            tty_flush_input(y);
        }
        tty_set_termios(y, &wanted);
    }
    return e;
}

static long flow(struct task *t, struct tty *y, unsigned request, uint64_t argument)
{
    long e = foreground(t, y, SIGTTOU);

    if (e != 0) {
        return e;
    }
    switch (request) {
    case TCSBRK: case TCSBRKP:               // there is no line to send a break on: the wait is what is left
        return drain(t, y);
    case TCXONC:
        if (argument > TCION) {
            return -EINVAL;
        }
        if (argument == TCOOFF || argument == TCOON) {
            y->stopped = argument == TCOOFF;
            ux_wake(&y->write_wait);
        }
        return 0;
    default:                                 // TCFLSH
        if (argument > TCIOFLUSH) {
            return -EINVAL;
        }
        if (argument != TCOFLUSH) {
            tty_flush_input(y);
        }
        if (argument != TCIFLUSH) {
            y->out_tail = y->out_head;
            ux_wake(&y->write_wait);
        }
        return 0;
    }
}

static long window(struct task *t, struct tty *y, unsigned request, va_t at)
{
    struct winsize w;

    if (request == TIOCGWINSZ) {
        return ux_copy_out(t, at, &y->window, sizeof(y->window));
    }
    if (ux_copy_in(t, &w, at, sizeof(w)) != 0) {
        return -EFAULT;
    }
    tty_resize(y, &w);
    return 0;
}

long tty_ioctl(struct task *t, struct file *f, unsigned request, uint64_t argument)
{
    struct tty *y = f->private;
    long e;

    switch (request) {
    case TCGETS:
        return ux_copy_out(t, argument, &y->termios, sizeof(y->termios));
    case TCSETS: case TCSETSW: case TCSETSF:
        return set_termios(t, y, request, argument);
    case TCSBRK: case TCSBRKP: case TCXONC: case TCFLSH:
        return flow(t, y, request, argument);
    case TIOCGWINSZ: case TIOCSWINSZ:
        return window(t, y, request, argument);
    case TIOCGPGRP:
        return controls(y, t) ? give_int(t, argument, y->pgrp) : -ENOTTY;
    case TIOCSPGRP:
        e = foreground(t, y, SIGTTOU);
        return e != 0 ? e : set_group(t, y, argument);
    case TIOCGSID:
        return controls(y, t) ? give_int(t, argument, y->sid) : -ENOTTY;
    case TIOCSCTTY:
        return set_controlling(t, y, argument);
    case TIOCNOTTY:
        return give_up(t, y);
    case FIONREAD:
        return give_int(t, argument, (int)tty_input_ready(y));
    case TIOCOUTQ:
        return give_int(t, argument, (int)(y->out_head - y->out_tail));
    default:
        return -ENOTTY;
    }
}

const struct file_ops tty_ops = {
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
};
