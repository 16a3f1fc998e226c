// instance_boot.h - how kernel_boot() makes an instance.
#pragma once
#include <abi/types.h>

struct boot_info;
struct cpu;
struct bootmem;
struct instance;

struct sizes {
    uint64_t cpus, kernels, spaces, threads, mappings, locked, tables, buckets, groups;
    uint64_t slice;               // ticks
    uint64_t jitter;              // seed of random preemption, 0: none
    uint64_t turn;                // ticks, 0: none; see place.h
    pa_t     memory_end;
};

// Sizes from the command line; powers off with a message if they cannot work.
void sizes_read(struct sizes *s, const struct boot_info *info);
struct instance *instance_create(struct bootmem *m, const struct sizes *s);
void instance_add_cpus(struct instance *in, const struct boot_info *info);
// Load the first kernel from the boot archive, which is at `archive` (2-MiB aligned).
void first_load(struct cpu *cpu, struct bootmem *m, pa_t archive, uint64_t length);
