// console.c - serial ports for application kernels.
#include "console.h"

#include "arch.h"

size_t console_write(uint32_t port, const uint8_t *bytes, size_t n)
{
    size_t done = 0;

    while (done < n && arch_console_put(port, bytes[done])) {
        done++;
    }
    return done;
}

size_t console_read(uint32_t port, uint8_t *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        int c = arch_console_get(port);
        if (c < 0) {
            break;
        }
        bytes[done++] = (uint8_t)c;
    }
    return done;
}
