// instance.c - sizing and laying out one Cache Kernel at boot.
#include "boot.h"
#include "instance_boot.h"
#include "supervisor.h"

// The least power of two that is not less; n is 2 at least.
static uint64_t round_up(uint64_t n)
{
    return 1ull << (64 - __builtin_clzll(n - 1));
}

static void check(const char *what, uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least || value > most) {
        boot_refuse("%s (%lu, %s %lu)", what, (unsigned long)value, value < least ? "at least" : "at most",
                    (unsigned long)(value < least ? least : most));
    }
}

void sizes_read(struct sizes *s, const struct boot_info *info)
{
    const char *line = info->cmdline;
    uint64_t slice_us;

    bool ok = option_number(line, "kernels", 16, &s->kernels) &&
              option_number(line, "spaces", 64, &s->spaces) &&
              option_number(line, "threads", 256, &s->threads) &&
              option_number(line, "mappings", 65536, &s->mappings) &&
              option_number(line, "slice", 2000, &slice_us) && option_number(line, "jitter", 0, &s->jitter) &&
              option_number(line, "tables", 0, &s->tables) && option_number(line, "turns", 0, &s->turns);
    if (!ok) {
        boot_refuse("an option is not a number");
    }
    // The first kernel and one more, with a space and a thread each; then one space and two threads for programs.
    check("kernels", s->kernels, 2, 250);
    check("spaces", s->spaces, 3, 4095);
    check("threads", s->threads, 4, 65535);
    check("mappings", s->mappings, 16 * info->cpus, 1 << 23);
    check("slice (microseconds)", slice_us, 10, 1000000);
    check("turns", s->turns, 0, 1 << 16);
    s->slice = slice_us * (info->tsc_hz / 1000000);
    s->memory_end = info->usable.r[info->usable.count - 1].end;
    uint64_t large = s->memory_end / ABI_LARGE + 1;
    s->locked = 2 * large + 64 * s->kernels;
    // Own spaces of kernels map their memory by large mappings: a table for each GiB.  Programs need four at least.
    uint64_t least = s->kernels * (s->memory_end / (1 << 30) + 8) + 4 * info->cpus + 8;
    if (s->tables == 0) {
        s->tables = least + s->spaces * 8 + s->mappings / 32;
    }
    check("tables", s->tables, least, 1 << 24);
    s->groups = (s->memory_end + ABI_GROUP - 1) / ABI_GROUP;
    s->buckets = round_up(s->mappings / 2);
    if (s->buckets < ABI_GROUP / ABI_PAGE) {      // see pmap_quick.h
        s->buckets = ABI_GROUP / ABI_PAGE;
    }
}

static void *take(struct boot_info *info, uint64_t size)
{
    return boot_take(info, size, 64, "caches of this size");
}

static void objects_create(struct instance *in, struct boot_info *info, const struct sizes *s)
{
    struct appkernel *kernels = take(info, s->kernels * sizeof(*kernels));
    struct space *spaces = take(info, s->spaces * sizeof(*spaces));
    struct thread *threads = take(info, s->threads * sizeof(*threads));
    struct system_stats *stats = in->stats;

    cache_init(&in->kernels, OBJECT_KERNEL, kernels, sizeof(*kernels), (uint32_t)s->kernels, &stats->free_kernels);
    cache_init(&in->spaces, OBJECT_SPACE, spaces, sizeof(*spaces), (uint32_t)s->spaces, &stats->free_spaces);
    cache_init(&in->threads, OBJECT_THREAD, threads, sizeof(*threads), (uint32_t)s->threads, &stats->free_threads);
    // So many that even state pages which somebody chose make no long chains: a bucket has at most (pages of memory /
    // buckets) of them, and there are not more threads than half the buckets.
    uint64_t buckets = round_up(2 * s->threads);
    in->state_hash = take(info, buckets * sizeof(struct thread *));
    in->state_mask = (uint32_t)buckets - 1;
    for (uint32_t i = 0; i < s->kernels; i++) {
        kernels[i].rights = take(info, s->groups / 4 + 1);
        kernels[i].share = take(info, info->cpus * sizeof(struct share));
    }
}

struct instance *instance_create(struct boot_info *info, const struct sizes *s)
{
    void *system = boot_take(info, ABI_LARGE, ABI_LARGE, "system pages");
    pa_t devices = arch_pa(boot_take(info, ABI_LARGE, ABI_LARGE, "device pages"));
    struct instance *in = take(info, sizeof(*in));

    in->info = system;
    in->system = arch_pa(system);
    in->stats = arch_phys(in->system + ABI_PAGE);
    in->devices.base = devices;
    in->slice = s->slice;
    in->jitter = s->jitter;
    in->info->turns = s->turns;
    in->message_version = 1;
    in->groups = s->groups;
    list_init(&in->unloading);
    list_init(&in->claimants);
    objects_create(in, info, s);
    in->nrecords = (uint32_t)s->mappings;
    in->nlocked = (uint32_t)s->locked;
    struct record *records = take(info, (s->mappings + s->locked) * sizeof(*records));
    pmap_init(in, records, take(info, s->buckets * sizeof(uint32_t)), (uint32_t)s->buckets);
    struct table *tables = take(info, s->tables * sizeof(*tables));
    in->ntables = (uint32_t)s->tables;
    in->root_base = arch_pa(boot_take(info, s->spaces * ABI_PAGE, ABI_PAGE, "page tables"));
    in->table_base = arch_pa(boot_take(info, s->tables * ABI_PAGE, ABI_PAGE, "page tables"));
    table_init(in, tables);
    return in;
}

void instance_add_cpus(struct instance *in, const struct boot_info *info)
{
    struct cpu_stats *stats = arch_phys(in->system + 2 * ABI_PAGE);

    in->cpus = info->cpus;
    for (uint32_t i = 0; i < info->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        c->self = c;
        c->number = i;
        c->instance = in;
        c->stats = &stats[i];
        list_init(&c->waiting);
        list_init(&c->over);
        for (uint32_t l = 0; l < CPU_LEVELS; l++) {
            list_init(&c->ready[l]);
        }
    }
}
