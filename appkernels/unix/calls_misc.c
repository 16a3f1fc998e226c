// calls_misc.c - calls about the task and the system that belong nowhere else.
#include <base.h>
#include <sys.h>

#include "calls.h"
#include "task.h"
#include "vm.h"

long ux_sys_exit(struct task *t, const uint64_t a[6])
{
    task_exit(t, (int)(a[0] & 0xff) << 8);
}

long ux_sys_exit_group(struct task *t, const uint64_t a[6])
{
    process_exit(t->process, (int)(a[0] & 0xff) << 8);
    task_exit(t, t->process->status);
}

long ux_sys_uname(struct task *t, const uint64_t a[6])
{
    static const struct new_utsname name = {
        .sysname = "Linux", .nodename = "quoin", .release = "6.1.0-quoin", .version = "#1 SMP Quoin",
        .machine = "x86_64", .domainname = "(none)",
    };
    return ux_copy_out(t, a[0], &name, sizeof(name));
}

void ux_memory_info(uint64_t *total_bytes, uint64_t *free_bytes)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < ak_info->ranges; i++) {
        total += ak_info->range[i].length;
    }
    *total_bytes = total > ak_info->most ? total : ak_info->most;
    *free_bytes = ak_frames_free() << ABI_PAGE_SHIFT;
}

long ux_sys_sysinfo(struct task *t, const uint64_t a[6])
{
    struct sysinfo s = {.mem_unit = 1, .procs = (uint16_t)task_count()};
    uint64_t total, free;

    ux_memory_info(&total, &free);
    s.uptime = (long)(ux_mono_ns() / 1000000000);
    s.totalram = total;
    s.freeram = free;
    return ux_copy_out(t, a[0], &s, sizeof(s));
}

long ux_sys_getrandom(struct task *t, const uint64_t a[6])
{
    uint8_t bytes[256];
    size_t length = a[1] < 1u << 25 ? a[1] : 1u << 25;

    if (a[2] & ~7ull) {
        return -EINVAL;
    }
    for (size_t done = 0; done < length;) {
        size_t n = length - done < sizeof(bytes) ? length - done : sizeof(bytes);
        ux_random(bytes, n);
        if (ux_copy_out(t, a[0] + done, bytes, n) != 0) {
            return done > 0 ? (long)done : -EFAULT;
        }
        done += n;
        if (t->interrupted) {
            return (long)done;
        }
    }
    return (long)length;
}

long ux_sys_arch_prctl(struct task *t, const uint64_t a[6])
{
    uint64_t base;

    switch ((int)a[0]) {
    case ARCH_SET_FS:
        if (a[1] >= VM_END) {
            return -EPERM;
        }
        __asm__ volatile("wrfsbase %0" : : "r"(a[1]));
        return 0;
    case ARCH_SET_GS:
        if (a[1] >= VM_END) {
            return -EPERM;
        }
        __asm__ volatile("wrgsbase %0" : : "r"(a[1]));
        return 0;
    case ARCH_GET_FS:
        __asm__ volatile("rdfsbase %0" : "=r"(base));
        return ux_copy_out(t, a[1], &base, sizeof(base));
    case ARCH_GET_GS:
        __asm__ volatile("rdgsbase %0" : "=r"(base));
        return ux_copy_out(t, a[1], &base, sizeof(base));
    default:
        return -EINVAL;
    }
}

long ux_sys_prctl(struct task *t, const uint64_t a[6])
{
    switch ((int)a[0]) {
    case PR_SET_NAME: {
        char name[sizeof(t->comm)] = {0};
        long n = ux_copy_string(t, name, a[1], sizeof(name));
        if (n == -EFAULT) {
            return n;
        }
        name[sizeof(name) - 1] = 0;
        memcpy(t->comm, name, sizeof(t->comm));
        return 0;
    }
    case PR_GET_NAME:
        return ux_copy_out(t, a[1], t->comm, sizeof(t->comm));
    case PR_GET_DUMPABLE:
        return 1;
    case PR_SET_PDEATHSIG:
        if (a[1] > LINUX_SIGNALS) {
            return -EINVAL;
        }
        t->death_signal = (int)a[1];
        return 0;
    case PR_GET_PDEATHSIG:
        return ux_copy_out(t, a[1], &t->death_signal, sizeof(t->death_signal));
    case PR_GET_NO_NEW_PRIVS:
        return 0;
    case PR_GET_KEEPCAPS:
        return 0;
    case PR_CAPBSET_READ:
        return a[1] <= CAP_LAST_CAP ? 1 : -EINVAL;
    default:
        return -EINVAL;
    }
}

long ux_sys_personality(struct task *t, const uint64_t a[6])
{
    (void)t;
    return (uint32_t)a[0] == UINT32_MAX || a[0] == 0 ? 0 : -EINVAL;
}

// ---- limits -----------------------------------------------------------------------------------------------

void limits_init(struct process *p)
{
    for (unsigned i = 0; i < LINUX_RLIMITS; i++) {
        p->rlimit[i][0] = p->rlimit[i][1] = RLIM64_INFINITY;
    }
    p->rlimit[RLIMIT_STACK][0] = 8ull << 20;
    p->rlimit[RLIMIT_NOFILE][0] = p->rlimit[RLIMIT_NOFILE][1] = 1024;
    p->rlimit[RLIMIT_NPROC][0] = p->rlimit[RLIMIT_NPROC][1] = LINUX_NPROC;
    p->rlimit[RLIMIT_CORE][0] = 0;
    p->rlimit[RLIMIT_MEMLOCK][0] = p->rlimit[RLIMIT_MEMLOCK][1] = 0;
    p->rlimit[RLIMIT_SIGPENDING][0] = p->rlimit[RLIMIT_SIGPENDING][1] = 32768;
    p->rlimit[RLIMIT_NICE][0] = p->rlimit[RLIMIT_NICE][1] = 0;
    p->rlimit[RLIMIT_RTPRIO][0] = p->rlimit[RLIMIT_RTPRIO][1] = 0;
}

uint64_t ux_limit(struct task *t, unsigned which)
{
    return which < LINUX_RLIMITS ? t->process->rlimit[which][0] : UINT64_MAX;
}

static long limit_change(struct task *t, struct process *p, uint64_t which, va_t new, va_t old)
{
    uint64_t value[2];

    if (which >= LINUX_RLIMITS) {
        return -EINVAL;
    }
    if (new != 0) {
        if (ux_copy_in(t, value, new, sizeof(value)) != 0) {
            return -EFAULT;
        }
        if (value[0] > value[1]) {
            return -EINVAL;
        }
        if (value[1] > p->rlimit[which][1] && (t->creds.euid != 0 || which == RLIMIT_NOFILE || which == RLIMIT_NPROC)) {
            return -EPERM;
        }
    }
    if (old != 0 && ux_copy_out(t, old, p->rlimit[which], sizeof(p->rlimit[which])) != 0) {
        return -EFAULT;
    }
    if (new != 0) {
        memcpy(p->rlimit[which], value, sizeof(value));
        if (which == RLIMIT_STACK && p->leader->vm != NULL) {
            p->leader->vm->stack_limit = value[0];
        }
    }
    return 0;
}

long ux_sys_prlimit64(struct task *t, const uint64_t a[6])
{
    struct process *p = a[0] == 0 ? t->process : process_find((int)a[0]);

    if (p == NULL || p->zombie) {
        return -ESRCH;
    }
    if (p != t->process && t->creds.euid != 0 && t->creds.uid != p->leader->creds.uid) {
        return -EPERM;
    }
    return limit_change(t, p, (uint32_t)a[1], a[2], a[3]);
}

long ux_sys_getrlimit(struct task *t, const uint64_t a[6])
{
    return a[1] == 0 ? -EFAULT : limit_change(t, t->process, (uint32_t)a[0], 0, a[1]);
}

long ux_sys_setrlimit(struct task *t, const uint64_t a[6])
{
    return a[1] == 0 ? -EFAULT : limit_change(t, t->process, (uint32_t)a[0], a[1], 0);
}

// ---- processors -------------------------------------------------------------------------------------------

static uint64_t all_cpus(void)
{
    return ak_system->cpus >= 64 ? ~0ull : (1ull << ak_system->cpus) - 1;
}

long ux_sys_sched_yield(struct task *t, const uint64_t a[6])
{
    (void)t;
    (void)a;
    (void)sys_yield();
    return 0;
}

long ux_sys_sched_getaffinity(struct task *t, const uint64_t a[6])
{
    struct task *of = a[0] == 0 ? t : ux_task_find((int)a[0]);

    if (of == NULL) {
        return -ESRCH;
    }
    if (a[1] < sizeof(uint64_t) || a[1] % sizeof(uint64_t) != 0) {
        return -EINVAL;
    }
    uint64_t set = of->thread.affinity != 0 ? of->thread.affinity & all_cpus() : all_cpus();
    return ux_copy_out(t, a[2], &set, sizeof(set)) != 0 ? -EFAULT : (long)sizeof(set);
}

// Takes effect when the thread is loaded again, so it is written back now.
long ux_sys_sched_setaffinity(struct task *t, const uint64_t a[6])
{
    struct task *of = a[0] == 0 ? t : ux_task_find((int)a[0]);
    uint64_t set = 0, size = a[1] < sizeof(set) ? a[1] : sizeof(set);

    if (of == NULL || of->process->zombie) {
        return -ESRCH;
    }
    if (t->creds.euid != 0 && t->creds.euid != of->creds.uid && t->creds.euid != of->creds.euid) {
        return -EPERM;
    }
    if (ux_copy_in(t, &set, a[2], size) != 0) {
        return -EFAULT;
    }
    set &= all_cpus();
    if (set == 0) {
        return -EINVAL;
    }
    __atomic_store_n(&of->thread.affinity, set, __ATOMIC_RELAXED);
    if (of != t) {
        ak_thread_interrupt(&of->thread);
    } else {
        ak_thread_reload(&t->thread);
    }
    return 0;
}

// The supervisor leaves each processor's number where RDTSCP reads it.
static bool have_rdtscp(void)
{
    uint32_t a = 0x80000001, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d >> 27 & 1;
}

long ux_sys_getcpu(struct task *t, const uint64_t a[6])
{
    uint32_t low, high, cpu;

    if (!have_rdtscp()) {
        return -ENOSYS;
    }
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(cpu));
    uint32_t node = cpu < ABI_MAX_CPUS ? ak_system->cluster_of[cpu] : 0;
    if (a[0] != 0 && ux_copy_out(t, a[0], &cpu, sizeof(cpu)) != 0) {
        return -EFAULT;
    }
    return a[1] != 0 ? ux_copy_out(t, a[1], &node, sizeof(node)) : 0;
}
