// supervisor.h - what the files of the supervisor offer to each other.
//
// The interfaces of all that works on an instance; instance.h brings its structures, the machine, atomic operations
// and assertions.  Not here: what only boot uses, and inline parts of short ways (..._quick.h, sched_lists.h, slice.h).
#pragma once
#include "base.h"
#include "cache.h"
#include "frame_state.h"
#include "instance.h"
#include "lost.h"
#include "mapping.h"
#include "pinned.h"
#include "place.h"
#include "pmap.h"
#include "quota.h"
#include "rights.h"
#include "sched.h"
#include "senders.h"
#include "share.h"
#include "signal.h"
#include "syscall.h"
#include "table.h"
#include "tlb.h"
#include "trap.h"
#include "upcall.h"
#include "usercopy.h"
#include "writeback.h"
