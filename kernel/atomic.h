// atomic.h - the few atomic operations the supervisor needs; the order is in the name.
#pragma once

#define load_relaxed(p)       __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p)       __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v)   __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v)   __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define exchange_acq_rel(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#define fetch_and_acq_rel(p, v) __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL)
#define fence_full()          __atomic_thread_fence(__ATOMIC_SEQ_CST)
