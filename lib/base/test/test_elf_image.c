// test_elf_image.c - ELF images: a good one, each check, cut short at every byte, and damaged at random.
#include <elf.h>
#include <string.h>

#include <abi/object.h>

#include "check.h"
#include "elf_image.h"

enum { NOTE_TYPE = 1 };

struct image {
    Elf64_Ehdr e;
    Elf64_Phdr p[4];
    struct { Elf64_Nhdr h; char name[8]; uint32_t data[4]; } note;
    char       text[64];
};

static void make(struct image *i)
{
    memset(i, 0, sizeof(*i));
    memcpy(i->e.e_ident, ELFMAG, 4);
    i->e.e_ident[EI_CLASS] = ELFCLASS64;
    i->e.e_ident[EI_DATA] = ELFDATA2LSB;
    i->e.e_ident[EI_VERSION] = 1;
    i->e.e_type = ET_EXEC;
    i->e.e_machine = EM_X86_64;
    i->e.e_entry = 0x400010;
    i->e.e_phoff = offsetof(struct image, p);
    i->e.e_phentsize = sizeof(Elf64_Phdr);
    i->e.e_phnum = 4;
    i->p[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000,
                           .p_filesz = sizeof(*i), .p_memsz = sizeof(*i)};
    i->p[1] = (Elf64_Phdr){.p_type = PT_GNU_STACK};
    i->p[2] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = offsetof(struct image, note),
                           .p_filesz = sizeof(i->note)};
    i->p[3] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x600000,
                           .p_offset = offsetof(struct image, text), .p_filesz = 64, .p_memsz = 0x5000};
    i->note.h = (Elf64_Nhdr){6, 16, NOTE_TYPE};
    memcpy(i->note.name, "Quoin", 6);
    i->note.data[0] = 11;
    i->note.data[2] = 22;
}

static void good(void **state)
{
    struct image i;
    struct elf_image e;
    struct elf_segment s;
    uint64_t note[2];

    (void)state;
    make(&i);
    assert_true(elf_open(&e, &i, sizeof(i)));
    assert_true(e.entry == 0x400010);
    assert_false(e.movable);
    assert_true(elf_segment(&e, 0, &s));
    assert_int_equal(s.flags, MAP_READ | MAP_EXEC);
    assert_true(s.vaddr == 0x400000 && s.offset == 0);
    assert_true(s.file_size == sizeof(i) && s.memory_size == sizeof(i));
    assert_true(elf_segment(&e, 1, &s));
    assert_int_equal(s.flags, MAP_READ | MAP_WRITE);
    assert_true(s.vaddr == 0x600000 && s.memory_size == 0x5000);
    assert_false(elf_segment(&e, 2, &s));
    assert_true(elf_note(&e, "Quoin", NOTE_TYPE, note, sizeof(note)));
    assert_true(note[0] == 11 && note[1] == 22);
    assert_false(elf_note(&e, "Quoin", 2, note, sizeof(note)));
    assert_false(elf_note(&e, "Quoi", NOTE_TYPE, note, sizeof(note)));
    assert_false(elf_note(&e, "Quoin", NOTE_TYPE, note, 8));
    i.e.e_type = ET_DYN;
    assert_true(elf_open(&e, &i, sizeof(i)));
    assert_true(e.movable);
}

#define REFUSED(change)                              \
    do {                                             \
        struct image i;                              \
        struct elf_image e;                          \
        make(&i);                                    \
        change;                                      \
        assert_false(elf_open(&e, &i, sizeof(i)));   \
    } while (0)

static void refused(void **state)
{
    (void)state;
    REFUSED(i.e.e_ident[0] = 0);
    REFUSED(i.e.e_ident[EI_CLASS] = ELFCLASS32);
    REFUSED(i.e.e_ident[EI_DATA] = ELFDATA2MSB);
    REFUSED(i.e.e_type = ET_REL);
    REFUSED(i.e.e_machine = EM_386);
    REFUSED(i.e.e_phentsize = 32);
    REFUSED(i.e.e_phnum = 200);
    REFUSED(i.e.e_phnum = 0);
    REFUSED(i.e.e_phoff = ~0ull - 8);
    REFUSED(i.e.e_phoff = sizeof(i) - 10);
    REFUSED(i.e.e_entry = 0x900000);
    REFUSED(i.p[0].p_offset = ~0ull);
    REFUSED(i.p[0].p_filesz = sizeof(i) + 1);
    REFUSED(i.p[0].p_memsz = 8);
    REFUSED(i.p[3].p_memsz = ~0ull);
    REFUSED(i.p[3].p_vaddr = ~0ull - 0x1000);
    REFUSED(i.p[3].p_vaddr = 0x7ffffffff000ull);
    REFUSED(i.p[3].p_vaddr = 0x400000);                  // over the first
}

static void consume(const void *bytes, size_t size)
{
    struct elf_image e;
    struct elf_segment s;
    uint64_t note[2];
    volatile unsigned sum = 0;

    if (!elf_open(&e, bytes, size)) {
        return;
    }
    for (unsigned n = 0; elf_segment(&e, n, &s); n++) {
        for (uint64_t i = 0; i < s.file_size; i++) {
            sum += ((const unsigned char *)bytes)[s.offset + i];
        }
    }
    elf_note(&e, "Quoin", NOTE_TYPE, note, sizeof(note));
}

static void cut_short(void **state)
{
    struct image i;

    (void)state;
    for (size_t size = 0; size <= sizeof(i); size++) {
        make(&i);
        i.p[0].p_filesz = size / 2;
        i.p[3].p_filesz = 0;
        i.p[3].p_offset = 0;
        void *exact = malloc(size == 0 ? 1 : size);
        memcpy(exact, &i, size);
        consume(exact, size);
        free(exact);
    }
}

static void damaged(void **state)
{
    struct image i;
    uint32_t seed = 5;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        make(&i);
        for (int n = 0; n < 2; n++) {
            seed = seed * 1664525 + 1013904223;
            ((unsigned char *)&i)[(seed >> 8) % sizeof(i)] = (unsigned char)(seed >> 24);
        }
        void *exact = malloc(sizeof(i));
        memcpy(exact, &i, sizeof(i));
        consume(exact, sizeof(i));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good), cmocka_unit_test(refused), cmocka_unit_test(cut_short),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
