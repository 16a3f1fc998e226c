// fake_switch.h - from one coroutine to another: registers into one frame, and out of the other.  Here, as in
// start.S, is the first thread's stack too.
#pragma once
#include <abi/frame.h>

void fake_switch(struct frame *from, const struct frame *to);
