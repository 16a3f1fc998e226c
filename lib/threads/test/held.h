// held.h - the operations (operations.h) as a program on the host, while another processor takes locks of the
// library.
#pragma once
#include "host.h"

// Before threads_begin: memory that may be gone, and the other processor, which is a thread of the host's.
void held_begin(struct threads_setup *setup);
// Nobody is to be stopped now: an operation prepares.
extern volatile uint32_t held_quiet;
// The first thread: `rounds` is how many.  It sets host.finished.
void *held_first(void *rounds);
