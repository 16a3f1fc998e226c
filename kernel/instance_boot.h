// instance_boot.h - how kernel_boot() makes an instance.
#pragma once
#include "names.h"

// The boot command line has words of the form name=value, separated by spaces.  The value of an option, a number as
// base.h reads them, or `otherwise` if it is not there; false if it is there and no number.
bool option_number(const char *cmdline, const char *name, uint64_t otherwise, uint64_t *value);

struct sizes {
    uint64_t kernels, spaces, threads, mappings, locked, tables, buckets, groups;
    uint64_t slice;               // ticks
    uint64_t jitter;              // seed of random preemption, 0: none
    uint64_t turns;               // as in struct system_info
    pa_t     memory_end;
};

// Sizes from the command line; powers off with a message if they cannot work.
void sizes_read(struct sizes *s, const struct boot_info *info);
struct instance *instance_create(struct boot_info *info, const struct sizes *s);
void instance_add_cpus(struct instance *in, const struct boot_info *info);
// Load the first kernel from the boot archive, which is 2-MiB aligned by now.
void first_load(struct cpu *cpu, struct boot_info *info);
