// points.h - included before everything else in these tests: another thread may run at every atomic access,
// and the clock is the simulated one.
//
// A macro is not expanded inside itself: so the names stay those of the compiler's functions.  What is not
// atomic happens together with the atomic access before it; a store is followed by a point too, so that what
// comes too late behind a release is seen.
#pragma once
#include "appkernel.h"

void fake_point(void);
uint64_t fake_now(void);

#define __atomic_store_n(...) (fake_point(), __atomic_store_n(__VA_ARGS__), fake_point())
#define __atomic_load_n(...) (fake_point(), __atomic_load_n(__VA_ARGS__))
#define __atomic_exchange_n(...) (fake_point(), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) (fake_point(), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) (fake_point(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_sub_fetch(...) (fake_point(), __atomic_sub_fetch(__VA_ARGS__))
#define ak_now() fake_now()
