// memory.c - memory for musl's malloc: runs of frames, where the window shows them.
//
// The window is mapped readable and writable, locked, for good.  So nothing here can fault, and nothing is
// ever loaded for it; but what is there cannot be protected either.  Asking for less access than that is
// granted, as POSIX permits, except where it would be relied on: a page that shall be read-only, or
// executable, is refused.
#include <base.h>

#include "quoin_c.h"

enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20 };

static bool access_ok(long protection)
{
    return protection == 0 || ((protection & PROT_WRITE) && !(protection & PROT_EXEC));
}

static uint64_t pages_of(size_t length)
{
    return length / ABI_PAGE + (length % ABI_PAGE != 0);
}

long c_mmap(uint64_t address, size_t length, long protection, long flags, long fd)
{
    (void)address;                       // only a hint
    (void)fd;
    if (length == 0 || (flags & MAP_FIXED)) {
        return -C_EINVAL;
    }
    if (!(flags & MAP_ANONYMOUS)) {
        return -C_ENOSYS;                // there are no files
    }
    if (!access_ok(protection)) {
        return -C_EACCES;
    }
    uint64_t pages = pages_of(length);
    pa_t run = pages > UINT32_MAX ? 0 : ak_frame_alloc_run((unsigned)pages);
    if (run == 0) {
        return -C_ENOMEM;
    }
    memset(ak_window(run), 0, pages * ABI_PAGE);
    return (long)(ABI_WINDOW + run);
}

// Is every page of the range a frame that this kernel has in use?
static bool range_ok(uint64_t address, uint64_t pages)
{
    if (address % ABI_PAGE != 0 || address < ABI_WINDOW || pages > (ABI_USER_END - address) / ABI_PAGE) {
        return false;
    }
    for (uint64_t i = 0; i < pages; i++) {
        if (ak_frame_users(address - ABI_WINDOW + i * ABI_PAGE) != 1) {
            return false;
        }
    }
    return true;
}

long c_munmap(uint64_t address, size_t length)
{
    uint64_t pages = pages_of(length);

    if (length == 0 || !range_ok(address, pages)) {
        return -C_EINVAL;
    }
    for (uint64_t i = 0; i < pages; i++) {
        ak_frame_put(address - ABI_WINDOW + i * ABI_PAGE);
    }
    return 0;
}

long c_mprotect(uint64_t address, size_t length, long protection)
{
    if (!access_ok(protection)) {
        return -C_EACCES;
    }
    return length == 0 || range_ok(address, pages_of(length)) ? 0 : -C_ENOMEM;
}
