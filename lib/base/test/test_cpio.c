// test_cpio.c - archives: good, several in a row, cut short at every byte, and damaged at random.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "cpio.h"

struct archive {
    char   bytes[8192];
    size_t length;
};

static void add(struct archive *a, const char *name, size_t name_size, const void *data, size_t size)
{
    char *at = a->bytes + a->length;

    at += sprintf(at, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 7u, 0100644u, 1u, 2u, 1u,
                  99u, (unsigned)size, 0u, 0u, 3u, 4u, (unsigned)name_size, 0u);
    memcpy(at, name, strlen(name));
    a->length += (110 + name_size + 3) & ~3ul;
    memcpy(a->bytes + a->length, data, size);
    a->length += (size + 3) & ~3ul;
}

static void make(struct archive *a)
{
    memset(a, 0, sizeof(*a));
    add(a, "boot/first", 11, "first", 5);
    add(a, "dir", 4, "", 0);
    add(a, "padded", 306, "aligned", 7);                 // a name with NULs behind it
    add(a, "TRAILER!!!", 11, "", 0);
    a->length = (a->length + 511) & ~511ul;
    add(a, "boot/first", 11, "second!", 7);
    add(a, "TRAILER!!!", 11, "", 0);
}

static void reads_all(void **state)
{
    struct archive a;
    struct cpio_reader r;
    struct cpio_entry e;
    static const char *name[] = {"boot/first", "dir", "padded", "boot/first"};
    static const size_t size[] = {5, 0, 7, 7};
    unsigned n = 0;

    (void)state;
    make(&a);
    for (cpio_begin(&r, a.bytes, a.length); cpio_next(&r, &e); n++) {
        assert_true(n < 4);
        assert_string_equal(e.name, name[n]);
        assert_int_equal(e.size, size[n]);
        assert_int_equal(e.mode, 0100644);
        assert_true(e.ino == 7 && e.uid == 1 && e.gid == 2 && e.nlink == 1 && e.mtime == 99);
        assert_true(e.rdev_major == 3 && e.rdev_minor == 4);
    }
    assert_int_equal(n, 4);
    assert_false(r.damaged);
    assert_false(cpio_next(&r, &e));
}

static void finds_the_last(void **state)
{
    struct archive a;
    struct cpio_entry e;

    (void)state;
    make(&a);
    assert_true(cpio_find(a.bytes, a.length, "boot/first", &e));
    assert_memory_equal(e.data, "second!", 7);
    assert_true(cpio_find(a.bytes, a.length, "padded", &e));
    assert_memory_equal(e.data, "aligned", 7);
    assert_false(cpio_find(a.bytes, a.length, "padde", &e));
    assert_false(cpio_find(a.bytes, a.length, "TRAILER!!!", &e));
}

// Touch all that an entry offers, so that the sanitizer sees a wrong one.
static size_t consume(const void *bytes, size_t length)
{
    struct cpio_reader r;
    struct cpio_entry e;
    size_t sum = 0;

    for (cpio_begin(&r, bytes, length); cpio_next(&r, &e);) {
        sum += strlen(e.name);
        for (size_t i = 0; i < e.size; i++) {
            sum += ((const unsigned char *)e.data)[i];
        }
    }
    return sum;
}

static void cut_short(void **state)
{
    struct archive a;

    (void)state;
    make(&a);
    for (size_t length = 0; length <= a.length; length++) {
        char *exact = malloc(length + 1);                // the byte behind belongs to nobody
        memcpy(exact, a.bytes, length);
        char *fit = realloc(exact, length == 0 ? 1 : length);
        consume(fit, length);
        free(fit);
    }
}

static void damaged(void **state)
{
    struct archive a;
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        make(&a);
        for (int i = 0; i < 3; i++) {
            seed = seed * 1664525 + 1013904223;
            a.bytes[(seed >> 8) % a.length] = "0123456789abcdefFZ\0\xff"[(seed >> 3) % 20];
        }
        char *exact = malloc(a.length);
        memcpy(exact, a.bytes, a.length);
        consume(exact, a.length);
        free(exact);
    }
}

static void says_damaged(void **state)
{
    struct archive a;
    struct cpio_reader r;
    struct cpio_entry e;

    (void)state;
    make(&a);
    a.bytes[0] = 'x';
    cpio_begin(&r, a.bytes, a.length);
    assert_false(cpio_next(&r, &e));
    assert_true(r.damaged);
    make(&a);
    memcpy(a.bytes + 6 + 8 * 6, "ffffffff", 8);          // file size
    cpio_begin(&r, a.bytes, a.length);
    assert_false(cpio_next(&r, &e));
    assert_true(r.damaged);
    memcpy(a.bytes + 6 + 8 * 6, "00000005", 8);
    memcpy(a.bytes + 6 + 8 * 11, "00000000", 8);         // name size
    cpio_begin(&r, a.bytes, a.length);
    assert_false(cpio_next(&r, &e));
    assert_true(r.damaged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all), cmocka_unit_test(finds_the_last), cmocka_unit_test(cut_short),
        cmocka_unit_test(damaged), cmocka_unit_test(says_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
