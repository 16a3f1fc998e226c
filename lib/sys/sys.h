// sys.h - the calls of the supervisor as C functions, one for each line of abi/syscalls.def.
//
// A call that gives a value takes a pointer for it last; the value is only meaningful if the call says so in
// syscalls.def, and is then stored whatever the error (a batch that stopped early says how far it came).
// Calls that are carried on in steps find their progress in R8 and R9, which are 0 at their beginning.
// sys_resume and sys_mapping_load_and_resume come back only with an error.
#pragma once
#include <abi/boot.h>
#include <abi/errors.h>
#include <abi/object.h>
#include <abi/syscalls.h>
#include <abi/types.h>

static inline err_t sys_enter(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t *value)
{
    uint64_t e = number;

    __asm__ volatile("syscall" : "+a"(e), "+d"(c) : "D"(a), "S"(b) : "rcx", "r11", "memory");
    *value = c;
    return (err_t)e;
}

static inline err_t sys_enter4(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                               uint64_t *value)
{
    register uint64_t r10 __asm__("r10") = d;
    uint64_t e = number;

    __asm__ volatile("syscall" : "+a"(e), "+d"(c) : "D"(a), "S"(b), "r"(r10) : "rcx", "r11", "memory");
    *value = c;
    return (err_t)e;
}

// For the calls that keep their progress in R8 and R9.
static inline err_t sys_enter_steps(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                    uint64_t *value)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r9 __asm__("r9") = 0;
    uint64_t e = number;

    __asm__ volatile("syscall" : "+a"(e), "+d"(c), "+r"(r8), "+r"(r9) : "D"(a), "S"(b), "r"(r10)
                     : "rcx", "r11", "memory");
    *value = c;
    return (err_t)e;
}

// ---- kernels: the first kernel only -----------------------------------------------------------------------

static inline err_t sys_kernel_load(const struct kernel_desc *desc, oid_t *id)
{
    return sys_enter(SYS_kernel_load, (uintptr_t)desc, 0, 0, id);
}
static inline err_t sys_kernel_unload(oid_t kernel)
{
    uint64_t none;
    return sys_enter_steps(SYS_kernel_unload, kernel, 0, 0, 0, &none);
}
static inline err_t sys_kernel_grant(oid_t kernel, uint64_t group, uint64_t count, uint32_t access)
{
    uint64_t none;
    return sys_enter_steps(SYS_kernel_grant, kernel, group, count, access, &none);
}
static inline err_t sys_kernel_share(oid_t kernel, cpu_t cpu, uint32_t percent)
{
    uint64_t none;
    return sys_enter(SYS_kernel_share, kernel, cpu, percent, &none);
}
static inline err_t sys_kernel_limits(oid_t kernel, const struct kernel_limits *limits)
{
    uint64_t none;
    return sys_enter(SYS_kernel_limits, kernel, (uintptr_t)limits, 0, &none);
}
static inline err_t sys_power_off(uint32_t status)
{
    uint64_t none;
    return sys_enter(SYS_power_off, status, 0, 0, &none);
}

// ---- spaces and threads -----------------------------------------------------------------------------------

static inline err_t sys_space_load(const struct space_desc *desc, oid_t *id)
{
    return sys_enter(SYS_space_load, (uintptr_t)desc, 0, 0, id);
}
static inline err_t sys_space_unload(oid_t space)
{
    uint64_t none;
    return sys_enter_steps(SYS_space_unload, space, 0, 0, 0, &none);
}
static inline err_t sys_thread_load(const struct thread_desc *desc, oid_t *id)
{
    return sys_enter(SYS_thread_load, (uintptr_t)desc, 0, 0, id);
}
static inline err_t sys_thread_unload(oid_t thread, uint64_t value)
{
    uint64_t none;
    return sys_enter_steps(SYS_thread_unload, thread, value, 0, 0, &none);
}
static inline err_t sys_thread_priority(oid_t thread, uint32_t priority)
{
    uint64_t none;
    return sys_enter(SYS_thread_priority, thread, priority, 0, &none);
}

// ---- processors (abi/activation.h) -------------------------------------------------------------------------

// Program code only, in a space of activations.
static inline err_t sys_processors(uint64_t *held)
{
    return sys_enter(SYS_processors, 0, 0, 0, held);
}
// Comes back only with an error.
static inline err_t sys_processor_release(void)
{
    uint64_t none;
    return sys_enter(SYS_processor_release, 0, 0, 0, &none);
}
// For a handler at depth 1; comes back only with an error.
static inline err_t sys_upcall(oid_t space, uint32_t kind, uint64_t value)
{
    uint64_t none;
    return sys_enter(SYS_upcall, space, kind, value, &none);
}

// ---- mappings ---------------------------------------------------------------------------------------------

static inline err_t sys_mapping_load(oid_t space, va_t va, pa_t pa, uint64_t flags)
{
    uint64_t none;
    return sys_enter4(SYS_mapping_load, space, va, pa, flags, &none);
}
// A mapping of a message page whose signals go to a thread.
static inline err_t sys_mapping_load_signal(oid_t space, va_t va, pa_t pa, uint64_t flags, oid_t receiver)
{
    register uint64_t r10 __asm__("r10") = flags | MAP_MESSAGE | MAP_SIGNAL;
    register uint64_t r8 __asm__("r8") = receiver;
    uint64_t e = SYS_mapping_load, c = pa;

    __asm__ volatile("syscall" : "+a"(e), "+d"(c) : "D"(space), "S"(va), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return (err_t)e;
}
// A deferred copy: the page reads as the frame `source` does, until the first write copies that to pa.
static inline err_t sys_mapping_load_copy(oid_t space, va_t va, pa_t pa, uint64_t flags, pa_t source)
{
    register uint64_t r10 __asm__("r10") = flags | MAP_WRITE | MAP_COPY;
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r9 __asm__("r9") = source;
    uint64_t e = SYS_mapping_load, c = pa;

    __asm__ volatile("syscall" : "+a"(e), "+d"(c) : "D"(space), "S"(va), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return (err_t)e;
}
static inline err_t sys_mapping_load_batch(oid_t space, const struct map_entry *array, uint64_t count,
                                           uint64_t *loaded)
{
    return sys_enter_steps(SYS_mapping_load_batch, space, (uintptr_t)array, count, 0, loaded);
}
static inline err_t sys_mapping_load_and_resume(oid_t space, va_t va, pa_t pa, uint64_t flags)
{
    uint64_t none;
    return sys_enter4(SYS_mapping_load_and_resume, space, va, pa, flags, &none);
}
static inline err_t sys_mapping_unload(oid_t space, va_t va, uint64_t length, uint64_t *unloaded)
{
    return sys_enter_steps(SYS_mapping_unload, space, va, length, 0, unloaded);
}
static inline err_t sys_mapping_protect(oid_t space, va_t va, uint64_t length, uint64_t access,
                                        uint64_t *modified)
{
    return sys_enter_steps(SYS_mapping_protect, space, va, length, access, modified);
}

// ---- running ----------------------------------------------------------------------------------------------

static inline err_t sys_resume(oid_t space)
{
    uint64_t none;
    return sys_enter(SYS_resume, space, 0, 0, &none);
}
static inline err_t sys_signal(oid_t thread)
{
    uint64_t none;
    return sys_enter(SYS_signal, thread, 0, 0, &none);
}
static inline err_t sys_wait(uint64_t deadline)
{
    uint64_t none;
    return sys_enter(SYS_wait, deadline, 0, 0, &none);
}
// The same; *va is the address of the signal that it took, or 0.
static inline err_t sys_wait_signal(uint64_t deadline, va_t *va)
{
    return sys_enter(SYS_wait, deadline, 0, 0, va);
}
static inline err_t sys_signal_at(va_t va, uint64_t *receivers)
{
    return sys_enter(SYS_signal_at, va, 0, 0, receivers);
}
// Both in one: *va is the address of the signal that ended the wait, or 0.
static inline err_t sys_signal_wait(va_t to, uint64_t deadline, va_t *va)
{
    return sys_enter(SYS_signal_wait, to, deadline, 0, va);
}
// Comes back only with an error: no signal function runs.
static inline err_t sys_signal_return(void)
{
    uint64_t none;
    return sys_enter(SYS_signal_return, 0, 0, 0, &none);
}
static inline err_t sys_yield(void)
{
    uint64_t none;
    return sys_enter(SYS_yield, 0, 0, 0, &none);
}
static inline err_t sys_listen(oid_t thread)
{
    uint64_t none;
    return sys_enter(SYS_listen, thread, 0, 0, &none);
}

// ---- questions --------------------------------------------------------------------------------------------

// *pinned becomes 1 if the object, and all it depends on, is locked.  va: of a mapping, whose space id is then.
static inline err_t sys_pinned(enum object_type type, oid_t id, va_t va, uint64_t *pinned)
{
    return sys_enter(SYS_pinned, type, id, va, pinned);
}
