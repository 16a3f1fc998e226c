// ring0.c - a plug-in for QEMU that counts what the supervisor does, and for how long it keeps interrupts off.
//
//     qemu-system-x86_64 -plugin libring0.so,low=A,high=B,syscall=A,stubs=A,out=FILE
//
// The supervisor's instructions are those from `low` up to `high`; `syscall` and `stubs` (256 of them, 16 bytes apart)
// are its ways in.  tools/lib/ring0.py reads the addresses from the ELF file.  It costs the supervisor nothing: what
// is measured is the program that is shipped.
//
// A *stretch* is the number of instructions that a processor executes one after the other in the supervisor with
// interrupts off.  It begins at a way in.  It ends with the instruction that enables interrupts: SYSRET or IRET to
// ring 3, HLT, or the instruction after STI.  Plug-ins are not shown where an IRET goes: if the next instruction is
// no way in, but one of the supervisor's, it went back into the supervisor, and the stretch goes on.  So does one in
// which the supervisor itself faults.  A processor's first stretch is its boot and is counted apart.  An instruction
// that enables interrupts by what it loads (POPF) is refused: there is none.  A step of a REP counts one.
//
// Programs divide what is counted into *phases*, by long NOPs that carry a number (bench/native/marks.h): MARK_NEXT
// begins a phase, MARK_OFF interrupts it, MARK_ON goes on with it and MARK_END ends it, for all
// processors.  Phase 0 is everything else.
// A stretch belongs to the phase in which it began.
//
// At the end of the emulator it writes lines to the file:
//     boot PROCESSOR INSTRUCTIONS
//     phase N instructions I entries E switches S atomics A longest L way W processor P
//     site N ADDRESS TIMES                 what the longest stretch of phase N executed, and how often
// Switches are moves to CR3.  Atomics are instructions with LOCK, and XCHG with memory, in programs too.  W is a vector,
// or -1 for SYSCALL.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bench/native/marks.h"
#include "qemu.h"

int qemu_plugin_version = 1;

enum { CPUS = 64, PHASES = 64, STUBS = 256, STUB_SIZE = 16, MOST_TEXT = 1 << 20 };
enum { FROM_BOOT = -3, FROM_NOWHERE = -2, FROM_SYSCALL = -1 };   // or a vector

enum {                                   // what an instruction is
    IS_EXIT = 1, IS_HALT = 2, IS_STI = 4, IS_CLI = 8, IS_SWITCH = 16, IS_ATOMIC = 32, IS_POPF = 64,
};

struct site {                            // an instruction of the supervisor
    uint32_t offset, is;
    int32_t  from;                       // FROM_NOWHERE, or which way in it is
};

struct used {
    uint32_t offset, times;
};

struct count {                           // of one phase, on one processor
    uint64_t instructions, entries, switches, atomics;
    uint64_t longest;
    int32_t  from;
    uint32_t sites;
    struct used *site;
};

struct processor {                       // written by its own thread of the emulator only
    enum { BOOTING, OFF, LEAVING, ON } interrupts;       // LEAVING: an IRET or SYSRET was the last instruction
    int32_t   from;
    uint32_t  phase, shadow, touched;    // shadow: instructions until STI has its effect
    uint64_t  length, boot;
    uint32_t *times, *touch;             // of each instruction in this stretch; which ones those are
    struct count count[PHASES];
} __attribute__((aligned(64)));

static struct processor processor[CPUS];
static uint64_t low, high, syscall_entry, stubs;
static char out[4096];
static uint32_t phase_now;               // a
static uint32_t phase_last, phase_open;  // how many there are, and what MARK_ON goes on with: of one program
static uint32_t refused;                 // a  instructions that are not understood

// ---- stretches --------------------------------------------------------------------------------------------

static void keep_longest(struct processor *p, struct count *c)
{
    struct used *site = realloc(c->site, p->touched * sizeof(*site));

    if (site == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < p->touched; i++) {
        site[i] = (struct used){p->touch[i], p->times[p->touch[i]]};
    }
    c->site = site;
    c->sites = p->touched;
    c->longest = p->length;
    c->from = p->from;
}

static void stretch_end(struct processor *p)
{
    if (p->from == FROM_BOOT) {
        p->boot = p->length;
    } else if (p->length > p->count[p->phase].longest) {
        keep_longest(p, &p->count[p->phase]);
    }
    for (uint32_t i = 0; i < p->touched; i++) {
        p->times[p->touch[i]] = 0;
    }
    p->touched = 0;
    p->length = 0;
    p->shadow = 0;
    p->interrupts = ON;
}

static void stretch_begin(struct processor *p, int32_t from)
{
    if (p->times == NULL) {
        p->times = calloc(high - low, sizeof(*p->times));
        p->touch = calloc(high - low, sizeof(*p->touch));
        if (p->times == NULL || p->touch == NULL) {
            abort();
        }
    }
    p->interrupts = OFF;
    p->from = from;
    p->phase = __atomic_load_n(&phase_now, __ATOMIC_RELAXED);
}

// What the instruction that comes says about the stretch before it.  False: interrupts are on.
static bool stretch_goes_on(struct processor *p, const struct site *s)
{
    if (s->from != FROM_NOWHERE && p->interrupts != OFF) {
        if (p->interrupts == LEAVING) {
            stretch_end(p);
        }
        stretch_begin(p, s->from);
        p->count[p->phase].entries++;
    } else if (p->interrupts == LEAVING) {
        p->interrupts = OFF;
    } else if (p->interrupts == BOOTING) {
        stretch_begin(p, FROM_BOOT);
    } else if (p->interrupts == ON && (s->is & IS_CLI)) {
        stretch_begin(p, FROM_NOWHERE);
    }
    return p->interrupts == OFF;
}

static void on_supervisor(unsigned vcpu, void *data)
{
    struct processor *p = &processor[vcpu % CPUS];
    const struct site *s = data;

    if (!stretch_goes_on(p, s)) {
        p->count[p->phase].instructions++;
        return;
    }
    struct count *c = &p->count[p->phase];
    c->instructions++;
    c->switches += (s->is & IS_SWITCH) != 0;
    c->atomics += (s->is & IS_ATOMIC) != 0;
    p->length++;
    if (p->times[s->offset]++ == 0) {
        p->touch[p->touched++] = s->offset;
    }
    if (s->is & IS_EXIT) {
        p->interrupts = LEAVING;
    } else if (s->is & IS_CLI) {
        p->shadow = 0;
    } else if ((s->is & IS_HALT) || (p->shadow > 0 && --p->shadow == 0)) {
        stretch_end(p);
    } else if (s->is & IS_STI) {
        p->shadow = 1;
    }
}

// ---- programs ---------------------------------------------------------------------------------------------

static void on_atomic(unsigned vcpu, void *data)
{
    (void)data;
    processor[vcpu % CPUS].count[__atomic_load_n(&phase_now, __ATOMIC_RELAXED)].atomics++;
}

static void on_mark(unsigned vcpu, void *data)
{
    uint32_t mark = (uint32_t)(uintptr_t)data;

    (void)vcpu;
    if (mark == MARK_NEXT) {
        phase_open = phase_last < PHASES - 1 ? ++phase_last : 0;
    } else if (mark == MARK_END) {
        phase_open = 0;
    }
    __atomic_store_n(&phase_now, mark == MARK_OFF ? 0 : phase_open, __ATOMIC_RELAXED);
}

// ---- what instructions are --------------------------------------------------------------------------------

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || (byte & 0xe7) == 0x26 || byte == 0x64 ||
           byte == 0x65 || byte == 0xf0;
}

static uint32_t understand(const uint8_t *at, size_t n)
{
    static const struct { uint8_t code; uint32_t is;
    } simple[] = {{0xcf, IS_EXIT}, {0xf4, IS_HALT}, {0xfb, IS_STI}, {0xfa, IS_CLI}, {0x9d, IS_POPF}};
    size_t i = 0;
    uint32_t is = 0;

    for (; i < n && is_prefix(at[i]); i++) {
        is |= at[i] == 0xf0 ? IS_ATOMIC : 0;
    }
    i += i < n && (at[i] & 0xf0) == 0x40;        // REX
    for (size_t k = 0; i < n && k < sizeof(simple) / sizeof(simple[0]); k++) {
        is |= at[i] == simple[k].code ? simple[k].is : 0;
    }
    if (i + 1 < n && at[i] == 0x0f && at[i + 1] == 0x07) {
        is |= IS_EXIT;
    } else if (i + 2 < n && at[i] == 0x0f && at[i + 1] == 0x22 && (at[i + 2] & 0xf8) == 0xd8) {
        is |= IS_SWITCH;
    } else if (i + 1 < n && (at[i] == 0x86 || at[i] == 0x87) && (at[i + 1] & 0xc0) != 0xc0) {
        is |= IS_ATOMIC;
    }
    return is;
}

// 0F 1F 80 and four bytes: nopl MARK(%rax).
static uint32_t mark_of(const uint8_t *at, size_t n)
{
    uint32_t mark;

    if (n != 7 || at[0] != 0x0f || at[1] != 0x1f || at[2] != 0x80) {
        return 0;
    }
    memcpy(&mark, at + 3, sizeof(mark));
    return mark >= MARK_NEXT && mark <= MARK_END ? mark : 0;
}

static int32_t way_in(uint64_t va)
{
    uint64_t vector = (va - stubs) / STUB_SIZE;

    if (va == syscall_entry) {
        return FROM_SYSCALL;
    }
    return va >= stubs && vector < STUBS && (va - stubs) % STUB_SIZE == 0 ? (int32_t)vector : FROM_NOWHERE;
}

// One for each instruction of the text, made when it is first seen: QEMU translates under a lock.
static struct site *site_of(uint64_t va, const struct qemu_plugin_insn *insn)
{
    static struct site *known;

    if (known == NULL && (known = calloc(high - low, sizeof(*known))) == NULL) {
        abort();
    }
    struct site *s = &known[va - low];
    *s = (struct site){(uint32_t)(va - low), understand(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn)),
                       way_in(va)};
    if (s->is & IS_POPF) {
        __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
    }
    return s;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *at = qemu_plugin_insn_data(insn);
        size_t n = qemu_plugin_insn_size(insn);
        uint64_t va = qemu_plugin_insn_vaddr(insn);
        uint32_t mark = mark_of(at, n);
        if (va >= low && va < high) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_supervisor, CB_NO_REGS, site_of(va, insn));
        } else if (mark != 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, CB_NO_REGS, (void *)(uintptr_t)mark);
        } else if (understand(at, n) & IS_ATOMIC) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_atomic, CB_NO_REGS, NULL);
        }
    }
}

// ---- the end ----------------------------------------------------------------------------------------------

static void write_phase(FILE *file, unsigned phase)
{
    struct count sum = {.from = FROM_NOWHERE};
    unsigned where = 0;

    for (unsigned i = 0; i < CPUS; i++) {
        const struct count *c = &processor[i].count[phase];
        sum.instructions += c->instructions;
        sum.entries += c->entries;
        sum.switches += c->switches;
        sum.atomics += c->atomics;
        where = c->longest > processor[where].count[phase].longest ? i : where;
    }
    const struct count *c = &processor[where].count[phase];
    fprintf(file, "phase %u instructions %llu entries %llu switches %llu atomics %llu ", phase,
            (unsigned long long)sum.instructions, (unsigned long long)sum.entries,
            (unsigned long long)sum.switches, (unsigned long long)sum.atomics);
    fprintf(file, "longest %llu way %d processor %u\n", (unsigned long long)c->longest, (int)c->from, where);
    for (uint32_t i = 0; i < c->sites; i++) {
        fprintf(file, "site %u 0x%llx %u\n", phase, (unsigned long long)(low + c->site[i].offset), c->site[i].times);
    }
}

static void write_counts(qemu_plugin_id_t id, void *data)
{
    FILE *file = fopen(out, "w");

    (void)id;
    (void)data;
    if (file == NULL) {
        perror(out);
        return;
    }
    for (unsigned i = 0; i < CPUS; i++) {
        if (processor[i].interrupts == LEAVING) {
            stretch_end(&processor[i]);
        }
        if (processor[i].boot != 0) {
            fprintf(file, "boot %u %llu\n", i, (unsigned long long)processor[i].boot);
        }
    }
    if (refused != 0) {
        fprintf(file, "refused %u\n", refused);
    }
    for (unsigned phase = 0; phase <= phase_last; phase++) {
        write_phase(file, phase);
    }
    fclose(file);
}

static bool take_argument(const char *text)
{
    static const struct { const char *key; uint64_t *to;
    } number[] = {{"low=", &low}, {"high=", &high}, {"syscall=", &syscall_entry}, {"stubs=", &stubs}};

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

static bool is_text(uint64_t va)
{
    return va >= low && va < high;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!take_argument(argv[i])) {
            fprintf(stderr, "ring0: not understood: %s\n", argv[i]);
            return 1;
        }
    }
    if (low >= high || high - low > MOST_TEXT || !is_text(syscall_entry) || !is_text(stubs) ||
        !is_text(stubs + STUBS * STUB_SIZE - 1) || *out == '\0') {
        fprintf(stderr, "ring0: needs low=A,high=B,syscall=A,stubs=A,out=FILE, the ways in from A up to B\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
