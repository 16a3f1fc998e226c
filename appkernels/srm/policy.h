// policy.h - the policy file: which application kernels run, and what each is given.
//
// Lines of words; `#` begins a comment.
//     kernel NAME memory=SIZE|rest [priority=N] [share=N] [spaces=N] [threads=N] [mappings=N]
//                 [min_spaces=N] [max_spaces=N] [min_threads=N] [max_threads=N] [min_mappings=N] [max_mappings=N]
//                 [console] [args="..."]
//     primary NAME        when this kernel ends, everything ends, with its value
// spaces, threads and mappings are how many of each the kernel may lock.  min_ is how many descriptors of the type
// it is sure of, 0 if not said: no other kernel's load takes them.  max_ is how many it holds at most; 0 or nothing
// said: any number.  It is more than it may lock, by 2 for threads; for mappings, at least 16 for each processor.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POLICY_KERNELS = 64, POLICY_NAME = 32, POLICY_LINE = 512 };

struct policy_kernel {
    char     name[POLICY_NAME];
    char     line[POLICY_LINE];          // after the name, as it is told to the kernel
    unsigned number;                     // of the line
    bool     rest;                       // all memory that is left
    bool     console;
    uint64_t memory;                     // bytes, unless rest
    uint64_t priority, share, spaces, threads, mappings;
    struct policy_range { uint64_t least, most; } space, thread, mapping;
};

struct policy {
    struct policy_kernel kernel[POLICY_KERNELS];
    unsigned count;
    int      primary;                    // index, or -1
};

struct policy_error {
    unsigned line;                       // 0: the whole
    char     text[96];
};

// False, with the line and what is wrong with it, for a text that is not a policy.
bool policy_parse(struct policy *p, const char *text, size_t length, struct policy_error *error);
