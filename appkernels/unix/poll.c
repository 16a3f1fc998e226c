// poll.c - waiting for several descriptors at once: poll, ppoll, select, pselect6.
//
// All four are one thing: a list of descriptors with wanted events, the open files behind them (each with a
// user, since another thread may close the descriptor), and the queues that those files named.  While nothing
// is ready the task sleeps on all queues together.  The giant is held from asking to sleeping: no event is lost.
#include <asm-generic/resource.h>
#include <base.h>

#include "calls_file.h"

enum { QUEUES_EACH = 2 };                    // a file names at most so many

struct poll_set {
    struct pollfd *fds;
    struct file  **files;
    struct poller  poller;
    unsigned       count;
    size_t         bytes;
};

void poller_add(struct poller *p, struct waitq *q)
{
    if (p != NULL && p->count < p->size) {
        p->queue[p->count++] = q;
    }
}

static int set_create(struct poll_set *s, struct task *t, unsigned count)
{
    size_t each = sizeof(struct pollfd) + sizeof(struct file *) + QUEUES_EACH * sizeof(struct waitq *);

    *s = (struct poll_set){.count = count, .bytes = (count > 0 ? count : 1) * each};
    uint8_t *memory = big_alloc(s->bytes);
    if (memory == NULL) {
        return -ENOMEM;
    }
    s->poller.task = t;
    s->poller.queue = (struct waitq **)memory;
    s->poller.size = count * QUEUES_EACH;
    s->files = (struct file **)(s->poller.queue + s->poller.size);
    s->fds = (struct pollfd *)(s->files + count);
    return 0;
}

static void set_destroy(struct poll_set *s)
{
    for (unsigned k = 0; k < s->count; k++) {
        if (s->files[k] != NULL) {
            file_put(s->files[k]);
        }
    }
    big_free(s->poller.queue, s->bytes);
}

static void set_open(struct poll_set *s, struct task *t)
{
    for (unsigned k = 0; k < s->count; k++) {
        if (s->fds[k].fd >= 0 && fd_get_io(t, s->fds[k].fd, &s->files[k]) != 0) {
            s->files[k] = NULL;
        }
    }
}

// Ask every file.  How many are ready.
static unsigned set_ask(struct poll_set *s)
{
    unsigned ready = 0;

    s->poller.count = 0;
    for (unsigned k = 0; k < s->count; k++) {
        struct pollfd *p = &s->fds[k];
        p->revents = 0;
        if (p->fd < 0) {
            continue;
        }
        if (s->files[k] == NULL) {
            p->revents = POLLNVAL;
        } else {
            unsigned state = file_poll(s->files[k], &s->poller);
            p->revents = (short)(state & ((unsigned short)p->events | POLLERR | POLLHUP));
        }
        ready += p->revents != 0;
    }
    return ready;
}

// deadline 0: none; `wait` false: only look.
static long set_wait(struct poll_set *s, struct task *t, bool wait, uint64_t deadline)
{
    for (;;) {
        unsigned ready = set_ask(s);
        if (ready > 0 || !wait) {
            return (long)ready;
        }
        int e = ux_sleep_many(t, s->poller.queue, s->poller.count, deadline);
        if (e == -EINTR) {
            ready = set_ask(s);
            return ready > 0 ? (long)ready : -EINTR;
        }
        if (e != 0 && e != -ETIMEDOUT) {
            return e;
        }
        wait = e == 0;
    }
}

// ---- time limits ------------------------------------------------------------------------------------------

struct limit {
    bool     forever, none;                  // wait without end; do not wait
    uint64_t end;                            // CLOCK_MONOTONIC
};

static int limit_from(struct limit *l, int64_t seconds, int64_t ns)
{
    const int64_t most = 100ll * 365 * 24 * 3600;        // more than a century is no limit

    *l = (struct limit){0};
    if (seconds < 0 || ns < 0 || ns >= 1000000000) {
        return -EINVAL;
    }
    l->forever = seconds > most;
    l->none = seconds == 0 && ns == 0;
    if (!l->forever && !l->none) {
        l->end = ux_mono_ns() + (uint64_t)seconds * 1000000000 + (uint64_t)ns;
    }
    return 0;
}

static uint64_t limit_left(const struct limit *l)
{
    uint64_t now = l->none ? 0 : ux_mono_ns();

    return l->none || now >= l->end ? 0 : l->end - now;
}

static uint64_t limit_deadline(const struct limit *l)
{
    return l->forever || l->none ? 0 : ux_deadline(limit_left(l));
}

// A limit given as seconds and a fraction, `unit` nanoseconds each; 0: none.
static int limit_fetch(struct task *t, struct limit *l, va_t from, int64_t unit)
{
    int64_t v[2];

    *l = (struct limit){.forever = true};
    if (from == 0) {
        return 0;
    }
    if (ux_copy_in(t, v, from, sizeof(v)) != 0) {
        return -EFAULT;
    }
    if (v[1] < 0 || v[1] > (unit == 1 ? 999999999 : INT64_MAX / unit) || v[0] < 0) {
        return -EINVAL;
    }
    // select takes any number of microseconds, and a time that is too long for anybody to wait.
    if (v[0] > INT64_MAX / 2) {
        return 0;
    }
    return limit_from(l, v[0] + v[1] * unit / 1000000000, v[1] * unit % 1000000000);
}

// The signal mask of ppoll and pselect6, in force until the call has ended.
static int mask_fetch(struct task *t, va_t from, uint64_t size)
{
    uint64_t mask;

    if (from == 0) {
        return 0;
    }
    if (size != sizeof(mask)) {
        return -EINVAL;
    }
    if (ux_copy_in(t, &mask, from, sizeof(mask)) != 0) {
        return -EFAULT;
    }
    ux_mask_for_call(t, mask);
    return 0;
}

// What is left goes back to the caller, as Linux does it; that it cannot be written is no error.
static void limit_return(struct task *t, const struct limit *l, va_t to, int64_t unit)
{
    if (to != 0 && !l->forever) {
        uint64_t left = limit_left(l);
        int64_t v[2] = {(int64_t)(left / 1000000000), (int64_t)(left % 1000000000) / unit};
        (void)ux_copy_out(t, to, v, sizeof(v));
    }
}

// ---- poll -------------------------------------------------------------------------------------------------

static long poll_run(struct task *t, va_t fds, uint64_t count, const struct limit *l)
{
    struct poll_set s;

    if (count > LINUX_OPEN_MAX || count > ux_limit(t, RLIMIT_NOFILE)) {
        return -EINVAL;
    }
    long e = set_create(&s, t, (unsigned)count);
    if (e != 0) {
        return e;
    }
    e = count > 0 ? ux_copy_in(t, s.fds, fds, count * sizeof(struct pollfd)) : 0;
    if (e == 0) {
        set_open(&s, t);
        e = set_wait(&s, t, !l->none, limit_deadline(l));
        // Only the results go back: the rest is the program's, which may have changed it meanwhile.
        for (unsigned k = 0; e >= 0 && k < s.count; k++) {
            va_t at = fds + k * sizeof(struct pollfd) + offsetof(struct pollfd, revents);
            if (ux_copy_out(t, at, &s.fds[k].revents, sizeof(s.fds[k].revents)) != 0) {
                e = -EFAULT;
            }
        }
    }
    set_destroy(&s);
    return e;
}

long ux_sys_poll(struct task *t, const uint64_t a[6])
{
    int ms = (int)a[2];
    struct limit l = {.forever = true};

    if (ms >= 0) {
        int e = limit_from(&l, ms / 1000, (int64_t)(ms % 1000) * 1000000);
        if (e != 0) {
            return e;
        }
    }
    return poll_run(t, a[0], (unsigned)a[1], &l);
}

long ux_sys_ppoll(struct task *t, const uint64_t a[6])
{
    struct limit l;
    long e = limit_fetch(t, &l, a[2], 1);

    if (e == 0) {
        e = mask_fetch(t, a[3], a[4]);
    }
    if (e == 0) {
        e = poll_run(t, a[0], (unsigned)a[1], &l);
        limit_return(t, &l, a[2], 1);
    }
    return e;
}

// ---- select -----------------------------------------------------------------------------------------------

enum { SELECT_WORDS = LINUX_OPEN_MAX / 64 };
struct select_sets {
    uint64_t word[3][SELECT_WORDS];          // read, write, exceptional
};
static const unsigned select_ask[3] = {POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLPRI};
static const unsigned select_mean[3] = {POLLIN | POLLRDNORM | POLLHUP | POLLERR, POLLOUT | POLLWRNORM | POLLERR,
                                        POLLPRI};

static bool sets_has(const struct select_sets *s, unsigned set, unsigned fd)
{
    return (s->word[set][fd / 64] >> fd % 64 & 1) != 0;
}

// The descriptors of the sets as a list for poll.  -EBADF if one is not open.
static int sets_list(struct task *t, const struct select_sets *in, unsigned n, struct poll_set *s)
{
    unsigned count = 0;

    for (unsigned fd = 0; fd < n; fd++) {
        unsigned events = 0;
        for (unsigned k = 0; k < 3; k++) {
            events |= sets_has(in, k, fd) ? select_ask[k] : 0;
        }
        if (events == 0) {
            continue;
        }
        s->fds[count] = (struct pollfd){.fd = (int)fd, .events = (short)events};
        int e = fd_get_io(t, (int)fd, &s->files[count]);
        if (e != 0) {
            s->files[count] = NULL;
            s->count = count;
            return e;
        }
        count++;
    }
    s->count = count;
    return 0;
}

// The sets that select gives back, and how many bits are on in them.
static long sets_result(const struct select_sets *in, const struct poll_set *s, struct select_sets *out)
{
    long bits = 0;

    memset(out, 0, sizeof(*out));
    for (unsigned k = 0; k < s->count; k++) {
        unsigned fd = (unsigned)s->fds[k].fd;
        for (unsigned set = 0; set < 3; set++) {
            if (sets_has(in, set, fd) && ((unsigned)s->fds[k].revents & select_mean[set]) != 0) {
                out->word[set][fd / 64] |= 1ull << fd % 64;
                bits++;
            }
        }
    }
    return bits;
}

static long select_run(struct task *t, int n, const va_t sets[3], const struct limit *l)
{
    struct select_sets in = {0}, out;
    struct poll_set s;

    if (n < 0) {
        return -EINVAL;
    }
    // Bits beyond the table of descriptors do not count.
    unsigned count = (unsigned)n < t->files->size ? (unsigned)n : t->files->size;
    size_t bytes = (count + 63) / 64 * 8;
    for (unsigned k = 0; k < 3; k++) {
        if (sets[k] != 0 && ux_copy_in(t, in.word[k], sets[k], bytes) != 0) {
            return -EFAULT;
        }
    }
    long e = set_create(&s, t, count);
    if (e != 0) {
        return e;
    }
    e = sets_list(t, &in, count, &s);
    if (e == 0) {
        e = set_wait(&s, t, !l->none, limit_deadline(l));
    }
    if (e >= 0) {
        e = sets_result(&in, &s, &out);
        for (unsigned k = 0; k < 3; k++) {
            if (sets[k] != 0 && ux_copy_out(t, sets[k], out.word[k], bytes) != 0) {
                e = -EFAULT;
            }
        }
    }
    set_destroy(&s);
    return e;
}

long ux_sys_select(struct task *t, const uint64_t a[6])
{
    struct limit l;
    long e = limit_fetch(t, &l, a[4], 1000);

    if (e == 0) {
        e = select_run(t, (int)a[0], (const va_t[3]){a[1], a[2], a[3]}, &l);
        limit_return(t, &l, a[4], 1000);
    }
    return e;
}

long ux_sys_pselect6(struct task *t, const uint64_t a[6])
{
    struct { uint64_t mask, size; } m = {0};
    struct limit l;
    long e = a[5] != 0 ? ux_copy_in(t, &m, a[5], sizeof(m)) : 0;

    if (e == 0) {
        e = limit_fetch(t, &l, a[4], 1);
    }
    if (e == 0) {
        e = mask_fetch(t, m.mask, m.size);
    }
    if (e == 0) {
        e = select_run(t, (int)a[0], (const va_t[3]){a[1], a[2], a[3]}, &l);
        limit_return(t, &l, a[4], 1);
    }
    return e;
}
