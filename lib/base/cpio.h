// cpio.h - reading archives in the newc format of cpio, several of them one after another.
//
// The bytes are untrusted: nothing is read beyond the length given, and a damaged archive ends the reading.
// Between archives there may be zero bytes; each begins at a multiple of four.  Names end at their first NUL,
// so that a packer can align data by padding names.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpio_entry {
    const char *name;                    // ends with NUL
    const void *data;
    size_t      size;
    uint32_t    mode, uid, gid, nlink, mtime, ino, rdev_major, rdev_minor;
};

struct cpio_reader {
    const char *bytes;
    size_t      length, at;
    bool        damaged;                 // the reading ended at something that is not an entry
};

void cpio_begin(struct cpio_reader *r, const void *archive, size_t length);
// The next entry; false at the end.
bool cpio_next(struct cpio_reader *r, struct cpio_entry *entry);
// The entry of this name; the last one if there are several.  False: there is none.
bool cpio_find(const void *archive, size_t length, const char *name, struct cpio_entry *entry);
