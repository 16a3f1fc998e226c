// mapping_room.h - records for one more mapping.
//
// They are a cache with a clock.  A step looks at some hundreds of records at most, and the hand stays where it
// stopped: a load that found nothing goes on from there when its call is executed again.
// Locking: the instance lock.
#pragma once
#include "names.h"

// ERR_OK when `count` records of a pool are free for k.  ERR_RESTART: execute the call again.
err_t mapping_room_records(struct cpu *cpu, const struct appkernel *k, bool locked, uint32_t count);
