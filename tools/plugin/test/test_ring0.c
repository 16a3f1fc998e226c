// test_ring0.c - stretches with interrupts off and phases, driven by a play of the emulator.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "marks.h"
#include "qemu.h"

struct qemu_plugin_insn {
    uint64_t va;
    uint8_t  bytes[8];
    size_t   size;
    vcpu_fn  executed;                   // what the plug-in asked for
    void    *data;
};

static void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
static void (*ended)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb))
{
    (void)id;
    translated = fn;
}

void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*fn)(qemu_plugin_id_t id, void *data), void *data)
{
    (void)id;
    (void)data;
    ended = fn;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, vcpu_fn fn, int flags, void *data)
{
    (void)flags;
    insn->executed = fn;
    insn->data = data;
}

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb)
{
    (void)tb;
    return 1;
}

struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index)
{
    assert_int_equal(index, 0);
    return (struct qemu_plugin_insn *)tb;
}

const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn)
{
    return insn->bytes;
}

size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn)
{
    return insn->size;
}

uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn)
{
    return insn->va;
}

// ---- a machine that executes what it is told --------------------------------------------------------------

enum { SYSCALL = 0x100, STUBS = 0x1000, TIMER = 0x20, PAGE_FAULT = 14, PLAIN = 0x200, OTHER = 0x210, USER = -1 };

static const uint64_t base = 0xffffffff80200000;
static char out[64], text[8192];

static void run(unsigned vcpu, int offset, const char *bytes, size_t size)
{
    struct qemu_plugin_insn i = {.va = offset == USER ? 0x400000 : base + (uint64_t)offset, .size = size};

    memcpy(i.bytes, bytes, size);
    translated(1, (struct qemu_plugin_tb *)&i);
    if (i.executed != NULL) {
        i.executed(vcpu, i.data);
    }
}

#define RUN(vcpu, offset, bytes) run((vcpu), (offset), (bytes), sizeof(bytes) - 1)
#define SYSRET "\x48\x0f\x07"
#define IRET   "\x48\xcf"
#define NOP    "\x90"
#define LOCKED "\xf0\x48\x0f\xb1\x0a"
#define XCHG   "\x87\x02"
#define TO_CR3 "\x0f\x22\xd8"

static void plain(unsigned vcpu, unsigned times)
{
    while (times-- > 0) {
        RUN(vcpu, PLAIN, NOP);
    }
}

static void enter(unsigned vcpu, int vector)
{
    RUN(vcpu, vector < 0 ? SYSCALL : STUBS + 16 * vector, NOP);
}

static void mark(uint32_t number)
{
    char nop[7] = {0x0f, 0x1f, (char)0x80};

    memcpy(nop + 3, &number, sizeof(number));
    run(0, USER, nop, sizeof(nop));
}

static void expect(const char *line)
{
    ended(1, NULL);
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(out);
    if (strstr(text, line) == NULL) {
        fail_msg("no line '%s' in:\n%s", line, text);
    }
}

static int start(void **state)
{
    char arg[5][96], *argv[5];

    (void)state;
    snprintf(out, sizeof(out), "/tmp/test_ring0.%d", (int)getpid());
    snprintf(arg[0], sizeof(arg[0]), "low=%lu", (unsigned long)base);
    snprintf(arg[1], sizeof(arg[1]), "high=%lu", (unsigned long)base + 0x3000);
    snprintf(arg[2], sizeof(arg[2]), "syscall=%lu", (unsigned long)base + SYSCALL);
    snprintf(arg[3], sizeof(arg[3]), "stubs=0x%lx", (unsigned long)base + STUBS);
    snprintf(arg[4], sizeof(arg[4]), "out=%s", out);
    for (unsigned i = 0; i < 5; i++) {
        argv[i] = arg[i];
    }
    return qemu_plugin_install(1, NULL, 5, argv);
}

// The plug-in lives once: each test has a phase of its own, in this order.
static void boot(void **state)
{
    (void)state;
    plain(0, 5);
    RUN(0, PLAIN, SYSRET);
    plain(3, 2);                         // another processor: halts when it is up
    RUN(3, PLAIN, "\xfb");
    RUN(3, PLAIN, "\xf4");
    enter(0, -1);
    expect("boot 0 6\nboot 3 4\nphase 0 instructions 11 entries 1 ");
    expect("longest 0 way 0 processor 0\n");
    RUN(0, PLAIN, SYSRET);
}

static void trap(void **state)
{
    (void)state;
    mark(MARK_NEXT);
    enter(0, -1);
    plain(0, 2);
    RUN(0, OTHER, LOCKED);
    RUN(0, OTHER, TO_CR3);
    RUN(0, PLAIN, SYSRET);
    RUN(0, USER, XCHG);
    RUN(0, USER, LOCKED);
    RUN(0, USER, "\x87\xd1");            // registers only
    enter(0, PAGE_FAULT);
    plain(0, 1);
    RUN(0, PLAIN, IRET);
    mark(MARK_OFF);
    enter(0, -1);                        // of phase 0
    plain(0, 10);
    RUN(0, PLAIN, SYSRET);
    RUN(0, USER, LOCKED);
    expect("phase 1 instructions 9 entries 2 switches 1 atomics 3 longest 6 way -1 processor 0\n");
    expect("site 1 0xffffffff80200100 1\nsite 1 0xffffffff80200200 3\nsite 1 0xffffffff80200210 2\n");
    expect("phase 0 instructions 24 entries 2 switches 0 atomics 1 longest 12 way -1 processor 0\n");
    mark(MARK_ON);
    enter(2, TIMER);
    plain(2, 6);
    RUN(2, PLAIN, IRET);
    mark(MARK_END);
    mark(MARK_ON);                       // nothing goes on any more
    enter(0, TIMER);
    RUN(0, PLAIN, IRET);
    expect("phase 1 instructions 17 entries 3 switches 1 atomics 3 longest 8 way 32 processor 2\n");
}

// The supervisor's own faults, and its returns to itself, end nothing.
static void inside(void **state)
{
    (void)state;
    mark(MARK_NEXT);
    enter(0, -1);
    plain(0, 3);
    enter(0, PAGE_FAULT);
    plain(0, 4);
    RUN(0, PLAIN, IRET);
    plain(0, 2);
    RUN(0, PLAIN, SYSRET);
    mark(MARK_OFF);
    expect("phase 2 instructions 13 entries 1 switches 0 atomics 0 longest 13 way -1 processor 0\n");
}

static void enabled(void **state)
{
    (void)state;
    mark(MARK_NEXT);
    enter(0, TIMER);
    plain(0, 3);
    RUN(0, PLAIN, "\xfb");               // STI, and the instruction after it
    plain(0, 1);
    plain(0, 20);                        // interrupts are on
    RUN(0, PLAIN, "\xfa");
    plain(0, 1);
    RUN(0, PLAIN, "\xfb");
    RUN(0, PLAIN, "\xfa");               // in time
    plain(0, 3);
    RUN(0, PLAIN, IRET);
    mark(MARK_OFF);
    expect("phase 3 instructions 34 entries 1 switches 0 atomics 0 longest 8 way -2 processor 0\n");
}

static void refused(void **state)
{
    (void)state;
    RUN(0, USER, "\x9d");
    expect("boot 3 4\nphase 0");
    RUN(1, PLAIN, "\x9d");
    expect("refused 1\n");
}

static void bad_arguments(void **state)
{
    static char *const wrong[] = {"what=1", "low=", "low=5x", "high=0", "syscall=0", "stubs=0x2001", "out="};

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *argv[6] = {"low=0x1000", "high=0x3000", "syscall=0x1100", "stubs=0x2000", "out=/dev/null", wrong[i]};
        assert_int_not_equal(qemu_plugin_install(1, NULL, 6, argv), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(boot, start), cmocka_unit_test(trap),    cmocka_unit_test(inside),
        cmocka_unit_test(enabled),           cmocka_unit_test(refused), cmocka_unit_test(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
