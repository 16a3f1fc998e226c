// cpio.c - reading archives in the newc format of cpio.
#include "cpio.h"

#include "base.h"

enum { HEADER = 110, FIELDS = 13, ALIGN = 4 };
enum field {
    INO, MODE, UID, GID, NLINK, MTIME, FILESIZE, DEVMAJOR, DEVMINOR, RDEVMAJOR, RDEVMINOR, NAMESIZE, CHECK
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(const char *text, uint32_t *value)
{
    uint32_t v = 0;

    for (int i = 0; i < 8; i++) {
        int d = hex_digit(text[i]);
        if (d < 0) {
            return false;
        }
        v = v << 4 | (uint32_t)d;
    }
    *value = v;
    return true;
}

static bool read_header(const char *header, uint32_t field[FIELDS])
{
    if (memcmp(header, "070701", 6) != 0 && memcmp(header, "070702", 6) != 0) {
        return false;
    }
    for (int i = 0; i < FIELDS; i++) {
        if (!read_hex(header + 6 + 8 * i, &field[i])) {
            return false;
        }
    }
    return true;
}

static size_t align_up(size_t n)
{
    return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

void cpio_begin(struct cpio_reader *r, const void *archive, size_t length)
{
    *r = (struct cpio_reader){.bytes = archive, .length = length};
}

static void skip_zeros(struct cpio_reader *r)
{
    while (r->length - r->at >= ALIGN && memcmp(r->bytes + r->at, "\0\0\0", ALIGN) == 0) {
        r->at += ALIGN;
    }
    if (r->length - r->at < ALIGN) {                     // a tail shorter than any entry
        for (; r->at < r->length && r->bytes[r->at] == '\0'; r->at++) {
        }
    }
}

// Where name and data of the entry are; false if they do not fit.  Sizes are below 2^32, offsets below 2^63.
static bool place_entry(const struct cpio_reader *r, const uint32_t f[FIELDS], struct cpio_entry *e,
                        size_t *end)
{
    size_t name = r->at + HEADER, data = align_up(name + f[NAMESIZE]);

    if (f[NAMESIZE] == 0 || data > r->length || f[FILESIZE] > r->length - data) {
        return false;
    }
    e->name = r->bytes + name;
    if (strnlen(e->name, f[NAMESIZE]) == f[NAMESIZE]) {
        return false;
    }
    e->data = r->bytes + data;
    e->size = f[FILESIZE];
    *end = align_up(data + f[FILESIZE]);
    if (*end > r->length) {                              // the last archive may lack its padding
        *end = r->length;
    }
    return true;
}

bool cpio_next(struct cpio_reader *r, struct cpio_entry *entry)
{
    uint32_t f[FIELDS];
    size_t end;

    for (;;) {
        skip_zeros(r);
        if (r->at == r->length) {
            return false;
        }
        if (r->length - r->at < HEADER || !read_header(r->bytes + r->at, f) ||
            !place_entry(r, f, entry, &end)) {
            r->damaged = true;
            r->at = r->length;
            return false;
        }
        r->at = end;
        if (strcmp(entry->name, "TRAILER!!!") != 0) {
            break;
        }
    }
    entry->mode = f[MODE];
    entry->uid = f[UID];
    entry->gid = f[GID];
    entry->nlink = f[NLINK];
    entry->mtime = f[MTIME];
    entry->ino = f[INO];
    entry->rdev_major = f[RDEVMAJOR];
    entry->rdev_minor = f[RDEVMINOR];
    return true;
}

bool cpio_find(const void *archive, size_t length, const char *name, struct cpio_entry *entry)
{
    struct cpio_reader r;
    struct cpio_entry e;
    bool found = false;

    for (cpio_begin(&r, archive, length); cpio_next(&r, &e);) {
        if (strcmp(e.name, name) == 0) {
            *entry = e;
            found = true;
        }
    }
    return found;
}
