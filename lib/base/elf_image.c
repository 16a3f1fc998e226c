// elf_image.c - static ELF64 programs as bytes in memory.
#include "elf_image.h"

#include <abi/object.h>
#include <abi/types.h>

#include "base.h"

struct file_header {
    uint8_t  ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct note_header {
    uint32_t name_size, data_size, type;
};

enum { TYPE_EXEC = 2, TYPE_DYN = 3, MACHINE_X86_64 = 62, PT_LOAD = 1, PT_NOTE = 4, PF_X = 1, PF_W = 2 };
enum { MAX_HEADERS = 128 };

_Static_assert(sizeof(struct file_header) == 64, "ELF header");
_Static_assert(sizeof(struct program_header) == 56, "program header");

static struct program_header header_at(const struct elf_image *e, unsigned i)
{
    struct program_header h;

    memcpy(&h, e->bytes + e->headers_offset + i * sizeof(h), sizeof(h));
    return h;
}

static bool inside(const struct elf_image *e, uint64_t offset, uint64_t length)
{
    return offset <= e->size && length <= e->size - offset;
}

// low: where the segment before ended.
static bool segment_ok(const struct elf_image *e, const struct program_header *h, uint64_t low)
{
    return inside(e, h->offset, h->filesz) && h->filesz <= h->memsz && h->memsz <= ABI_USER_END &&
           h->vaddr >= low && h->vaddr <= ABI_USER_END - h->memsz;
}

static bool segments_ok(const struct elf_image *e)
{
    uint64_t low = 0;
    bool any = false;

    for (unsigned i = 0; i < e->headers; i++) {
        struct program_header h = header_at(e, i);
        if (h.type == PT_LOAD) {
            if (!segment_ok(e, &h, low)) {
                return false;
            }
            low = h.vaddr + h.memsz;
            any = true;
        }
    }
    return any && e->entry < low;
}

bool elf_open(struct elf_image *e, const void *bytes, size_t size)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    struct file_header f;

    if (size < sizeof(f)) {
        return false;
    }
    memcpy(&f, bytes, sizeof(f));
    *e = (struct elf_image){.bytes = bytes, .size = size, .entry = f.entry, .movable = f.type == TYPE_DYN,
                            .headers = f.phnum, .headers_offset = f.phoff};
    if (memcmp(f.ident, ident, sizeof(ident)) != 0 || (f.type != TYPE_EXEC && f.type != TYPE_DYN) ||
        f.machine != MACHINE_X86_64 || f.phentsize != sizeof(struct program_header) ||
        f.phnum > MAX_HEADERS ||
        !inside(e, f.phoff, f.phnum * sizeof(struct program_header))) {
        return false;
    }
    return segments_ok(e);
}

bool elf_segment(const struct elf_image *e, unsigned index, struct elf_segment *s)
{
    for (unsigned i = 0; i < e->headers; i++) {
        struct program_header h = header_at(e, i);
        if (h.type == PT_LOAD && index-- == 0) {
            *s = (struct elf_segment){
                .vaddr = h.vaddr, .memory_size = h.memsz, .offset = h.offset, .file_size = h.filesz,
                .flags = MAP_READ | (h.flags & PF_W ? MAP_WRITE : 0) | (h.flags & PF_X ? MAP_EXEC : 0),
            };
            return true;
        }
    }
    return false;
}

static uint64_t align4(uint64_t n)
{
    return (n + 3) & ~3ull;
}

static bool find_note(const uint8_t *at, uint64_t rest, const char *name, uint32_t type, void *out,
                      size_t size)
{
    struct note_header n;
    size_t name_size = strlen(name) + 1;

    while (rest >= sizeof(n)) {
        memcpy(&n, at, sizeof(n));
        uint64_t data = sizeof(n) + align4(n.name_size), whole = data + align4(n.data_size);
        if (data > rest || n.data_size > rest - data) {
            return false;
        }
        if (n.type == type && n.name_size == name_size && n.data_size == size &&
            memcmp(at + sizeof(n), name, name_size) == 0) {
            memcpy(out, at + data, size);
            return true;
        }
        if (whole > rest) {
            return false;
        }
        at += whole;
        rest -= whole;
    }
    return false;
}

bool elf_note(const struct elf_image *e, const char *name, uint32_t type, void *out, size_t size)
{
    for (unsigned i = 0; i < e->headers; i++) {
        struct program_header h = header_at(e, i);
        if (h.type == PT_NOTE && inside(e, h.offset, h.filesz) &&
            find_note(e->bytes + h.offset, h.filesz, name, type, out, size)) {
            return true;
        }
    }
    return false;
}
