// console.c - the three standard streams.
#include <base.h>
#include <device.h>
#include <sys.h>

#include "quoin_c.h"

enum { TIOCGWINSZ = 0x5413, MOST_VECTORS = 1024 };

struct vector {
    void  *base;
    size_t length;
};

static void wait_a_little(void)
{
    (void)sys_wait(ak_now() + ak_ticks_from_ns(100000));
}

long c_write(long fd, const void *buffer, size_t length)
{
    size_t done = 0;

    if (fd != 1 && fd != 2) {
        return -C_EBADF;
    }
    while (done < length) {
        uint64_t taken = 0;
        err_t e = device_write(ak_info, fd == 1 ? DEVICE_TERMINAL : DEVICE_LOG, (const char *)buffer + done,
                               length - done, &taken);
        if (e != ERR_OK) {
            return done > 0 ? (long)done : -C_EIO;       // this kernel was not given the console
        }
        done += taken;
        if (taken == 0) {
            wait_a_little();
        }
    }
    return (long)done;
}

// Waits for the first byte.
long c_read(long fd, void *buffer, size_t length)
{
    uint64_t given = 0;

    if (fd != 0) {
        return -C_EBADF;
    }
    while (length > 0 && given == 0) {
        if (device_read(ak_info, buffer, length, &given) != ERR_OK) {
            return -C_EIO;
        }
        if (given == 0) {
            (void)sys_wait(0);                           // the first thread, and the only one: input wakes it
        }
    }
    return (long)given;
}

static long each(long fd, const struct vector *v, long count, bool writing)
{
    long sum = 0;

    if (count < 0 || count > MOST_VECTORS) {
        return -C_EINVAL;
    }
    for (long i = 0; i < count; i++) {
        if (v[i].length == 0) {
            continue;
        }
        long n = writing ? c_write(fd, v[i].base, v[i].length) : c_read(fd, v[i].base, v[i].length);
        if (n < 0) {
            return sum > 0 ? sum : n;
        }
        sum += n;
        if (!writing) {                  // more might not be there yet
            break;
        }
    }
    return sum;
}

long c_writev(long fd, const void *vector, long count)
{
    return each(fd, vector, count, true);
}

long c_readv(long fd, const void *vector, long count)
{
    return each(fd, vector, count, false);
}

// The console is a terminal of unknown size: musl then writes standard output line by line.
long c_ioctl(long fd, unsigned long request, void *argument)
{
    if (fd < 0 || fd > 2) {
        return -C_EBADF;
    }
    if (request != TIOCGWINSZ) {
        return -C_ENOTTY;
    }
    memset(argument, 0, 4 * sizeof(uint16_t));
    return 0;
}
