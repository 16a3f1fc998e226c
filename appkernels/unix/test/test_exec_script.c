// test_exec_script.c - execve of scripts, and where there is too little memory or too many arguments.
#include "exec_steps.h"

#include <stdio.h>

// ---- scripts ----------------------------------------------------------------------------------------------

static void script(const char *text)
{
    machine_file("/script", text, strlen(text), 0755);
}

static void expect_script(const char *text, const char *const *argv)
{
    script(text);
    exec_begin();
    assert_int_equal(execute("/script"), 0);
    va_t vector = expect_environment(expect_arguments(argv));
    text_is(auxiliary(vector, AT_EXECFN), "/script");
    assert_string_equal(task->comm, "script");
    exec_end();
}

static void scripts(void **state)
{
    static const char *const bare[] = {"/prog", "/script", NULL};
    static const char *const plain[] = {"/prog", "/script", "one", "", "three", NULL};
    static const char *const with[] = {"/prog", "an argument", "/script", "one", "", "three", NULL};

    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    expect_script("#!/prog\nmore\n", plain);
    expect_script("#! \t /prog  \t\n", plain);
    expect_script("#!/prog", plain);
    expect_script("#!/prog an argument\n", with);
    expect_script("#!/prog \t an argument \t", with);
    script("#!/prog\n");                 // without arguments, also without a name
    exec_begin();
    assert_int_equal(CALL(task, execve, machine_text(task, SLOT_PATH, "/script"), 0, 0), 0);
    assert_int_equal(word(expect_arguments(bare)), 0);
    exec_end();
    script("#!\n");
    assert_int_equal(attempt("/script"), -ENOEXEC);
    script("#!   ");
    assert_int_equal(attempt("/script"), -ENOEXEC);
    script("#!/nobody\n");
    assert_int_equal(attempt("/script"), -ENOENT);
    script("#!/\n");
    assert_int_equal(attempt("/script"), -EACCES);
    script("#!/script\n");               // itself
    assert_int_equal(attempt("/script"), -ELOOP);
}

static void long_lines(void **state)
{
    char text[600];

    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    memset(text, 'x', sizeof(text));
    memcpy(text, "#!/prog", 7);
    text[599] = 0;
    script(text);                        // nobody knows where the name ends
    assert_int_equal(attempt("/script"), -ENOEXEC);
    text[7] = ' ';                       // an argument may be cut
    script(text);
    assert_int_equal(attempt("/script"), 0);
    text[260] = '\n';
    script(text);
    assert_int_equal(attempt("/script"), 0);
}

static void nested_scripts(void **state)
{
    static const char *const argv[] = {"/prog", "1", "/s1", "2", "/s2", "/s3", "one", "", "three", NULL};
    char name[8], text[32];

    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    machine_file("/s1", "#!/prog 1\n", 10, 0755);
    machine_file("/s2", "#!/s1 2\n", 8, 0755);
    machine_file("/s3", "#!/s2\n", 6, 0755);
    exec_begin();
    assert_int_equal(execute("/s3"), 0);
    (void)expect_arguments(argv);
    exec_end();
    for (unsigned i = 4; i <= 6; i++) {
        snprintf(name, sizeof(name), "/s%u", i);
        snprintf(text, sizeof(text), "#!/s%u\n", i - 1);
        machine_file(name, text, strlen(text), 0755);
        assert_int_equal(attempt(name), i <= 5 ? 0 : -ELOOP);
    }
}

// ---- limits -----------------------------------------------------------------------------------------------

static void no_memory(void **state)
{
    long e = -ENOMEM;

    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    for (long k = 0; e != 0 && k < 500; k++) {
        exec_begin();
        va_t path = machine_text(task, SLOT_PATH, "/prog"), argv = put_array(SLOT_ARGV, some_argv);
        machine_allow = k;
        e = CALL(task, execve, path, argv, argv);
        machine_allow = -1;
        if (e != 0) {
            assert_int_equal(e, -ENOMEM);
            assert_int_equal(word(argv + 4 * 8), 0);
        } else {
            (void)expect_arguments(some_argv);
        }
        exec_end();
    }
    assert_int_equal(e, 0);
}

static void too_many_arguments(void **state)
{
    (void)state;
    make_image();
    machine_file("/prog", &image, sizeof(image), 0755);
    exec_begin();
    va_t path = machine_text(task, SLOT_PATH, "/prog");
    const size_t size = LINUX_ARG_STRLEN + ABI_PAGE;
    long at = CALL(task, mmap, 0, size, 3, LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS, -1, 0);
    uint8_t page[ABI_PAGE];
    assert_true(at > 0);
    memset(page, 'a', sizeof(page));
    for (size_t i = 0; i < size; i += ABI_PAGE) {
        assert_int_equal(ux_copy_out(task, (va_t)at + i, page, ABI_PAGE), 0);
    }
    uint64_t pointers[40] = {(uint64_t)at};
    assert_int_equal(ux_copy_out(task, SLOT(SLOT_ARGV), pointers, sizeof(pointers)), 0);
    assert_int_equal(CALL(task, execve, path, SLOT(SLOT_ARGV), 0), -E2BIG);  // one that is too long
    page[ABI_PAGE - 2] = 0;
    assert_int_equal(ux_copy_out(task, (va_t)at + LINUX_ARG_STRLEN - ABI_PAGE, page, ABI_PAGE), 0);
    for (unsigned i = 0; i < 39; i++) {
        pointers[i] = (uint64_t)at;
    }
    assert_int_equal(ux_copy_out(task, SLOT(SLOT_ARGV), pointers, sizeof(pointers)), 0);
    assert_int_equal(CALL(task, execve, path, SLOT(SLOT_ARGV), 0), -E2BIG);  // too much in all
    pointers[8] = 0;
    assert_int_equal(ux_copy_out(task, SLOT(SLOT_ARGV), pointers, sizeof(pointers)), 0);
    assert_int_equal(CALL(task, execve, path, SLOT(SLOT_ARGV), 0), 0);
    exec_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts), cmocka_unit_test(long_lines), cmocka_unit_test(nested_scripts),
        cmocka_unit_test(no_memory), cmocka_unit_test(too_many_arguments),
    };

    return cmocka_run_group_tests(tests, exec_setup, NULL);
}
