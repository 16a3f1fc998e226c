// fuzz_archive.c - any bytes as a boot archive and as an ELF image: nothing is read outside them, and what
// elf_open has passed keeps its promises.
#include <stdlib.h>
#include <string.h>

#include "cpio.h"
#include "elf_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t touch(const void *bytes, size_t size)
{
    size_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += ((const uint8_t *)bytes)[i];
    }
    return sum;
}

static size_t read_image(const uint8_t *data, size_t size)
{
    struct elf_image image;
    struct elf_segment segment;
    uint64_t note[4];
    uint64_t end = 0;
    size_t sum = 0;

    if (!elf_open(&image, data, size)) {
        return 0;
    }
    for (unsigned i = 0; elf_segment(&image, i, &segment); i++) {
        if (segment.vaddr < end || segment.memory_size < segment.file_size) {
            abort();
        }
        end = segment.vaddr + segment.memory_size;
        if (end < segment.vaddr || segment.offset + segment.file_size > size) {
            abort();
        }
        sum += touch(data + segment.offset, segment.file_size);
    }
    return sum + elf_note(&image, "Quoin", 1, note, sizeof(note));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    size_t sum = read_image(data, size);

    cpio_begin(&reader, data, size);
    while (cpio_next(&reader, &entry)) {
        sum += strlen(entry.name) + touch(entry.data, entry.size);
    }
    cpio_find(data, size, "boot/first", &entry);
    return sum == SIZE_MAX ? -1 : 0;
}
