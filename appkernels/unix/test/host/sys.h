// sys.h - the calls of the supervisor that the emulator makes, as functions of machine.c.
#pragma once
#include <abi/boot.h>
#include <abi/errors.h>
#include <abi/object.h>
#include <abi/types.h>

err_t sys_space_load(const struct space_desc *desc, oid_t *id);
err_t sys_space_unload(oid_t space);
err_t sys_mapping_load(oid_t space, va_t va, pa_t pa, uint64_t flags);
err_t sys_mapping_load_batch(oid_t space, const struct map_entry *array, uint64_t count, uint64_t *loaded);
err_t sys_mapping_unload(oid_t space, va_t va, uint64_t length, uint64_t *unloaded);
err_t sys_mapping_protect(oid_t space, va_t va, uint64_t length, uint64_t access, uint64_t *modified);
err_t sys_yield(void);
