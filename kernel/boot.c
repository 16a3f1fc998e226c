// boot.c - from the machine's first call to the first kernel's first instruction.
#include "boot.h"
#include "instance_boot.h"
#include "supervisor.h"

void *boot_take(struct boot_info *info, uint64_t size, uint64_t align, const char *what)
{
    size = (size + align - 1) & ~(align - 1);
    pa_t pa = ranges_take(&info->free, size, align, 0, ~(pa_t)0);
    if (pa == 0) {
        boot_refuse("no memory for %s (%lu KiB)", what, (unsigned long)(size >> 10));
    }
    return memset(arch_phys(pa), 0, size);
}

// The archive gets 2-MiB units of its own, so that rights on it show nothing else.
static void archive_move(struct boot_info *info)
{
    void *to = boot_take(info, info->archive_length, ABI_LARGE, "the boot archive");

    memcpy(to, arch_phys(info->archive), info->archive_length);
    info->archive = arch_pa(to);
}

static void info_fill(struct instance *in, const struct boot_info *info)
{
    struct system_info *s = in->info;

    s->version = 1;
    s->cpus = info->cpus;
    s->clusters = info->clusters;
    s->kernels = in->kernels.size;
    s->spaces = in->spaces.size;
    s->threads = in->threads.size;
    s->mappings = in->nrecords;
    s->tables = in->ntables;
    s->locked_mappings = in->nlocked;
    s->tsc_hz = info->tsc_hz;
    s->wall_ns = info->wall_ns;
    s->slice = in->slice;
    s->system = in->system;
    s->devices = in->devices.base;
    memcpy(s->cluster_of, info->cluster_of, sizeof(s->cluster_of));
    memcpy(s->distance, info->distance, sizeof(s->distance));
    size_t n = strnlen(info->cmdline, SYSTEM_CMDLINE - 1);
    memcpy(s->cmdline, info->cmdline, n);
}

// Debuggers stop here, so it keeps its name.
__attribute__((noinline, noclone)) void kernel_boot(struct boot_info *info)
{
    struct sizes sizes;

    ranges_subtract(&info->free, 0, 1 << 20);      // the first megabyte: firmware, trampoline
    sizes_read(&sizes, info);
    archive_move(info);
    struct instance *in = instance_create(info, &sizes);
    instance_add_cpus(in, info);
    struct cpu *cpu = &in->cpu[0];
    arch_cpu_init(cpu);
    // Once for all: a processor may still have a freed root loaded for a moment (trap_resume), so the
    // supervisor's half of a root is never written again.
    for (uint32_t i = 0; i < in->spaces.size; i++) {
        arch_root_init(in->root_base + (pa_t)i * ABI_PAGE);
    }
    info_fill(in, info);
    kprint("%u processors, %u clusters, %lu MiB, clock %lu kHz; %u kernels, %u spaces, %u threads, %u "
           "mappings, %u tables\n",
           info->cpus, info->clusters, (unsigned long)(sizes.memory_end >> 20),
           (unsigned long)(in->info->tsc_hz / 1000), in->kernels.size, in->spaces.size, in->threads.size,
           in->nrecords, in->ntables);
    instance_lock(cpu);
    first_load(cpu, info);
    cpu->resched = true;
    in->spare |= 1;                      // nobody runs here yet
    if (in->info->turns != 0) {
        arch_turns();
    }
    arch_start_cpus();
    sched_exit(cpu);
    instance_unlock(cpu);
}

// Whoever poked this processor before it ran asked for what comes here anyway; a request that stayed set would keep
// others from interrupting it.
void kernel_cpu_start(struct cpu *cpu)
{
    instance_lock(cpu);
    store_relaxed(&cpu->request, 0);
    cpu->resched = true;
    cpu->instance->spare |= 1ull << cpu->number;
    sched_exit(cpu);
    instance_unlock(cpu);
}
