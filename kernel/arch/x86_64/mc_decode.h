// mc_decode.h - what a bank of machine-check registers says.  No hardware is touched: tried on the host.
#pragma once
#include <abi/types.h>

#define MCG_CAP_BANKS      0xffull
#define MCG_CAP_CTL        (1ull << 8)         // there is MCG_CTL
#define MCG_CAP_RECOVER    (1ull << 24)        // banks say whether the supervisor can recover

#define MCG_STATUS_RIPV    (1ull << 0)         // what was interrupted can be gone on with
#define MCG_STATUS_EIPV    (1ull << 1)         // it is what used the memory
#define MCG_STATUS_MCIP    (1ull << 2)         // another check now would end the processor

#define MC_STATUS_VALID    (1ull << 63)
#define MC_STATUS_OVER     (1ull << 62)        // another error was overwritten
#define MC_STATUS_UC       (1ull << 61)        // not corrected
#define MC_STATUS_ENABLED  (1ull << 60)
#define MC_STATUS_MISCV    (1ull << 59)
#define MC_STATUS_ADDRV    (1ull << 58)
#define MC_STATUS_PCC      (1ull << 57)        // the processor's state is corrupt
#define MC_STATUS_S        (1ull << 56)        // it is the reason for a machine check
#define MC_STATUS_AR       (1ull << 55)        // something used the memory: action is required

enum mc_kind { MC_NOTHING, MC_MEMORY, MC_FATAL };

struct mc_error {
    enum mc_kind kind;
    pa_t         pa;                           // MC_MEMORY: of the page
    bool         here;                         // MC_MEMORY: what was interrupted used it
    const char  *why;                          // MC_FATAL
};

struct mc_bank {
    uint64_t status, addr, misc;               // addr and misc are 0 if the status does not have them
};

// cap, global: MCG_CAP and MCG_STATUS.
struct mc_error mc_decode(uint64_t cap, uint64_t global, const struct mc_bank *b);
