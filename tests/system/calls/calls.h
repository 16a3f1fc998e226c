// calls.h - the groups of checks.
#pragma once
#include "../harness.h"

void test_basic(void);
void test_spaces(void);
void test_threads(void);
void test_unloads(void);
void test_running(void);
void test_mappings(void);
void test_ranges(void);
void test_messages(void);
void test_handlers(void);
void test_breakpoint(void);
void test_hostile(void);
void test_locks(void);
void test_devices(void);

// A 2-MiB unit of the machine's memory that this kernel has no right to.
pa_t foreign_memory(void);
// Ids that name nothing, made from one that does or did.
extern const char *const bad_id_name[];
enum { BAD_IDS = 5 };
oid_t bad_id(unsigned which, oid_t good);
// Pointers that no call may follow.
enum { BAD_POINTERS = 6 };
extern const uint64_t bad_pointer[BAD_POINTERS];
