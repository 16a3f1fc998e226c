// instance.c - sizing and laying out one Cache Kernel at boot.
#include "instance.h"

#include "base.h"
#include "boot.h"
#include "bootmem.h"
#include "instance_boot.h"
#include "kprint.h"
#include "option.h"
#include "pmap.h"
#include "share.h"
#include "table.h"

static void refuse(const char *why, uint64_t a, uint64_t b)
{
    kprint("boot refused: %s (%lu, at least %lu)\n", why, (unsigned long)a, (unsigned long)b);
    arch_power_off(125);
}

static void at_least(const char *what, uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least) {
        refuse(what, value, least);
    }
    if (value > most) {
        kprint("boot refused: %s (%lu, at most %lu)\n", what, (unsigned long)value, (unsigned long)most);
        arch_power_off(125);
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
              option_number(line, "tables", 0, &s->tables) && option_number(line, "turn", 0, &s->turn);
    if (!ok) {
        refuse("an option is not a number", 0, 0);
    }
    // The first kernel and one more, with a space and a thread each; then one space and two threads for programs.
    at_least("kernels", s->kernels, 2, 250);
    at_least("spaces", s->spaces, 3, 4095);
    at_least("threads", s->threads, 4, 65535);
    at_least("mappings", s->mappings, 16 * info->cpus, 1 << 23);
    at_least("slice (microseconds)", slice_us, 10, 1000000);
    if (s->turn != 0) {
        at_least("turn (ticks)", s->turn, 1000, UINT32_MAX);
    }
    s->cpus = info->cpus;
    s->slice = slice_us * (arch_tsc_hz() / 1000000);
    s->memory_end = boot_memory_end(info);
    uint64_t large = s->memory_end / ABI_LARGE + 1;
    s->locked = 2 * large + 64 * s->kernels;
    // Own spaces of kernels map their memory by large mappings: a table for each GiB.  Programs need four at least.
    uint64_t least = s->kernels * (s->memory_end / (1 << 30) + 8) + 4 * info->cpus + 8;
    if (s->tables == 0) {
        s->tables = least + s->spaces * 8 + s->mappings / 32;
    }
    at_least("tables", s->tables, least, 1 << 24);
    s->groups = (s->memory_end + ABI_GROUP - 1) / ABI_GROUP;
    s->buckets = ABI_GROUP / ABI_PAGE;            // at least: see pmap_quick.h
    while (s->buckets < s->mappings / 2) {
        s->buckets *= 2;
    }
}

// Hands out parts of one block.
struct carver {
    char *at;
};

static void *carve(struct carver *c, uint64_t size)
{
    void *p = c->at;

    c->at += (size + 63) & ~63ull;
    return p;
}

// Of the hash of state pages.  So many that even pages which somebody chose make no long chains: a bucket has at most
// (pages of memory / buckets) of them, and there are not more threads than half the buckets.
static uint64_t state_buckets(const struct sizes *s)
{
    uint64_t n = 1;

    while (n < 2 * s->threads) {
        n *= 2;
    }
    return n;
}

static struct instance *lay_out(struct carver *c, const struct sizes *s, struct system_stats *stats)
{
    struct instance *in = carve(c, sizeof(*in));
    struct appkernel *kernels = carve(c, s->kernels * sizeof(*kernels));
    struct space *spaces = carve(c, s->spaces * sizeof(*spaces));
    struct thread *threads = carve(c, s->threads * sizeof(*threads));

    in->stats = stats;
    cache_init(&in->kernels, OBJECT_KERNEL, kernels, sizeof(*kernels), (uint32_t)s->kernels, &stats->free_kernels);
    cache_init(&in->spaces, OBJECT_SPACE, spaces, sizeof(*spaces), (uint32_t)s->spaces, &stats->free_spaces);
    cache_init(&in->threads, OBJECT_THREAD, threads, sizeof(*threads), (uint32_t)s->threads, &stats->free_threads);
    in->state_hash = carve(c, state_buckets(s) * sizeof(struct thread *));
    in->state_mask = (uint32_t)state_buckets(s) - 1;
    for (uint32_t i = 0; i < s->kernels; i++) {
        kernels[i].rights = carve(c, s->groups / 4 + 1);
        kernels[i].share = carve(c, s->cpus * sizeof(struct share));
    }
    return in;
}

static uint64_t layout_size(const struct sizes *s)
{
    uint64_t kernel = sizeof(struct appkernel) + s->groups / 4 + s->cpus * sizeof(struct share) + 192;
    uint64_t n = sizeof(struct instance) + s->kernels * kernel +
                 s->spaces * sizeof(struct space) + s->threads * sizeof(struct thread) +
                 state_buckets(s) * sizeof(struct thread *) +
                 (s->mappings + s->locked) * sizeof(struct record) + s->buckets * sizeof(uint32_t) +
                 s->tables * sizeof(struct table) + 64 * 16;
    return (n + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1);
}

struct instance *instance_create(struct bootmem *m, const struct sizes *s)
{
    uint64_t objects = layout_size(s), frames = (s->tables + s->spaces) * ABI_PAGE;
    uint64_t size = (objects + frames + ABI_LARGE - 1) & ~(uint64_t)(ABI_LARGE - 1);
    pa_t pa = bootmem_take(m, size, ABI_LARGE), system = bootmem_take(m, ABI_LARGE, ABI_LARGE);
    pa_t devices = bootmem_take(m, ABI_LARGE, ABI_LARGE);

    if (pa == 0 || system == 0 || devices == 0) {
        refuse("memory for caches of this size (KiB)", 0, size >> 10);
    }
    memset(arch_phys(pa), 0, size);
    memset(arch_phys(system), 0,
           SYSTEM_USAGE_PAGE * ABI_PAGE + s->kernels * s->cpus * sizeof(struct kernel_usage));
    memset(arch_phys(devices), 0, ABI_LARGE);
    struct carver c = {arch_phys(pa)};
    struct instance *in = lay_out(&c, s, arch_phys(system + ABI_PAGE));
    in->slice = s->slice;
    in->jitter = s->jitter;
    in->turn = s->turn;
    in->message_version = 1;
    in->groups = s->groups;
    in->system = system;
    device_init(&in->devices, devices);
    in->info = arch_phys(system);
    list_init(&in->unloading);
    list_init(&in->claimants);
    in->nrecords = (uint32_t)s->mappings;
    in->nlocked = (uint32_t)s->locked;
    struct record *records = carve(&c, (s->mappings + s->locked) * sizeof(*records));
    pmap_init(in, records, carve(&c, s->buckets * sizeof(uint32_t)), (uint32_t)s->buckets);
    in->ntables = (uint32_t)s->tables;
    in->table_base = pa + objects;
    in->root_base = in->table_base + s->tables * ABI_PAGE;
    table_init(in, carve(&c, s->tables * sizeof(struct table)));
    assert((uint64_t)(c.at - (char *)in) <= objects);
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
        c->cluster = info->cluster_of[i];
        c->stats = &stats[i];
        list_init(&c->waiting);
        list_init(&c->over);
        for (uint32_t l = 0; l < CPU_LEVELS; l++) {
            list_init(&c->ready[l]);
        }
    }
}
