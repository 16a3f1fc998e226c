// test_text.c - formatted text and numbers.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "check.h"

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define SAME(...)                                                            \
    do {                                                                     \
        char own[200], host[200];                                            \
        int m = base_format(own, sizeof(own), __VA_ARGS__);                  \
        int n = snprintf(host, sizeof(host), __VA_ARGS__);                   \
        assert_string_equal(own, host);                                      \
        assert_int_equal(m, n);                                              \
    } while (0)

static void as_printf(void **state)
{
    (void)state;
    SAME("plain");
    SAME("%d %i %u", -1, INT_MIN, UINT_MAX);
    SAME("%5d|%-5d|%05d|%+d|% d", 42, 42, -42, 42, 42);
    SAME("%x %X %#x %o", 0xabcdu, 0xabcdu, 0xabcdu, 8u);
    SAME("%016lx|%lx|%llx|%lu", 0x1234abcdul, ~0ul, ~0ull, ~0ul);
    SAME("%ld %lld %zd %zu", LONG_MIN, LLONG_MAX, (ssize_t)-3, (size_t)7);
    SAME("%hhx %hx %hhd", 0x1ff, 0x1ffff, 0xff);
    SAME("%s|%10s|%-10s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
    SAME("%*d|%-*d|%*d", 5, 1, 5, 2, -5, 3);
    SAME("%c%c%%", 'a', 'b');
    SAME("%.3d %.0d %8.3x", 5, 0, 10u);
    SAME("%p", (void *)0x1000);
}

static void cut_to_size(void **state)
{
    char buffer[8] = "#######";

    (void)state;
    assert_int_equal(base_format(buffer, 4, "%s", "abcdef"), 6);
    assert_string_equal(buffer, "abc");
    assert_int_equal(buffer[4], '#');
    assert_int_equal(base_format(buffer, 0, "%s", "abcdef"), 6);
    assert_string_equal(buffer, "abc");
    assert_int_equal(base_format(NULL, 0, "%1000d", 5), 1000);
}

static void odd_formats(void **state)
{
    char buffer[64];

    (void)state;
    base_format(buffer, sizeof(buffer), "a %y %d", 1);
    assert_string_equal(buffer, "a %y %d");
    base_format(buffer, sizeof(buffer), "a %");
    assert_string_equal(buffer, "a %");
    base_format(buffer, sizeof(buffer), "%s", (char *)NULL);
    assert_string_equal(buffer, "(null)");
}

static void numbers(void **state)
{
    static const struct { const char *text; bool ok; uint64_t value; size_t used; } table[] = {
        {"0", true, 0, 1}, {"42x", true, 42, 2}, {"0x1F ", true, 0x1f, 4}, {"", false, 0, 0},
        {"-1", false, 0, 0},
        {"0x", false, 0, 0}, {"18446744073709551615", true, ~0ull, 20}, {"18446744073709551616", false, 0, 0},
        {"0xfffffffffffffffff", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *at = table[i].text;
        uint64_t v = 77;
        assert_int_equal(base_parse_number(&at, &v), table[i].ok);
        assert_int_equal(at - table[i].text, table[i].used);
        assert_true(v == (table[i].ok ? table[i].value : 77));
    }
}

static void sizes(void **state)
{
    static const struct { const char *text; bool ok; uint64_t value; size_t used; } table[] = {
        {"64M", true, 64ull << 20, 3}, {"4096", true, 4096, 4}, {"1k ", true, 1024, 2},
        {"2G", true, 2ull << 30, 2},
        {"1T", true, 1ull << 40, 2}, {"99999999999G", false, 0, 0}, {"M", false, 0, 0},
        {"16777216T", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *at = table[i].text;
        uint64_t v = 77;
        assert_int_equal(base_parse_size(&at, &v), table[i].ok);
        assert_int_equal(at - table[i].text, table[i].used);
        assert_true(v == (table[i].ok ? table[i].value : 77));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_printf), cmocka_unit_test(cut_to_size), cmocka_unit_test(odd_formats),
        cmocka_unit_test(numbers), cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
