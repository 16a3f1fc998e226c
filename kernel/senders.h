// senders.h - multi-mapping consistency: when a receiver's mapping of a message page goes, no sender's mapping stays.
//
// A sender is a mapping in message mode that can be written, or that is remote and may be writable again without the
// page being loaded anew.  As long as a mapping with a receiver is there, one may signal through the senders;
// so the receiver's goes last, in the step that finds no sender any more.  A page has some hundred of them, so that
// may take more than one step.  Between two steps the receiver is whole; it is marked `leaving`, and whoever loads a
// sender carries its unload on first.  So it ends, whether or not the call that began it is made again.
// A sender that has a receiver itself loses only its right to write: it may not go before others that send to it.
//
// What this gives to a kernel: if the handler of a fault loads its program's right to send first, and then the
// receivers that are missing, a signal finds all receivers or is a fault again.  The other way round a receiver may go
// in between; then the signal says how many it found.  kernel/model/senders.pml.
//
//   record: whole -> leaving (senders are left) -> gone
//   leaving -> whole: its signals are sent to another thread, which is a load
//
// Locking: the instance lock.  Cache Kernel, 2.2 and 4.2.
#pragma once
#include "names.h"

static inline bool senders_are(uint64_t access)
{
    return (access & MAP_MESSAGE) && (access & (MAP_WRITE | MAP_REMOTE));
}
// A mapping is about to go.  True: it may, in this step.  False: it has a receiver, and senders are left.
bool senders_flush(struct cpu *cpu, struct record *r);
// A sender of this frame is about to be loaded.  True: no receiver is leaving.  False: the step ended before all had.
bool senders_admit(struct cpu *cpu, uint64_t pfn);
