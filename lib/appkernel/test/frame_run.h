// frame_run.h - what the tests of frames and of small objects share: memory in ranges, and bytes that tell who owns it.
#pragma once
#include "appkernel_impl.h"
#include "fake.h"

pa_t    frame_of(unsigned index);                    // of the fake memory
uint8_t mark(unsigned index);                        // the byte that fills it
void    check_filled(const uint8_t *p, size_t size, uint8_t byte);
// Run fn as the kernel's ak_main, which gives 42.
int     frame_run(struct fake_setup *s, void (*fn)(void));
// In some ranges with gaps between them, the first one partly used by the starter.  Was `expected` the result?
bool    frame_run_body(uint64_t seed, void (*fn)(void), int expected);
