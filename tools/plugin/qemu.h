// qemu.h - QEMU's plug-in interface, version 1: the few declarations that the plug-ins here need.
//
// Debian packages no header.  Callbacks run in the emulator's threads, one for each processor or one for all.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;                        // not looked at

enum { CB_NO_REGS = 0 };                 // what a callback may touch: nothing
enum { MEM_READ_WRITE = 3 };

typedef void (*vcpu_fn)(unsigned vcpu, void *data);
typedef void (*memory_fn)(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *data);

void   qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                             void (*fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void   qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*fn)(qemu_plugin_id_t id, void *data),
                                      void *data);
void   qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, vcpu_fn fn, int flags,
                                              void *data);
void   qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, memory_fn fn, int flags, int access,
                                        void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t   qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool     qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);

// What QEMU looks for in the plug-in, which defines both; the version is 1.
__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);
