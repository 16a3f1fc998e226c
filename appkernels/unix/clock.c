// clock.c - time: clocks, sleeping, interval timers.
//
// Interval timers (ITIMER_REAL, alarm) are served by a kernel thread of their own, made at the first use: it sleeps
// until the soonest, sends SIGALRM, and sleeps again.  A process's CPU time is the time its tasks were not asleep in a
// call: the supervisor does not count more.
#include <base.h>

#include "calls.h"
#include "signal.h"

enum { NS = 1000000000, USEC = 1000000 };

static struct process *timers;           // those with timer_at != 0, and some without
static struct ak_thread timer_thread;
static bool timer_running;

uint64_t ux_mono_ns(void)
{
    return ak_ns_from_ticks(ak_now());
}

uint64_t ux_wall_ns(void)
{
    return ak_system->wall_ns + ux_mono_ns();
}

uint64_t ux_deadline(uint64_t ns_from_now)
{
    uint64_t now = ak_now(), ticks = ak_ticks_from_ns(ns_from_now);
    return ticks > UINT64_MAX - now - 1 ? UINT64_MAX : now + ticks + 1;
}

bool timespec_valid(const struct __kernel_timespec *ts)
{
    return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < NS;
}

uint64_t timespec_ns(const struct __kernel_timespec *ts)
{
    uint64_t most = INT64_MAX / NS;

    return (uint64_t)ts->tv_sec >= most ? INT64_MAX : (uint64_t)ts->tv_sec * NS + (uint64_t)ts->tv_nsec;
}

// ---- clocks -----------------------------------------------------------------------------------------------

static bool clock_read(const struct task *t, int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        *ns = ux_wall_ns();
        return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ns = ux_mono_ns();
        return true;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = ak_ns_from_ticks(process_cpu(t->process));
        return true;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = ak_ns_from_ticks(task_cpu(t));
        return true;
    default:
        return false;
    }
}

static int put_timespec(struct task *t, va_t to, uint64_t ns)
{
    struct __kernel_timespec ts = {(int64_t)(ns / NS), (int64_t)(ns % NS)};
    return ux_copy_out(t, to, &ts, sizeof(ts));
}

long ux_sys_clock_gettime(struct task *t, const uint64_t a[6])
{
    uint64_t ns;
    return clock_read(t, (int)a[0], &ns) ? put_timespec(t, a[1], ns) : -EINVAL;
}

long ux_sys_clock_getres(struct task *t, const uint64_t a[6])
{
    uint64_t ns;

    if (!clock_read(t, (int)a[0], &ns)) {
        return -EINVAL;
    }
    return a[1] == 0 ? 0 : put_timespec(t, a[1], 1);
}

long ux_sys_gettimeofday(struct task *t, const uint64_t a[6])
{
    uint64_t us = ux_wall_ns() / 1000;
    struct __kernel_old_timeval tv = {(long)(us / USEC), (long)(us % USEC)};
    static const uint32_t zone[2];

    if (a[0] != 0 && ux_copy_out(t, a[0], &tv, sizeof(tv)) != 0) {
        return -EFAULT;
    }
    return a[1] != 0 ? ux_copy_out(t, a[1], zone, sizeof(zone)) : 0;
}

long ux_sys_time(struct task *t, const uint64_t a[6])
{
    int64_t seconds = (int64_t)(ux_wall_ns() / NS);

    if (a[0] != 0 && ux_copy_out(t, a[0], &seconds, sizeof(seconds)) != 0) {
        return -EFAULT;
    }
    return seconds;
}

static int64_t clock_ticks(uint64_t ticks)
{
    return (int64_t)(ak_ns_from_ticks(ticks) / (NS / LINUX_CLK_TCK));
}

long ux_sys_times(struct task *t, const uint64_t a[6])
{
    struct tms tms = {.tms_utime = clock_ticks(process_cpu(t->process)),
                      .tms_cutime = clock_ticks(t->process->cpu_children)};

    if (a[0] != 0 && ux_copy_out(t, a[0], &tms, sizeof(tms)) != 0) {
        return -EFAULT;
    }
    return clock_ticks(ak_now());
}

long ux_sys_getrusage(struct task *t, const uint64_t a[6])
{
    struct process *p = t->process;
    struct rusage usage;

    switch ((int)a[0]) {
    case RUSAGE_SELF:
        usage_fill(&usage, process_cpu(p), p->faults_dead + t->faults);
        break;
    case RUSAGE_THREAD:
        usage_fill(&usage, task_cpu(t), t->faults);
        break;
    case RUSAGE_CHILDREN:
        usage_fill(&usage, p->cpu_children, p->faults_children);
        break;
    default:
        return -EINVAL;
    }
    return ux_copy_out(t, a[1], &usage, sizeof(usage));
}

// ---- sleeping ---------------------------------------------------------------------------------------------

// Until the clock (ticks) reaches `until`.  Interrupted by a handler: -EINTR and what is left; by anything else: the
// call again, with the same end.
static long sleep_until(struct task *t, uint64_t until, va_t left)
{
    struct waitq nobody = {0};

    if (t->sleep_until != 0) {
        until = t->sleep_until;
        t->sleep_until = 0;
    }
    if (ux_sleep(t, &nobody, until) != -EINTR) {
        return 0;
    }
    uint64_t now = ak_now();
    if (left != 0 && put_timespec(t, left, until > now ? ak_ns_from_ticks(until - now) : 0) != 0) {
        return -EFAULT;
    }
    t->sleep_until = until;
    return -ERESTARTNOHAND;
}

long ux_sys_nanosleep(struct task *t, const uint64_t a[6])
{
    struct __kernel_timespec ts;

    if (ux_copy_in(t, &ts, a[0], sizeof(ts)) != 0) {
        return -EFAULT;
    }
    return timespec_valid(&ts) ? sleep_until(t, ux_deadline(timespec_ns(&ts)), a[1]) : -EINVAL;
}

long ux_sys_clock_nanosleep(struct task *t, const uint64_t a[6])
{
    struct __kernel_timespec ts;
    int clock = (int)a[0];
    uint64_t now;

    if (ux_copy_in(t, &ts, a[2], sizeof(ts)) != 0) {
        return -EFAULT;
    }
    if (!timespec_valid(&ts) || clock == CLOCK_THREAD_CPUTIME_ID || !clock_read(t, clock, &now)) {
        return -EINVAL;
    }
    if (clock == CLOCK_PROCESS_CPUTIME_ID) {
        return -EOPNOTSUPP;
    }
    uint64_t ns = timespec_ns(&ts);
    if (!(a[1] & TIMER_ABSTIME)) {
        return sleep_until(t, ux_deadline(ns), a[3]);
    }
    return sleep_until(t, ux_deadline(ns > now ? ns - now : 0), 0);
}

long ux_sys_restart_syscall(struct task *t, const uint64_t a[6])
{
    (void)t;
    (void)a;
    return -EINTR;
}

// ---- interval timers --------------------------------------------------------------------------------------

static uint64_t fire_due(void)
{
    uint64_t now = ak_now(), next = 0;

    for (struct process *p = timers; p != NULL; p = p->next_timer) {
        if (p->timer_at != 0 && p->timer_at <= now) {
            struct linux_siginfo info = {.signo = SIGALRM, .code = SI_KERNEL};
            // A timer that is late fires once, and keeps its rhythm.
            uint64_t late = now - p->timer_at, interval = p->timer_interval;
            p->timer_at = interval == 0 ? 0 : now + interval - late % interval;
            (void)signal_send_process(p, &info);
        }
        if (p->timer_at != 0 && (next == 0 || p->timer_at < next)) {
            next = p->timer_at;
        }
    }
    return next;
}

static void timer_main(void *arg)
{
    (void)arg;
    for (;;) {
        ak_mutex_lock(&giant, &timer_thread);
        uint64_t next = fire_due();
        ak_mutex_unlock(&giant);
        (void)ak_block(&timer_thread, next);
    }
}

static long timer_set(struct process *p, uint64_t at, uint64_t interval)
{
    if (!timer_running && at != 0) {
        if (ak_thread_create(&timer_thread, ak_info->limits.max_priority, 0) != ERR_OK) {
            return -ENOMEM;
        }
        timer_running = true;
        ak_thread_run(&timer_thread, timer_main, NULL);
    }
    if (!p->timer_listed && at != 0) {
        p->timer_listed = true;
        p->next_timer = timers;
        timers = p;
    }
    p->timer_at = at;
    p->timer_interval = interval;
    if (at != 0) {
        ak_wake(&timer_thread);
    }
    return 0;
}

void clock_process_gone(struct process *p)
{
    struct process **at = &timers;

    if (!p->timer_listed) {
        return;
    }
    while (*at != p) {
        at = &(*at)->next_timer;
    }
    *at = p->next_timer;
    p->timer_listed = false;
}

static uint64_t timer_left(const struct process *p)
{
    uint64_t now = ak_now();
    return p->timer_at == 0 ? 0 : p->timer_at > now ? ak_ns_from_ticks(p->timer_at - now) : 1;
}

long ux_sys_alarm(struct task *t, const uint64_t a[6])
{
    uint64_t left = timer_left(t->process), seconds = a[0] & 0xffffffff;

    long e = timer_set(t->process, seconds == 0 ? 0 : ux_deadline(seconds * NS), 0);
    return e != 0 ? e : (long)((left + NS / 2) / NS > 0 || left == 0 ? (left + NS / 2) / NS : 1);
}

static struct __kernel_old_timeval to_timeval(uint64_t ns)
{
    uint64_t us = (ns + 999) / 1000;
    return (struct __kernel_old_timeval){(long)(us / USEC), (long)(us % USEC)};
}

struct timer_value {
    struct __kernel_old_timeval interval, value;
};

static struct timer_value timer_get(const struct process *p)
{
    return (struct timer_value){to_timeval(ak_ns_from_ticks(p->timer_interval)), to_timeval(timer_left(p))};
}

long ux_sys_getitimer(struct task *t, const uint64_t a[6])
{
    if ((int)a[0] != ITIMER_REAL) {
        return -EINVAL;
    }
    struct timer_value v = timer_get(t->process);
    return ux_copy_out(t, a[1], &v, sizeof(v));
}

static bool timeval_valid(const struct __kernel_old_timeval *v)
{
    return v->tv_sec >= 0 && v->tv_sec < INT32_MAX && v->tv_usec >= 0 && v->tv_usec < USEC;
}

static uint64_t timeval_ns(const struct __kernel_old_timeval *v)
{
    return (uint64_t)v->tv_sec * NS + (uint64_t)v->tv_usec * 1000;
}

long ux_sys_setitimer(struct task *t, const uint64_t a[6])
{
    struct timer_value new = {0}, old = timer_get(t->process);

    if ((int)a[0] != ITIMER_REAL) {
        return -EINVAL;                  // CPU-time timers are not there
    }
    if (a[1] != 0 && ux_copy_in(t, &new, a[1], sizeof(new)) != 0) {
        return -EFAULT;
    }
    if (!timeval_valid(&new.value) || !timeval_valid(&new.interval)) {
        return -EINVAL;
    }
    if (a[2] != 0 && ux_copy_out(t, a[2], &old, sizeof(old)) != 0) {
        return -EFAULT;
    }
    uint64_t ns = timeval_ns(&new.value);
    return timer_set(t->process, ns == 0 ? 0 : ux_deadline(ns), ak_ticks_from_ns(timeval_ns(&new.interval)));
}
