// sys.h - stands in for lib/sys/sys.h on the host: the calls that the library makes, as fake.c answers them.
#pragma once
#include <abi/boot.h>
#include <abi/errors.h>
#include <abi/object.h>
#include <abi/syscalls.h>
#include <abi/types.h>

err_t sys_thread_load(const struct thread_desc *desc, oid_t *id);
err_t sys_thread_priority(oid_t thread, uint32_t priority);
err_t sys_thread_unload(oid_t thread, uint64_t value);
err_t sys_mapping_load_and_resume(oid_t space, va_t va, pa_t pa, uint64_t flags);
err_t sys_resume(oid_t space);
err_t sys_signal(oid_t thread);
err_t sys_wait(uint64_t deadline);
static inline err_t sys_wait_signal(uint64_t deadline, va_t *va)
{
    *va = 0;
    return sys_wait(deadline);
}
err_t sys_listen(oid_t thread);
