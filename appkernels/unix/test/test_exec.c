// test_exec.c - execve of ELF files: good ones, hostile ones, mutations by seed; what is on the stack then.
#include "exec_steps.h"

enum { MUTATIONS = 1500 };

// ---- good programs ----------------------------------------------------------------------------------------

static void good(void **state)
{
    uint8_t byte = 9;
    static const uint8_t zeros[ABI_PAGE];

    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    exec_begin();
    assert_int_equal(execute("/prog"), 0);
    const struct frame *f = &task->thread.state->frame[0];
    assert_int_equal(f->rip, ENTRY);
    assert_int_equal(f->rsp % 16, 0);
    assert_int_equal(f->rdx, 0);
    expect_bytes(TEXT, &image, 0x1000);
    expect_bytes(DATA, (const uint8_t *)&image + 0x1000, DATA_BYTES);
    expect_bytes(DATA + DATA_BYTES, zeros, ABI_PAGE - DATA_BYTES);
    expect_bytes(DATA + ABI_PAGE, zeros, ABI_PAGE);
    expect_bytes(DATA + 2 * ABI_PAGE, zeros, ABI_PAGE);
    assert_int_equal(machine_write(task, TEXT, &byte, 1), -EACCES);
    assert_int_equal(machine_fetch(task, ENTRY), 0);
    assert_int_equal(machine_fetch(task, DATA), -EACCES);
    assert_int_equal(machine_write(task, DATA, &byte, 1), 0);
    assert_int_equal(machine_write(task, BSS_END, &byte, 1), -EFAULT);
    assert_int_equal(CALL(task, brk, 0), BSS_END);
    assert_int_equal(machine_read(task, MACHINE_DATA, &byte, 1), -EFAULT);
    assert_string_equal(task->comm, "prog");
    exec_end();
}

static void stack_layout(void **state)
{
    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    exec_begin();
    task->creds.uid = 7;
    assert_int_equal(execute("/prog"), 0);
    va_t vector = expect_environment(expect_arguments(some_argv));
    assert_int_equal(auxiliary(vector, AT_PHDR), TEXT + sizeof(image.h));
    assert_int_equal(auxiliary(vector, AT_PHENT), sizeof(Elf64_Phdr));
    assert_int_equal(auxiliary(vector, AT_PHNUM), 2);
    assert_int_equal(auxiliary(vector, AT_PAGESZ), ABI_PAGE);
    assert_int_equal(auxiliary(vector, AT_ENTRY), ENTRY);
    assert_int_equal(auxiliary(vector, AT_BASE), 0);
    assert_int_equal(auxiliary(vector, AT_UID), 7);
    assert_int_equal(auxiliary(vector, AT_SECURE), 0);
    text_is(auxiliary(vector, AT_EXECFN), "/prog");
    text_is(auxiliary(vector, AT_PLATFORM), "x86_64");
    (void)word(auxiliary(vector, AT_RANDOM) + 8);
    exec_end();
}

static void no_arguments(void **state)
{
    static const char *const empty[] = {"", NULL};

    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    exec_begin();
    assert_int_equal(CALL(task, execve, machine_text(task, SLOT_PATH, "/prog"), 0, 0), 0);
    assert_int_equal(word(expect_arguments(empty)), 0);
    exec_end();
}

static void movable_with_interpreter(void **state)
{
    (void)state;
    make_image();
    image.h.e_type = ET_DYN;
    machine_file("/ld", &image, sizeof(image), 0755);
    exec_begin();                             // alone
    assert_int_equal(execute("/ld"), 0);
    va_t at = machine_at(task) - 0x100;
    assert_int_equal(at % ABI_PAGE, 0);
    assert_true(at >= VM_LOW && at < VM_STACK_TOP);
    expect_bytes(at, &image, 0x1000);
    exec_end();
    make_image();
    image.h.e_phnum = 3;
    strcpy(image.interpreter, "/ld");
    image.p[2] =
        (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = offsetof(struct image, interpreter), .p_filesz = 4};
    machine_file("/prog", &image, sizeof(image), 0755);
    exec_begin();
    assert_int_equal(execute("/prog"), 0);
    va_t vector = expect_environment(expect_arguments(some_argv));
    va_t base = auxiliary(vector, AT_BASE);
    assert_int_equal(machine_at(task), base + ENTRY);
    assert_int_equal(auxiliary(vector, AT_ENTRY), ENTRY);
    assert_int_equal(auxiliary(vector, AT_PHNUM), 3);
    expect_bytes(TEXT, &image, 0x1000);
    assert_int_equal(word(base + TEXT) & 0xffffffff, 0x464c457f);
    exec_end();
    strcpy(image.interpreter, "/no");
    assert_int_equal(attempt_image(), -ENOENT);
    machine_file("/no", "hello", 5, 0755);
    assert_int_equal(attempt_image(), -ELIBBAD);
    image.interpreter[3] = 'x';          // not ended
    assert_int_equal(attempt_image(), -ENOEXEC);
    image.p[2].p_filesz = 5000;
    assert_int_equal(attempt_image(), -ENOEXEC);
    image.p[2].p_offset = UINT64_MAX - 2;
    assert_int_equal(attempt_image(), -ENOEXEC);
}

// ---- hostile programs -------------------------------------------------------------------------------------

static void not_programs(void **state)
{
    (void)state;
    assert_int_equal(attempt("/nothing"), -ENOENT);
    assert_int_equal(attempt("/"), -EACCES);
    machine_file("/file", "", 0, 0755);
    assert_int_equal(attempt("/file"), -ENOEXEC);
    machine_file("/file", "\177ELF", 4, 0755);
    assert_int_equal(attempt("/file"), -ENOEXEC);
    make_image();
    machine_file("/plain", &image, sizeof(image), 0644);
    assert_int_equal(attempt("/plain"), -EACCES);
    machine_file("/file", &image, sizeof(image), 0755);
    exec_begin();
    assert_int_equal(CALL(task, execve, 8, 0, 0), -EFAULT);
    va_t path = machine_text(task, SLOT_PATH, "/file");
    assert_int_equal(CALL(task, execve, path, 8, 0), -EFAULT);
    assert_int_equal(CALL(task, execve, path, 0, 8), -EFAULT);
    const uint64_t bad[] = {8, 0};
    assert_int_equal(ux_copy_out(task, SLOT(SLOT_ARGV), bad, sizeof(bad)), 0);
    assert_int_equal(CALL(task, execve, path, SLOT(SLOT_ARGV), 0), -EFAULT);
    exec_end();
}

static void truncated(void **state)
{
    (void)state;
    make_image();
    for (size_t n = 0; n < sizeof(image); n += n < 300 ? 7 : 500) {
        machine_file("/prog", &image, n, 0755);
        long e = attempt("/prog");
        assert_int_equal(e, n < sizeof(image.h) + 2 * sizeof(image.p[0]) || n <= 0x1000 ? -ENOEXEC : 0);
    }
}

#define HOSTILE(change, want)                                                                                \
    make_image();                                                                                            \
    change;                                                                                                  \
    assert_int_equal(attempt_image(), want)

static void hostile(void **state)
{
    (void)state;
    HOSTILE(image.h.e_ident[EI_CLASS] = ELFCLASS32, -ENOEXEC);
    HOSTILE(image.h.e_machine = EM_386, -ENOEXEC);
    HOSTILE(image.h.e_type = ET_CORE, -ENOEXEC);
    HOSTILE(image.h.e_phnum = 0, -ENOEXEC);
    HOSTILE(image.h.e_phnum = 0xffff, -ENOEXEC);
    HOSTILE(image.h.e_phentsize = 55, -ENOEXEC);
    HOSTILE(image.h.e_phoff = UINT64_MAX - 8, -ENOEXEC);
    HOSTILE(image.h.e_phoff = sizeof(image) - 8, -ENOEXEC);
    HOSTILE(image.p[0].p_type = image.p[1].p_type = PT_NOTE, -ENOEXEC);
    HOSTILE(image.p[1].p_filesz = 0x4000, -ENOEXEC);     // more than in memory
    HOSTILE(image.p[1].p_memsz = UINT64_MAX, -ENOEXEC);
    HOSTILE(image.p[1].p_memsz = VM_END - DATA, -ENOEXEC);
    HOSTILE(image.p[1].p_vaddr = UINT64_MAX - 0xfff, -ENOEXEC);
    HOSTILE(image.p[1].p_vaddr = VM_STACK_TOP - 0x1000, -ENOEXEC);
    HOSTILE(image.p[1].p_vaddr += 8, -ENOEXEC);          // does not go with its place in the file
    HOSTILE(image.p[1].p_offset = 1ull << 63, -ENOEXEC);
    HOSTILE(image.p[0].p_vaddr = 0, -EPERM);
    HOSTILE((image.h.e_type = ET_DYN, image.p[1].p_memsz = (VM_STACK_TOP - VM_STACK_GAP) - 0x402000),
            -ENOMEM);
    // Odd, but nobody is hurt: the later one wins, or faults when it is touched.
    HOSTILE(image.p[1].p_vaddr = TEXT, 0);
    HOSTILE(image.p[0].p_memsz = 0x10000, 0);
    HOSTILE(image.h.e_entry = UINT64_MAX, 0);
    HOSTILE((image.p[0].p_offset = 1ull << 40, image.h.e_phoff = 64), 0);
}

static void mutations(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        make_image();
        image.h.e_type = machine_random(2) == 0 ? ET_EXEC : ET_DYN;
        image.h.e_phnum = 4;
        image.p[2] = image.p[machine_random(2)];
        image.p[2].p_vaddr += machine_random(8) * ABI_PAGE;
        uint8_t *bytes = (uint8_t *)&image;
        for (unsigned n = 1 + machine_random(4); n > 0; n--) {
            unsigned at = machine_random(offsetof(struct image, interpreter));
            uint64_t value =
                machine_random(2) == 0 ? ~0ull >> machine_random(64) : 1ull << machine_random(64);
            if (machine_random(2) == 0) {
                bytes[at] = (uint8_t)machine_random(256);
            } else {
                memcpy(&bytes[at & ~7u], &value, sizeof(value));
            }
        }
        (void)attempt_image();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good), cmocka_unit_test(stack_layout), cmocka_unit_test(no_arguments),
        cmocka_unit_test(movable_with_interpreter), cmocka_unit_test(not_programs),
        cmocka_unit_test(truncated), cmocka_unit_test(hostile), cmocka_unit_test(mutations),
    };

    machine_seed("exec");
    return cmocka_run_group_tests(tests, exec_setup, NULL);
}
