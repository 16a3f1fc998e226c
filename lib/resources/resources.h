// resources.h - memory that an application kernel gets from srm while it runs, and gives back.
//
// A thread of the library calls srm's service (lib/interface/srm.interface).  When fewer frames than `low` are free it
// asks for more, which joins the kernel's frames (lib/appkernel); when a grant is wholly unused and enough is free
// without it, it is given back.  The kernel's fault handler asks com_fault() about faults of its own code.
//
// Locking: none of its own; everything here may be called by any thread but the service thread.
// Cache Kernel, 3: the SRM allocates memory in large units, and application kernels call it.
#pragma once
#include <appkernel.h>

// Begin, before ak_service(): keep at least `low` frames free, as far as the policy allows.  False: the starter offers
// nothing, or no more memory than there is, or there is no memory for the thread; nothing was begun.
bool resources_begin(uint64_t low);

// A frame like ak_frame_alloc(), after asking for more when memory runs low.  When there is none it waits while more
// may still come: not longer than the service takes to answer, a second at most.  0: there is none, and none to be had.
pa_t resources_frame(void);
