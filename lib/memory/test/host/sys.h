// sys.h - the calls of the supervisor that the library makes, as functions of world.c.
#pragma once
#include <abi/errors.h>
#include <abi/object.h>
#include <abi/types.h>

err_t sys_space_unload(oid_t space);
err_t sys_mapping_load_batch(oid_t space, const struct map_entry *array, uint64_t count, uint64_t *loaded);
err_t sys_mapping_unload(oid_t space, va_t va, uint64_t length, uint64_t *unloaded);
err_t sys_mapping_protect(oid_t space, va_t va, uint64_t length, uint64_t access, uint64_t *modified);
