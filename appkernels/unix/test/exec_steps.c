// exec_steps.c - see exec_steps.h.
#include "exec_steps.h"

struct image image;
struct task *task;
static size_t objects;
static unsigned frames;

void make_image(void)
{
    memset(&image, 0, sizeof(image));
    for (unsigned i = 0; i < sizeof(image.rest); i++) {
        image.rest[i] = (uint8_t)(i * 7 + i / 256);
    }
    image.h = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                           .e_type = ET_EXEC,
                           .e_machine = EM_X86_64,
                           .e_version = 1,
                           .e_entry = ENTRY,
                           .e_phoff = sizeof(image.h),
                           .e_ehsize = sizeof(image.h),
                           .e_phentsize = sizeof(Elf64_Phdr),
                           .e_phnum = 2};
    image.p[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = TEXT, .p_filesz = 0x1000,
                              .p_memsz = 0x1000};
    image.p[1] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1000, .p_vaddr = DATA,
                              .p_filesz = DATA_BYTES, .p_memsz = 0x2800};
}

va_t put_array(unsigned slot, const char *const *strings)
{
    static unsigned next;
    unsigned i;

    for (i = 0; strings[i] != NULL; i++) {
        uint64_t at = machine_text(task, SLOT_STRINGS + next % 40, strings[i]);
        next++;
        assert_int_equal(ux_copy_out(task, SLOT(slot) + i * 8, &at, 8), 0);
    }
    const uint64_t none = 0;
    assert_int_equal(ux_copy_out(task, SLOT(slot) + i * 8, &none, 8), 0);
    return SLOT(slot);
}

const char *const some_argv[] = {"name", "one", "", "three", NULL};
const char *const some_envp[] = {"A=1", "LONGER=some value", NULL};

void exec_begin(void)
{
    machine_settle();
    objects = machine_objects();
    frames = machine_frames();
    task = machine_fork(machine_first);
}

void exec_end(void)
{
    int pid = task->tgid;

    machine_end(task, 0);
    assert_int_equal(CALL(machine_first, wait4, pid, 0, 0, 0), pid);
    machine_settle();
    signal_flush(&machine_first->process->pending, ~0ull);
    assert_int_equal(machine_objects(), objects);
    assert_int_equal(machine_frames(), frames);
}

long execute(const char *path)
{
    va_t at = machine_text(task, SLOT_PATH, path);
    return CALL(task, execve, at, put_array(SLOT_ARGV, some_argv), put_array(SLOT_ENVP, some_envp));
}

long attempt(const char *path)
{
    exec_begin();
    long e = execute(path);
    if (e != 0) {
        uint8_t byte = 1;
        assert_true(e < 0 && e > -4096);
        assert_int_equal(machine_at(task), MACHINE_CODE + 2);
        assert_int_equal(machine_write(task, MACHINE_DATA, &byte, 1), 0);
    }
    exec_end();
    return e;
}

long attempt_image(void)
{
    machine_file("/prog", &image, sizeof(image), 0755);
    return attempt("/prog");
}

uint64_t word(va_t at)
{
    uint64_t value = 0;

    assert_int_equal(ux_copy_in(task, &value, at, sizeof(value)), 0);
    return value;
}

void text_is(va_t at, const char *text)
{
    char buffer[512];

    assert_true(ux_copy_string(task, buffer, at, sizeof(buffer)) >= 0);
    assert_string_equal(buffer, text);
}

void expect_bytes(va_t at, const void *bytes, size_t n)
{
    uint8_t got[ABI_PAGE];

    assert_true(n <= sizeof(got));
    assert_int_equal(ux_copy_in(task, got, at, n), 0);
    assert_memory_equal(got, bytes, n);
}

va_t expect_arguments(const char *const *argv)
{
    va_t at = task->thread.state->frame[0].rsp;
    uint64_t count = word(at), i;

    for (i = 0; argv[i] != NULL; i++) {
        text_is(word(at + 8 + i * 8), argv[i]);
    }
    assert_int_equal(count, i);
    assert_int_equal(word(at + 8 + i * 8), 0);
    return at + 16 + i * 8;
}

uint64_t auxiliary(va_t vector, uint64_t type)
{
    for (unsigned i = 0; i < 40; i++) {
        if (word(vector + i * 16) == type) {
            return word(vector + i * 16 + 8);
        }
        assert_true(word(vector + i * 16) != AT_NULL);
    }
    fail_msg("no end of auxv");
    return 0;
}

va_t expect_environment(va_t at)
{
    unsigned i;

    for (i = 0; some_envp[i] != NULL; i++) {
        text_is(word(at + i * 8), some_envp[i]);
    }
    assert_int_equal(word(at + i * 8), 0);
    return at + (i + 1) * 8;
}

int exec_setup(void **state)
{
    (void)state;
    machine_begin();
    for (unsigned i = 0; i < MACHINE_PAGES; i++) {       // what stays is there from the beginning
        uint8_t byte = 1;
        assert_int_equal(machine_write(machine_first, MACHINE_DATA + i * ABI_PAGE, &byte, 1), 0);
    }
    return 0;
}
