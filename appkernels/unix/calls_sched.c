// calls_sched.c - nice values and scheduling policies: what the processing library's policy is told (timeshare.h).
//
// The three policies of time-sharing are there.  Real-time ones are refused, as they are to everybody without the
// right to them: the highest priorities belong to other kernels.
#include "calls.h"
#include "task.h"

enum { REAL_TIME_LEAST = 1, REAL_TIME_MOST = 99, PRIORITY_ZERO = 20 };
_Static_assert(SCHED_NORMAL == 0 && SCHED_BATCH == 3 && SCHED_IDLE == 5, "policies");

static const uint8_t policies[] = {[TIMESHARE_NORMAL] = SCHED_NORMAL, [TIMESHARE_BATCH] = SCHED_BATCH,
                                   [TIMESHARE_IDLE] = SCHED_IDLE};

int sched_policy(const struct task *t)
{
    return policies[timeshare_kind(&t->sharing.share)];
}

static int nice_of(const struct task *t)
{
    return timeshare_nice(&t->sharing.share);
}

static bool is_owner(const struct task *t, const struct task *of)
{
    return t->creds.euid == 0 || t->creds.euid == of->creds.uid || t->creds.euid == of->creds.euid;
}

// May t make `of` as little nice as that?
static bool may_nice(const struct task *t, const struct task *of, int nice)
{
    uint64_t most = of->process->rlimit[RLIMIT_NICE][0];
    return t->creds.euid == 0 || (uint64_t)(PRIORITY_ZERO - nice) <= most;
}

// ---- nice values ------------------------------------------------------------------------------------------

static bool is_meant(const struct task *of, int which, int who)
{
    return which == PRIO_PGRP ? of->pgid == who : of->creds.uid == (uint32_t)who;
}

static long renice(struct task *t, struct task *of, int nice, long e)
{
    if (!is_owner(t, of)) {
        return -EPERM;
    }
    if (nice < nice_of(of) && !may_nice(t, of, nice)) {
        return -EACCES;
    }
    timeshare_set(&of->sharing.share, timeshare_kind(&of->sharing.share), nice);
    return e == -ESRCH ? 0 : e;
}

static long best(struct task *t, struct task *of, int nice, long e)
{
    long mine = PRIORITY_ZERO - nice_of(of);

    (void)t;
    (void)nice;
    return mine > e ? mine : e;
}

// All threads that `which` and `who` name, one after the other; -ESRCH: there are none.
static long for_each(struct task *t, const uint64_t a[6], int nice, long (*fn)(struct task *, struct task *, int, long))
{
    int which = (int)a[0], who = (int)a[1];
    long e = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER) {
        return -EINVAL;
    }
    if (which == PRIO_PROCESS) {
        struct task *of = who == 0 ? t : ux_task_find(who);
        return of != NULL && !of->process->zombie ? fn(t, of, nice, e) : e;
    }
    who = who != 0 ? who : which == PRIO_PGRP ? t->pgid : (int)t->creds.uid;
    for (struct process *p = process_list; p != NULL; p = p->next) {
        for (struct task *of = p->threads; of != NULL; of = of->next_thread) {
            e = is_meant(of, which, who) ? fn(t, of, nice, e) : e;
        }
    }
    return e;
}

// 40 to 1 for -20 to 19, as the call itself tells it.
long ux_sys_getpriority(struct task *t, const uint64_t a[6])
{
    return for_each(t, a, 0, best);
}

long ux_sys_setpriority(struct task *t, const uint64_t a[6])
{
    int nice = (int)a[2];

    nice = nice < TIMESHARE_NICE_LEAST ? TIMESHARE_NICE_LEAST : nice > TIMESHARE_NICE_MOST ? TIMESHARE_NICE_MOST : nice;
    return for_each(t, a, nice, renice);
}

// ---- policies ---------------------------------------------------------------------------------------------

static struct task *named(struct task *t, uint64_t pid, long *e)
{
    struct task *of = (int)pid == 0 ? t : (int)pid > 0 ? ux_task_find((int)pid) : NULL;

    *e = (int)pid < 0 ? -EINVAL : -ESRCH;
    return of != NULL && !of->process->zombie ? of : NULL;
}

// The thread's kind for a policy and its parameter, or a negative error.
static int kind_for(uint32_t policy, int priority)
{
    if (policy == SCHED_FIFO || policy == SCHED_RR) {
        return priority < REAL_TIME_LEAST || priority > REAL_TIME_MOST ? -EINVAL : -EPERM;
    }
    for (int kind = TIMESHARE_NORMAL; kind <= TIMESHARE_IDLE; kind++) {
        if (policies[kind] == policy) {
            return priority == 0 ? kind : -EINVAL;
        }
    }
    return -EINVAL;
}

static long set_policy(struct task *t, uint64_t pid, const uint32_t *policy, va_t parameter)
{
    struct sched_param param;
    long e;

    if (parameter == 0 || (int)pid < 0 || (policy != NULL && (int)*policy < 0)) {
        return -EINVAL;
    }
    if (ux_copy_in(t, &param, parameter, sizeof(param)) != 0) {
        return -EFAULT;
    }
    struct task *of = named(t, pid, &e);
    if (of == NULL) {
        return e;
    }
    int kind = kind_for(policy != NULL ? *policy : (uint32_t)sched_policy(of), param.sched_priority);
    if (kind < 0) {
        return kind;
    }
    bool rises = sched_policy(of) == SCHED_IDLE && kind != TIMESHARE_IDLE;
    if (!is_owner(t, of) || (rises && !may_nice(t, of, nice_of(of)))) {
        return -EPERM;
    }
    timeshare_set(&of->sharing.share, (enum timeshare_kind)kind, nice_of(of));
    return 0;
}

long ux_sys_sched_setscheduler(struct task *t, const uint64_t a[6])
{
    uint32_t policy = (uint32_t)a[1];
    return set_policy(t, a[0], &policy, a[2]);
}

long ux_sys_sched_setparam(struct task *t, const uint64_t a[6])
{
    return set_policy(t, a[0], NULL, a[1]);
}

long ux_sys_sched_getscheduler(struct task *t, const uint64_t a[6])
{
    long e;
    struct task *of = named(t, a[0], &e);
    return of != NULL ? sched_policy(of) : e;
}

long ux_sys_sched_getparam(struct task *t, const uint64_t a[6])
{
    const struct sched_param param = {0};
    long e;
    struct task *of = named(t, a[0], &e);

    if (a[1] == 0) {
        return -EINVAL;
    }
    return of != NULL ? ux_copy_out(t, a[1], &param, sizeof(param)) : e;
}

static bool is_real_time(uint64_t policy)
{
    return (int)policy == SCHED_FIFO || (int)policy == SCHED_RR;
}

static bool is_policy(uint64_t policy)
{
    return is_real_time(policy) || (int)policy == SCHED_NORMAL || (int)policy == SCHED_BATCH ||
           (int)policy == SCHED_IDLE || (int)policy == SCHED_DEADLINE;
}

long ux_sys_sched_get_priority_max(struct task *t, const uint64_t a[6])
{
    (void)t;
    return is_real_time(a[0]) ? REAL_TIME_MOST : is_policy(a[0]) ? 0 : -EINVAL;
}

long ux_sys_sched_get_priority_min(struct task *t, const uint64_t a[6])
{
    (void)t;
    return is_real_time(a[0]) ? REAL_TIME_LEAST : is_policy(a[0]) ? 0 : -EINVAL;
}

// The supervisor's time slice among threads of the same priority.
long ux_sys_sched_rr_get_interval(struct task *t, const uint64_t a[6])
{
    uint64_t ns = ak_ns_from_ticks(ak_system->slice);
    const struct __kernel_timespec slice = {.tv_sec = (long)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    long e;
    struct task *of = named(t, a[0], &e);

    return of != NULL ? ux_copy_out(t, a[1], &slice, sizeof(slice)) : e;
}
