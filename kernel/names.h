// names.h - what the headers of the supervisor name: errors, ids, addresses, and its structures.
//
// Where a structure is only pointed to, its name is enough; so no header brings more than it is about.
#pragma once
#include <abi/errors.h>
#include <abi/object.h>
#include <abi/types.h>

struct appkernel;
struct boot_info;
struct cpu;
struct instance;
struct leaf;
struct object;
struct record;
struct share;
struct space;
struct table;
struct thread;
struct tlb_batch;
