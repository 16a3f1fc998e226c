// tlb.c - a plug-in for QEMU that models a TLB and counts what a program does to it.
//
//     qemu-system-x86_64 -plugin libtlb.so,low=A,high=B,mark=A,out=FILE[,size=64][,ways=4]
//
// Counted are the instructions that lie from `low` up to `high`, and their accesses to data, once a store
// from there to the word at `mark` has been seen and until one to the word behind it (mark + 8).  Each
// processor has a TLB of its own: `size` entries for pages of 4 KiB in sets of `ways`, replaced least
// recently used.  An access that spans two pages looks for both.  A move to CR3 empties the processor's
// TLB: the plug-in sees the instruction, not the value.
//
// What is not modelled: the TLB for instructions; entries that the supervisor and its application kernels
// take up or keep across CR3 by the global bit; INVLPG, whose address is not shown to plug-ins (the page
// stays in, so its next access may count as a hit; Quoin loads a mapping in another space, so a CR3 move
// follows).
//
// At the end of the emulator it writes lines `tlb NAME NUMBER` to the file: instructions, accesses, misses,
// flushes.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

int qemu_plugin_version = 1;

// ---- the TLB ----------------------------------------------------------------------------------------------

enum { PAGE_SHIFT = 12, CPUS = 64, MOST_ENTRIES = 65536 };

struct entry {
    uint64_t page;                       // number + 1; 0: empty
    uint64_t used;                       // when
};

struct processor {                       // written by its own thread of the emulator only
    struct entry *entry;
    uint64_t clock;
    uint64_t instructions, accesses, misses, flushes;
} __attribute__((aligned(64)));

static struct processor processor[CPUS];
static uint64_t low, high, mark, size = 64, ways = 4;
static char out[4096];
static uint32_t armed;                   // a

static bool is_armed(void)
{
    return __atomic_load_n(&armed, __ATOMIC_RELAXED) != 0;
}

static void look_up(struct processor *p, uint64_t page)
{
    struct entry *set = &p->entry[page % (size / ways) * ways], *victim = set;

    p->clock++;
    for (uint64_t i = 0; i < ways; i++) {
        if (set[i].page == page + 1) {
            set[i].used = p->clock;
            return;
        }
        if (set[i].used < victim->used) {
            victim = &set[i];
        }
    }
    p->misses++;
    *victim = (struct entry){page + 1, p->clock};
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *data)
{
    struct processor *p = &processor[vcpu % CPUS];
    uint64_t last = va + (1u << qemu_plugin_mem_size_shift(info)) - 1;

    (void)data;
    if ((va == mark || va == mark + 8) && qemu_plugin_mem_is_store(info)) {
        __atomic_store_n(&armed, va == mark, __ATOMIC_RELAXED);
        return;
    }
    if (is_armed()) {
        p->accesses++;
        look_up(p, va >> PAGE_SHIFT);
        if (last >> PAGE_SHIFT != va >> PAGE_SHIFT) {
            look_up(p, last >> PAGE_SHIFT);
        }
    }
}

static void on_instruction(unsigned vcpu, void *data)
{
    (void)data;
    processor[vcpu % CPUS].instructions += is_armed();
}

static void on_flush(unsigned vcpu, void *data)
{
    struct processor *p = &processor[vcpu % CPUS];

    (void)data;
    p->flushes += is_armed();
    memset(p->entry, 0, size * sizeof(*p->entry));
}

// MOV to CR3: 0F 22 with 3 in the middle of the next byte, perhaps behind a REX prefix.
static bool is_cr3_load(const struct qemu_plugin_insn *insn)
{
    const uint8_t *at = qemu_plugin_insn_data(insn);
    size_t n = qemu_plugin_insn_size(insn);

    if (n == 4 && (at[0] & 0xf0) == 0x40 && !(at[0] & 4)) {
        at++;
        n--;
    }
    return n == 3 && at[0] == 0x0f && at[1] == 0x22 && (at[2] & 0xf8) == 0xd8;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t va = qemu_plugin_insn_vaddr(insn);
        if (va >= low && va < high) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, CB_NO_REGS, NULL);
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, CB_NO_REGS, MEM_READ_WRITE, NULL);
        } else if (is_cr3_load(insn)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_flush, CB_NO_REGS, NULL);
        }
    }
}

static void write_counts(qemu_plugin_id_t id, void *data)
{
    struct processor sum = {0};
    FILE *file = fopen(out, "w");

    (void)id;
    (void)data;
    if (file == NULL) {
        perror(out);
        return;
    }
    for (unsigned i = 0; i < CPUS; i++) {
        sum.instructions += processor[i].instructions;
        sum.accesses += processor[i].accesses;
        sum.misses += processor[i].misses;
        sum.flushes += processor[i].flushes;
    }
    fprintf(file, "tlb instructions %llu\ntlb accesses %llu\ntlb misses %llu\ntlb flushes %llu\n",
            (unsigned long long)sum.instructions, (unsigned long long)sum.accesses,
            (unsigned long long)sum.misses, (unsigned long long)sum.flushes);
    fclose(file);
}

// ---- arguments --------------------------------------------------------------------------------------------

static bool take_argument(const char *text)
{
    static const struct { const char *key; uint64_t *to;
    } number[] = {
        {"low=", &low}, {"high=", &high}, {"mark=", &mark}, {"size=", &size}, {"ways=", &ways},
    };

    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
        size_t n = strlen(number[i].key);
        char *end;
        if (strncmp(text, number[i].key, n) == 0) {
            *number[i].to = strtoull(text + n, &end, 0);
            return end > text + n && *end == '\0';
        }
    }
    if (strncmp(text, "out=", 4) != 0 || strlen(text + 4) >= sizeof(out)) {
        return false;
    }
    strcpy(out, text + 4);
    return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!take_argument(argv[i])) {
            fprintf(stderr, "tlb: not understood: %s\n", argv[i]);
            return 1;
        }
    }
    if (ways == 0 || size == 0 || size > MOST_ENTRIES || size % ways != 0 || low >= high || *out == '\0') {
        fprintf(stderr, "tlb: needs low=A,high=B,mark=A,out=FILE, and a size that is a multiple of ways\n");
        return 1;
    }
    for (unsigned i = 0; i < CPUS; i++) {
        processor[i].entry = calloc(size, sizeof(struct entry));
        if (processor[i].entry == NULL) {
            return 1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
