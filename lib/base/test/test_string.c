// test_string.c - string.c against the host's library, at every size, alignment and overlap up to some.
#include <string.h>

#include "check.h"

enum { ROOM = 160 };
static unsigned char a[ROOM], b[ROOM];

static void fill(void)
{
    for (int i = 0; i < ROOM; i++) {
        a[i] = b[i] = (unsigned char)(i * 7 + 3);
    }
}

// The names of own_names.h without the redefinitions: string.h is in use here.
void  *own_memcpy(void *restrict to, const void *restrict from, size_t size);
void  *own_memmove(void *to, const void *from, size_t size);
void  *own_memset(void *to, int byte, size_t size);
int    own_memcmp(const void *x, const void *y, size_t size);
void  *own_memchr(const void *p, int byte, size_t size);
size_t own_strlen(const char *s);
size_t own_strnlen(const char *s, size_t most);
int    own_strcmp(const char *x, const char *y);
int    own_strncmp(const char *x, const char *y, size_t most);
char  *own_strchr(const char *s, int c);
char  *own_strrchr(const char *s, int c);

static void moves(void **state)
{
    (void)state;
    for (size_t size = 0; size < 70; size++) {
        for (size_t from = 0; from < 40; from++) {
            for (size_t to = 0; to < 40; to++) {
                fill();
                memmove(a + to, a + from, size);
                assert_ptr_equal(own_memmove(b + to, b + from, size), b + to);
                assert_memory_equal(a, b, ROOM);
            }
        }
    }
}

static void copies(void **state)
{
    (void)state;
    for (size_t size = 0; size < 70; size++) {
        for (size_t at = 0; at < 10; at++) {
            fill();
            memcpy(a + at, a + 80, size);
            assert_ptr_equal(own_memcpy(b + at, b + 80, size), b + at);
            assert_memory_equal(a, b, ROOM);
        }
    }
}

static void sets(void **state)
{
    (void)state;
    for (size_t size = 0; size < 70; size++) {
        for (size_t at = 0; at < 10; at++) {
            fill();
            memset(a + at, 0x1a5, size);
            assert_ptr_equal(own_memset(b + at, 0x1a5, size), b + at);
            assert_memory_equal(a, b, ROOM);
        }
    }
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void comparisons(void **state)
{
    static const char *word[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "abcdefghij", "abcdefghik"};
    enum { N = sizeof(word) / sizeof(word[0]) };

    (void)state;
    for (int i = 0; i < N; i++) {
        assert_int_equal(own_strlen(word[i]), strlen(word[i]));
        assert_int_equal(own_strnlen(word[i], 3), strnlen(word[i], 3));
        for (int j = 0; j < N; j++) {
            assert_int_equal(sign(own_strcmp(word[i], word[j])), sign(strcmp(word[i], word[j])));
            for (size_t n = 0; n < 12; n++) {
                assert_int_equal(sign(own_strncmp(word[i], word[j], n)), sign(strncmp(word[i], word[j], n)));
            }
        }
    }
    for (size_t i = 0; i < 40; i++) {
        fill();
        assert_int_equal(own_memcmp(a, b, 40), 0);
        b[i] ^= 0x80;
        assert_int_equal(sign(own_memcmp(a, b, 40)), sign(memcmp(a, b, 40)));
        assert_int_equal(own_memcmp(a, b, i), 0);
    }
}

static void searches(void **state)
{
    const char *s = "one/two/three";

    (void)state;
    assert_ptr_equal(own_strchr(s, '/'), strchr(s, '/'));
    assert_ptr_equal(own_strrchr(s, '/'), strrchr(s, '/'));
    assert_ptr_equal(own_strchr(s, 'x'), NULL);
    assert_ptr_equal(own_strrchr(s, 'x'), NULL);
    assert_ptr_equal(own_strchr(s, 0), s + strlen(s));
    assert_ptr_equal(own_strrchr(s, 0), s + strlen(s));
    assert_ptr_equal(own_memchr(s, 't', 13), memchr(s, 't', 13));
    assert_ptr_equal(own_memchr(s, 't', 3), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves), cmocka_unit_test(copies), cmocka_unit_test(sets),
        cmocka_unit_test(comparisons), cmocka_unit_test(searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
