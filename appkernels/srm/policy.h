// policy.h - the policy file: which application kernels run, and what each is given.
//
// Lines of words; `#` begins a comment.
//     kernel NAME memory=SIZE|rest [most=SIZE] [priority=N] [share=N] [spaces=N] [threads=N]
//                 [mappings=N] [min_spaces=N] [max_spaces=N] [min_threads=N] [max_threads=N]
//                 [min_mappings=N] [max_mappings=N] [weight=N] [console] [image=FILE] [args="..."]
//     primary NAME        when this kernel ends, everything ends, with its value
// most is how much memory it may have in all, when it asks for more than the first.
// spaces, threads and mappings are how many of each the kernel may lock.  min_ is how many descriptors of the type
// it is sure of, 0 if not said: no other kernel's load takes them.  max_ is how many it holds at most; 0 or nothing
// said: any number.  It is more than it may lock, by 2 for threads; for mappings, at least 16 for each processor.
// weight is for programs that schedule their own threads on whole processors (abi/activation.h): those of one priority
// share in proportion to the weights of their kernels, 1 if not said. Without any weight spaces share alike.
// Its program is kernels/FILE of the boot archive, without image= kernels/NAME: so the same one may run under several
// names.
//
// What changes as time goes by, counted from the start.  A TIME is a number with ms, s or m behind it.  A kernel is
// named after its own line; where several lines speak of one thing at one moment, the last of them counts.
//     turns each=TIME NAME NAME ...       one of these kernels is swapped in, for TIME, then the next
//     grant NAME [share=N] [priority=N] [memory=SIZE] [from=TIME] [for=TIME]
//                                         from this moment on, for so long: instead of the share and the priority in
//                                         its line, and memory, in one piece, that it has besides (abi/boot.h: loan)
//     out NAME [from=TIME] [for=TIME]     it is swapped out
//     end NAME at=TIME                    it is ended, with value 0
// A kernel that is swapped out keeps its memory and has no descriptor in the supervisor.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POLICY_KERNELS = 62, POLICY_NAME = 32, POLICY_LINE = 512, POLICY_TURNS = 16, POLICY_PHASES = 64 };
#define POLICY_UNSAID UINT64_MAX         // a share or priority that a line does not speak of
#define POLICY_FOREVER UINT64_MAX

struct policy_kernel {
    char     name[POLICY_NAME];
    char     image[POLICY_NAME];
    char     line[POLICY_LINE];          // after the name, as it is told to the kernel
    unsigned number;                     // of the line
    bool     rest;                       // all memory that is left
    bool     console;
    uint64_t memory;                     // bytes, unless rest
    uint64_t most;                       // bytes; 0: what it got first
    uint64_t priority, share, spaces, threads, mappings;
    uint64_t weight;                     // 0: not said
    struct policy_range { uint64_t least, most; } space, thread, mapping;
    bool     borrows;                    // some line grants it memory
    unsigned turns;                      // 0: takes no turns; else 1 + index of its `turns` line
};

enum policy_kind { PHASE_GRANT, PHASE_OUT, PHASE_END };

struct policy_phase {                    // a grant, out or end line
    enum policy_kind kind;
    unsigned kernel;                     // index
    uint64_t from, until;                // nanoseconds since the start; until is not in it
    uint64_t share, priority;
    uint64_t memory;                     // bytes, 0: the line does not speak of it
};

struct policy {
    struct policy_kernel kernel[POLICY_KERNELS];
    unsigned count;
    int      primary;                    // index, or -1
    uint64_t each[POLICY_TURNS];         // nanoseconds of a turn, for each `turns` line
    unsigned turns;
    struct policy_phase phase[POLICY_PHASES];
    unsigned phases;
};

struct policy_error {
    unsigned line;                       // 0: the whole
    char     text[96];
};

// False, with the line and what is wrong with it, for a text that is not a policy.
bool policy_parse(struct policy *p, const char *text, size_t length, struct policy_error *error);
