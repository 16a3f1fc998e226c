// appkernel_impl.h - what the library keeps to itself.
#pragma once
#include "appkernel.h"

extern const char ak_stack_bottom[], ak_xstack_top[];   // of the first thread: its stack and, above, its handlers'
_Noreturn void ak_start(const struct kernel_info *info);
void ak_frames_init(void);
void ak_queue(struct ak_thread *t);              // have the service thread look at t
void ak_thread_bury(struct ak_thread *t);
void ak_thread_apply(struct ak_thread *t);       // see to it that the supervisor knows that, if t is loaded

static inline uint32_t exchange32(uint32_t *p, uint32_t value)
{
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);
}
static inline uint32_t load32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void relax(void)
{
    __asm__ volatile("pause");
}
