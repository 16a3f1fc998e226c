// host_image.c - a boot archive for tests: one cpio entry, boot/first, an ELF file that is never executed.
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include <abi/boot.h>

#include "host.h"

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segment[3];
    struct __attribute__((packed)) {
        uint32_t name_size, size, type;
        char name[8];
        struct appkernel_note note;
    } note;
};

static void image_fill(struct image *i)
{
    memset(i, 0, sizeof(*i));
    memcpy(i->header.e_ident, ELFMAG, SELFMAG);
    i->header.e_ident[EI_CLASS] = ELFCLASS64;
    i->header.e_ident[EI_DATA] = ELFDATA2LSB;
    i->header.e_ident[EI_VERSION] = EV_CURRENT;
    i->header.e_type = ET_EXEC;
    i->header.e_machine = EM_X86_64;
    i->header.e_version = EV_CURRENT;
    i->header.e_entry = HOST_TEXT + 0x800;
    i->header.e_phoff = offsetof(struct image, segment);
    i->header.e_ehsize = sizeof(Elf64_Ehdr);
    i->header.e_phentsize = sizeof(Elf64_Phdr);
    i->header.e_phnum = 3;
    i->segment[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                 .p_flags = PF_R | PF_X,
                                 .p_vaddr = HOST_TEXT,
                                 .p_filesz = sizeof(*i),
                                 .p_memsz = 4096,
                                 .p_align = 4096};
    i->segment[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = HOST_DATA, .p_memsz = 65536, .p_align = 4096};
    i->segment[2] = (Elf64_Phdr){.p_type = PT_NOTE,
                                 .p_flags = PF_R,
                                 .p_offset = offsetof(struct image, note),
                                 .p_vaddr = HOST_TEXT + offsetof(struct image, note),
                                 .p_filesz = sizeof(i->note),
                                 .p_memsz = sizeof(i->note),
                                 .p_align = 4};
    i->note.name_size = 6;
    i->note.size = sizeof(i->note.note);
    i->note.type = NOTE_APPKERNEL;
    memcpy(i->note.name, "Quoin", 6);
    i->note.note = (struct appkernel_note){HOST_TRAP, HOST_FAULT, HOST_EXCEPTION, HOST_DATA + 65536};
}

static size_t entry(unsigned char *to, const char *name, const void *data, size_t size)
{
    size_t n = strlen(name) + 1, at;

    at = (size_t)sprintf((char *)to, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1,
                         0100644, 0, 0, 1, 0, size, 0, 0, 0, 0, n, 0);
    memcpy(to + at, name, n);
    at = (at + n + 3) & ~(size_t)3;
    if (size > 0) {
        memcpy(to + at, data, size);
    }
    return (at + size + 3) & ~(size_t)3;
}

size_t host_image(unsigned char *to, size_t size)
{
    struct image i;

    (void)size;
    image_fill(&i);
    size_t at = entry(to, "boot/first", &i, sizeof(i));
    return at + entry(to + at, "TRAILER!!!", NULL, 0);
}
