// linux_file.h - the numbers and structures of the Linux file calls.
//
// They come from the headers that Linux exports for programs; what those lack is added here.
#pragma once
#include <abi/types.h>
#include <asm-generic/errno.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <linux/uio.h>

#ifndef S_IFMT                          // with a C library about, as in unit tests, linux/stat.h leaves these to it
#define S_IFMT   00170000
#define S_IFSOCK 0140000
#define S_IFLNK  0120000
#define S_IFREG  0100000
#define S_IFBLK  0060000
#define S_IFDIR  0040000
#define S_IFCHR  0020000
#define S_IFIFO  0010000
#define S_ISUID  0004000
#define S_ISGID  0002000
#define S_ISVTX  0001000
#define S_IXGRP  00010
#endif

enum {
    LINUX_PATH_MAX = 4096,               // with the NUL
    LINUX_NAME_MAX = 255,
    LINUX_IOV_MAX = 1024,
    LINUX_LINKS_MAX = 40,                // symbolic links in one look-up
    LINUX_OPEN_MAX = 1024,
    LINUX_PIPE_BUF = 4096,
    UTIME_NOW  = (1 << 30) - 1,          // tv_nsec of utimensat
    UTIME_OMIT = (1 << 30) - 2,
};

// The record of getdents64; the name follows, then zeros up to a multiple of 8.
struct linux_dirent {
    uint64_t number;
    int64_t  next;
    uint16_t length;
    uint8_t  type;
    char     name[];
} __attribute__((packed));
enum { LINUX_DIRENT_HEAD = 19 };

static inline unsigned linux_dirent_type(uint32_t mode)
{
    return (mode & S_IFMT) >> 12;
}

static inline uint64_t linux_dev(unsigned major, unsigned minor)
{
    return (uint64_t)(minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}
