// mc_decode.c - machine-check status.  See mc_decode.h; Intel SDM volume 3, 15.3 and 15.6.
#include "mc_decode.h"

enum { MODE_SHIFT = 6, MODE_MASK = 7, MODE_PHYSICAL = 2, LSB_MASK = 63 };

static struct mc_error fatal(const char *why)
{
    return (struct mc_error){.kind = MC_FATAL, .why = why};
}

// Does it tell the physical address, as exactly as a page at least?
static bool has_page(const struct mc_bank *b)
{
    const uint64_t need = MC_STATUS_ADDRV | MC_STATUS_MISCV;

    return (b->status & need) == need && (b->misc >> MODE_SHIFT & MODE_MASK) == MODE_PHYSICAL &&
           (b->misc & LSB_MASK) <= ABI_PAGE_SHIFT;
}

struct mc_error mc_decode(uint64_t cap, uint64_t global, const struct mc_bank *b)
{
    const uint64_t error = MC_STATUS_VALID | MC_STATUS_UC | MC_STATUS_ENABLED;

    if ((b->status & error) != error) {
        return (struct mc_error){.kind = MC_NOTHING};
    }
    if (b->status & MC_STATUS_PCC) {
        return fatal("the processor's state is corrupt");
    }
    if (!(cap & MCG_CAP_RECOVER)) {
        return fatal("the processor cannot tell what is left");
    }
    if (b->status & MC_STATUS_OVER) {
        return fatal("another error was overwritten");
    }
    if (!has_page(b)) {
        return b->status & MC_STATUS_S ? fatal("it has no address") : (struct mc_error){.kind = MC_NOTHING};
    }
    bool this_thread = (global & MCG_STATUS_EIPV) || !(global & MCG_STATUS_RIPV);
    return (struct mc_error){.kind = MC_MEMORY, .pa = b->addr & ~(pa_t)(ABI_PAGE - 1),
                             .here = (b->status & MC_STATUS_AR) && this_thread};
}
