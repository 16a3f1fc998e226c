// test_tlb.c - the TLB's model, driven by a play of the emulator: what it counts, and when.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

enum { LOW = 0x10000, HIGH = 0x20000, MARK = 0x5000 };

typedef void (*vcpu_fn)(unsigned vcpu, void *data);
typedef void (*memory_fn)(unsigned vcpu, uint32_t info, uint64_t va, void *data);

struct qemu_plugin_tb;
struct qemu_plugin_insn {
    uint64_t  va;
    uint8_t   bytes[8];
    size_t    size;
    vcpu_fn   executed;                  // what the plug-in asked for
    memory_fn accessed;
};

// The plug-in's side of the interface, and QEMU's, played here.
int    qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);
void   qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*fn)(uint64_t id, struct qemu_plugin_tb *tb));
void   qemu_plugin_register_atexit_cb(uint64_t id, void (*fn)(uint64_t id, void *data), void *data);
void   qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *i, vcpu_fn fn, int flags, void *data);
void   qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *i, memory_fn fn, int flags, int access,
                                        void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *i);
size_t   qemu_plugin_insn_size(const struct qemu_plugin_insn *i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *i);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool     qemu_plugin_mem_is_store(uint32_t info);

static void (*translated)(uint64_t id, struct qemu_plugin_tb *tb);
static void (*ended)(uint64_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*fn)(uint64_t id, struct qemu_plugin_tb *tb))
{
    (void)id;
    translated = fn;
}

void qemu_plugin_register_atexit_cb(uint64_t id, void (*fn)(uint64_t id, void *data), void *data)
{
    (void)id;
    (void)data;
    ended = fn;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *i, vcpu_fn fn, int flags, void *data)
{
    (void)flags;
    (void)data;
    i->executed = fn;
}

void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *i, memory_fn fn, int flags, int access, void *data)
{
    (void)flags;
    (void)data;
    assert_int_equal(access, 3);
    i->accessed = fn;
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

const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *i)
{
    return i->bytes;
}

size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *i)
{
    return i->size;
}

uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *i)
{
    return i->va;
}

unsigned qemu_plugin_mem_size_shift(uint32_t info)
{
    return info & 15;
}

bool qemu_plugin_mem_is_store(uint32_t info)
{
    return info & 16;
}

// ---- a machine with one kind of instruction ---------------------------------------------------------------

enum { LOAD = 3, STORE = 16 + 3 };       // of eight bytes

static char out[64];

static void install(const char *geometry)
{
    char text[6][96], *argv[6], ways[16] = "";
    unsigned entries = 0, n = 0;

    assert_int_equal(sscanf(geometry, "%u,%15s", &entries, ways), 2);
    snprintf(out, sizeof(out), "/tmp/test_tlb.%d", (int)getpid());
    snprintf(text[0], sizeof(text[0]), "low=0x%x", LOW);
    snprintf(text[1], sizeof(text[1]), "high=%d", HIGH);
    snprintf(text[2], sizeof(text[2]), "mark=%d", MARK);
    snprintf(text[3], sizeof(text[3]), "size=%u", entries);
    snprintf(text[4], sizeof(text[4]), "ways=%s", ways);
    snprintf(text[5], sizeof(text[5]), "out=%s", out);
    for (; n < 6; n++) {
        argv[n] = text[n];
    }
    assert_int_equal(qemu_plugin_install(1, NULL, 6, argv), 0);
}

static struct qemu_plugin_insn translate(uint64_t va, const char *bytes, size_t size)
{
    struct qemu_plugin_insn i = {.va = va, .size = size};

    memcpy(i.bytes, bytes, size);
    translated(1, (struct qemu_plugin_tb *)&i);
    return i;
}

static void access_to(unsigned vcpu, uint32_t info, uint64_t va)
{
    struct qemu_plugin_insn i = translate(LOW, "\x90", 1);

    i.executed(vcpu, NULL);
    i.accessed(vcpu, info, va, NULL);
}

struct counts {
    unsigned long instructions, accesses, misses, flushes;
};

static struct counts counts(void)
{
    struct counts c;

    ended(1, NULL);
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "tlb instructions %lu tlb accesses %lu tlb misses %lu tlb flushes %lu",
                            &c.instructions, &c.accesses, &c.misses, &c.flushes), 4);
    fclose(file);
    unlink(out);
    return c;
}

// The plug-in lives once: what is counted adds up from test to test.
static struct counts since(struct counts *before)
{
    struct counts c = counts(), d = {c.instructions - before->instructions, c.accesses - before->accesses,
                                     c.misses - before->misses, c.flushes - before->flushes};
    *before = c;
    return d;
}

static void the_model(void **state)
{
    struct counts all = {0};
    struct qemu_plugin_insn other = translate(HIGH, "\x90", 1), cr3 = translate(HIGH + 9, "\x0f\x22\xd8", 3);
    struct qemu_plugin_insn cr3_rex = translate(0, "\x41\x0f\x22\xdf", 4), cr4 = translate(0, "\x0f\x22\xe0", 3);

    (void)state;
    assert_true(other.executed == NULL && other.accessed == NULL && cr4.executed == NULL);
    assert_true(cr3.executed != NULL && cr3_rex.executed == cr3.executed && cr3.accessed == NULL);
    access_to(0, LOAD, 0x8000);                          // not armed
    access_to(0, LOAD, MARK);                            // a load arms nothing
    assert_int_equal(since(&all).accesses, 0);
    access_to(0, STORE, MARK);
    for (unsigned round = 0; round < 3; round++) {       // two sets of two ways: four pages fit
        for (uint64_t page = 8; page < 12; page++) {
            access_to(0, LOAD, page << 12);
        }
    }
    struct counts d = since(&all);
    assert_true(d.instructions == 12 && d.accesses == 12 && d.misses == 4 && d.flushes == 0);
    access_to(0, STORE, 12 << 12);                       // replaces page 8, the least recently used of its set
    access_to(0, LOAD, 10 << 12);
    access_to(0, LOAD, 8 << 12);
    access_to(0, LOAD, 9 << 12);
    assert_int_equal(since(&all).misses, 2);
    access_to(0, LOAD, (9 << 12) - 4);                   // two pages, both there
    access_to(0, LOAD, (20 << 12) - 4);                  // neither
    assert_int_equal(since(&all).misses, 2);
    access_to(1, LOAD, 8 << 12);                         // another processor
    assert_int_equal(since(&all).misses, 1);
    cr3.executed(0, NULL);
    access_to(0, LOAD, 8 << 12);
    access_to(1, LOAD, 8 << 12);
    d = since(&all);
    assert_true(d.misses == 1 && d.flushes == 1 && d.accesses == 2);
    access_to(0, STORE, MARK + 8);
    access_to(0, LOAD, 99 << 12);
    d = since(&all);
    assert_true(d.accesses == 0 && d.instructions == 1); // the one that disarmed it
}

static void bad_arguments(void **state)
{
    static char *const wrong[][3] = {
        {"what=1", "", ""}, {"low=", "", ""},         {"low=5x", "", ""},
        {"ways=3", "", ""}, {"size=0", "ways=1", ""}, {"low=9", "high=9", ""},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *argv[7] = {"low=1", "high=2", "mark=8", "size=64", "ways=4", "out=/dev/null"};
        for (unsigned k = 0; k < 3 && *wrong[i][k] != '\0'; k++) {
            argv[k == 0 ? 6 : 5] = wrong[i][k];
        }
        assert_int_not_equal(qemu_plugin_install(1, NULL, 7, argv), 0);
    }
}

static int start(void **state)
{
    (void)state;
    install("4,2");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_model, start),
        cmocka_unit_test(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
