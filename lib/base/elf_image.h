// elf_image.h - static ELF64 programs for x86-64, as bytes in memory.
//
// The bytes are untrusted.  elf_open checks everything that the other functions rely on: after it succeeds,
// each segment's bytes are inside the image and its addresses inside user space, ascending and apart.
// Not here: relocation, dynamic linking.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_image {
    const uint8_t *bytes;
    size_t         size;
    uint64_t       entry;
    bool           movable;              // ET_DYN: addresses are relative
    uint32_t       headers;              // program headers
    uint64_t       headers_offset;
};

struct elf_segment {                     // a PT_LOAD
    uint64_t vaddr, memory_size;
    uint64_t offset, file_size;
    uint32_t flags;                      // MAP_READ, MAP_WRITE, MAP_EXEC
};

// False: not such a program, cut short, or contradictory.
bool elf_open(struct elf_image *e, const void *bytes, size_t size);
// Segment `index` of those to be loaded; false when there are no more.
bool elf_segment(const struct elf_image *e, unsigned index, struct elf_segment *s);
// Copy the note of this name and type, which must have exactly `size` bytes.
bool elf_note(const struct elf_image *e, const char *name, uint32_t type, void *out, size_t size);
