// test_grind.c - long random runs: names against the rules of link counts, bytes against a plain array, and at the
// end all memory back.
#include "mock.h"

#include <stdio.h>

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static unsigned rnd(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 32) % below);
}

static int setup(void **state)
{
    (void)state;
    mock_begin(NULL, 0);
    // The first use of things that stay.
    assert_int_equal(CALL(open, "/warm", O_CREAT | O_RDWR, 0600), 0);
    assert_int_equal(CALL(dup2, 0, 1000), 1000);             // the table of descriptors grows once
    CALL(close_range, 0, 1023, 0);
    CALL(rename, "/warm", "/warm2");
    CALL(unlink, "/warm2");
    return 0;
}

static void some_path(char *to)
{
    unsigned depth = 1 + rnd(4);

    strcpy(to, rnd(2) != 0 ? "" : ".");
    while (depth-- > 0) {
        unsigned what = rnd(12);
        strcat(to, what == 0 ? "/.." : what == 1 ? "/." : what == 2 ? "//" : "/");
        if (what > 2) {
            size_t n = strlen(to);
            to[n] = (char)('a' + rnd(5));
            to[n + 1] = 0;
        }
    }
    if (rnd(10) == 0) {
        strcat(to, "/");
    }
}

static void check_tree(const char *path, unsigned depth)
{
    uint8_t b[4096];
    struct stat st;
    unsigned directories = 0;
    int fd = (int)CALL(open, path, O_RDONLY | O_DIRECTORY, 0);
    long n;

    if (fd < 0) {
        print_error("%s: %d\n", path, fd);
    }
    assert_true(fd >= 0 && depth < 250);
    while ((n = CALL(getdents64, fd, b, sizeof(b))) > 0) {
        for (long at = 0; at < n;) {
            const struct linux_dirent *d = (const struct linux_dirent *)(b + at);
            at += d->length;
            if (d->name[0] == '.') {
                continue;
            }
            char child[600];
            snprintf(child, sizeof(child), "%s/%s", path, d->name);
            assert_int_equal(CALL(lstat, child, &st), 0);
            assert_int_equal(st.st_ino, d->number);
            assert_int_equal(st.st_mode >> 12, d->type);
            if ((st.st_mode & S_IFMT) == S_IFDIR) {
                directories++;
                check_tree(child, depth + 1);
            }
        }
    }
    assert_int_equal(CALL(fstat, fd, &st), 0);
    assert_int_equal(st.st_nlink, 2 + directories);
    CALL(close, fd);
}

static void remove_tree(const char *path)
{
    uint8_t b[4096];
    int fd = (int)CALL(open, path, O_RDONLY | O_DIRECTORY, 0);
    long n;

    while ((n = CALL(getdents64, fd, b, sizeof(b))) > 0) {
        for (long at = 0; at < n;) {
            const struct linux_dirent *d = (const struct linux_dirent *)(b + at);
            at += d->length;
            if (d->name[0] == '.') {
                continue;
            }
            char child[600];
            snprintf(child, sizeof(child), "%s/%s", path, d->name);
            if (d->type == 4) {
                remove_tree(child);
            } else {
                assert_int_equal(CALL(unlink, child), 0);
            }
        }
    }
    CALL(close, fd);
    assert_int_equal(CALL(rmdir, path), 0);
}

// A root of its own, so that nothing outside is touched.
static struct inode *real_root;
static void enter(const char *path)
{
    real_root = mock_task.fs->root;
    inode_get(real_root);
    assert_int_equal(CALL(mkdir, path, 0755), 0);
    assert_int_equal(CALL(chroot, path), 0);
    assert_int_equal(CALL(chdir, "/"), 0);
}

static void leave(void)
{
    inode_put(mock_task.fs->root);
    mock_task.fs->root = real_root;
    assert_int_equal(CALL(chdir, "/"), 0);
}

static void one_operation(void)
{
    char a[64], b[64], text[64];
    long fd = -1;

    some_path(a);
    some_path(b);
    switch (rnd(14)) {
    case 0: CALL(mkdir, a, 0755); break;
    case 1: CALL(mkdir, b, 0755); break;
    case 2: CALL(rmdir, a); break;
    case 3: CALL(unlink, a); break;
    case 4: CALL(rename, a, b); break;
    case 5: CALL(renameat2, AT_FDCWD, a, AT_FDCWD, b, 1u << rnd(2)); break;
    case 6: CALL(link, a, b); break;
    case 7: CALL(symlink, a, b); break;
    case 8: CALL(chdir, a); break;
    case 9: CALL(readlink, a, text, sizeof(text)); break;
    case 10:
    case 11:
        fd = CALL(open, a, O_RDWR | (rnd(2) != 0 ? O_CREAT : 0) | (rnd(4) == 0 ? O_TRUNC : 0), 0644);
        if (fd >= 0 && rnd(2) == 0) {
            CALL(pwrite64, fd, a, strlen(a), (uint64_t)rnd(3) * 5000);
        }
        break;
    case 12: CALL(open, a, O_RDONLY | O_DIRECTORY, 0); break;
    default: CALL(close, rnd(20)); break;
    }
    if (fd > 18) {
        CALL(close, fd);
    }
    char cwd[512];
    long n = CALL(getcwd, cwd, sizeof(cwd));
    assert_true(n > 0 || n == -ENOENT || n == -ENOMEM || n == -ERANGE);
}

static void names(void **state)
{
    size_t objects = mock_objects_used();
    unsigned frames = mock_frames_used(), left = mock_frames_left;

    (void)state;
    enter("/g");
    for (int round = 0; round < 200; round++) {
        for (int k = 0; k < 500; k++) {
            mock_frames_left = rnd(20) == 0 ? rnd(3) : 5000;
            one_operation();
        }
        mock_frames_left = 5000;
        check_tree("/.", 0);
        if (rnd(3) == 0) {
            CALL(close_range, 0, 1023, 0);
        }
    }
    CALL(close_range, 0, 1023, 0);
    leave();
    remove_tree("/g");
    mock_frames_left = left;
    assert_int_equal(mock_objects_used(), objects);
    assert_true(mock_frames_used() <= frames + 4);
}

enum { MOST = 300000 };
static uint8_t shadow[MOST], bytes[MOST], got[MOST];

static void data(void **state)
{
    size_t size = 0;
    unsigned frames = mock_frames_used(), left = mock_frames_left;
    int fd = (int)CALL(open, "/data", O_CREAT | O_RDWR, 0600);

    (void)state;
    assert_true(fd >= 0);
    for (int k = 0; k < 20000; k++) {
        unsigned at = rnd(rnd(4) == 0 ? MOST : 20000), n = rnd(rnd(10) == 0 ? 60000 : 5000);
        n = at + n > MOST ? MOST - at : n;
        mock_frames_left = rnd(10) == 0 ? rnd(4) : 5000;
        long e = 0;
        switch (rnd(6)) {
        case 0:
        case 1:
            memset(bytes, (int)rnd(256), n);
            e = CALL(pwrite64, fd, bytes, n, at);
            assert_true(e == -ENOSPC || (e >= 0 && e <= n));
            if (e > 0) {
                memcpy(shadow + at, bytes, (size_t)e);
                size = at + (size_t)e > size ? at + (size_t)e : size;
            }
            break;
        case 2:
            assert_int_equal(CALL(ftruncate, fd, at), 0);
            memset(shadow + at, 0, MOST - at);
            size = at;
            break;
        case 3:
            if (CALL(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n + 1) == 0) {
                memset(shadow + at, 0, n + 1 > MOST - at ? MOST - at : n + 1);
            } else {
                // Part of it may be clear: bring the copy in line.
                memset(shadow + at, 0, MOST - at);
                assert_int_equal(CALL(ftruncate, fd, at), 0);
                size = at;
            }
            break;
        default:
            break;
        }
        long have = at < size ? (long)(size - at < n ? size - at : n) : 0;
        assert_int_equal(CALL(pread64, fd, got, n, at), have);
        assert_memory_equal(got, shadow + at, (size_t)have);
        assert_int_equal(CALL(lseek, fd, 0, SEEK_END), size);
    }
    mock_frames_left = left;
    CALL(close, fd);
    assert_int_equal(CALL(unlink, "/data"), 0);
    assert_int_equal(mock_frames_used(), frames);
}

// Random arguments to every call: an error or a result, and nothing else happens.
static void wild(void **state)
{
    static const ux_call calls[] = {
#define UX(number, name, flags) ux_sys_##name,
#include "../calls_file.def"
#undef UX
    };
    static uint8_t page[8192];
    uint64_t a[6];

    (void)state;
    enter("/wild");
    for (int k = 0; k < 200000; k++) {
        for (int j = 0; j < 6; j++) {
            switch (rnd(7)) {
            case 0: a[j] = rnd(8); break;
            case 1: a[j] = rnd(1100); break;
            case 2: a[j] = seed; break;
            case 3: a[j] = (uint64_t)-(int64_t)rnd(200); break;
            case 4: a[j] = (uint64_t)1 << rnd(64); break;
            default: a[j] = (uint64_t)(page + rnd(sizeof(page))); break;
            }
        }
        for (int j = 0; j < 8; j++) {
            page[rnd(sizeof(page))] = (uint8_t)(rnd(3) == 0 ? rnd(256) : rnd(3) == 0 ? '/' : rnd(3));
        }
        page[4095] = 0;
        unsigned which = rnd(sizeof(calls) / sizeof(calls[0]));
        mock_user_from = (va_t)page;
        mock_user_to = (va_t)page + sizeof(page);
        mock_frames_left = rnd(50) == 0 ? rnd(3) : 5000;
        long e = calls[which](&mock_task, a);
        assert_true(e > -4096);
        mock_user_from = ABI_PAGE;
        mock_user_to = ABI_USER_END;
        if (rnd(500) == 0) {
            mock_frames_left = 5000;
            CALL(close_range, 0, 1023, 0);
        }
    }
    mock_frames_left = 5000;
    CALL(close_range, 0, 1023, 0);
    check_tree("/.", 0);
    leave();
    check_tree("/wild", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names), cmocka_unit_test(data), cmocka_unit_test(wild),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
