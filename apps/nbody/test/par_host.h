// par_host.h - what the host's thread package tells its tests.
#pragma once

extern unsigned host_blocks, host_forks;         // how often par_block and par_fork were called
void host_free(void);                            // all that par_memory gave
