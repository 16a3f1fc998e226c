// test_names.c - names: look-up, links, rename, permissions, directories' contents, and what /proc says of them.
#include "mock.h"

#include <stdio.h>

static int setup(void **state)
{
    (void)state;
    mock_begin(NULL, 0);
    return 0;
}

static void make(const char *path)
{
    int fd = (int)CALL(open, path, O_CREAT | O_WRONLY | O_EXCL, 0644);

    assert_true(fd >= 0);
    assert_int_equal(CALL(write, fd, path, strlen(path)), strlen(path));
    CALL(close, fd);
}

static void holds(const char *path, const char *text)
{
    char got[256] = {0};
    int fd = (int)CALL(open, path, O_RDONLY, 0);

    assert_true(fd >= 0);
    assert_true(CALL(read, fd, got, sizeof(got) - 1) >= 0);
    CALL(close, fd);
    assert_string_equal(got, text);
}

static unsigned links(const char *path)
{
    struct stat st;

    assert_int_equal(CALL(lstat, path, &st), 0);
    return (unsigned)st.st_nlink;
}

static void making_and_removing(void **state)
{
    size_t objects = mock_objects_used();

    (void)state;
    assert_int_equal(CALL(mkdir, "/d", 0777), 0);
    assert_int_equal(CALL(mkdir, "/d", 0777), -EEXIST);
    assert_int_equal(CALL(mkdir, "/d/e/", 0777), 0);
    assert_int_equal(links("/d"), 3);
    make("/d/f");
    assert_int_equal(CALL(mkdir, "/d/f", 0777), -EEXIST);
    assert_int_equal(CALL(mkdir, "/d/f/", 0777), -EEXIST);
    assert_int_equal(CALL(mkdir, "/d/f/g", 0777), -ENOTDIR);
    assert_int_equal(CALL(mkdir, "/x/y", 0777), -ENOENT);
    assert_int_equal(CALL(open, "/d/f", O_CREAT | O_EXCL | O_RDWR, 0), -EEXIST);
    assert_int_equal(CALL(open, "/d", O_CREAT | O_RDWR, 0), -EISDIR);
    assert_int_equal(CALL(open, "/d", O_WRONLY, 0), -EISDIR);
    assert_int_equal(CALL(open, "/d/f/", O_RDONLY, 0), -ENOTDIR);
    assert_int_equal(CALL(open, "/d/new/", O_CREAT | O_RDWR, 0), -EISDIR);
    assert_int_equal(CALL(open, "/d/f", O_DIRECTORY, 0), -ENOTDIR);
    assert_int_equal(CALL(open, "", O_RDONLY, 0), -ENOENT);
    assert_int_equal(CALL(rmdir, "/d"), -ENOTEMPTY);
    assert_int_equal(CALL(rmdir, "/d/f"), -ENOTDIR);
    assert_int_equal(CALL(rmdir, "/d/e/."), -EINVAL);
    assert_int_equal(CALL(rmdir, "/d/e/.."), -ENOTEMPTY);
    assert_int_equal(CALL(rmdir, "/"), -EBUSY);
    assert_int_equal(CALL(rmdir, "/proc"), -EBUSY);
    assert_int_equal(CALL(unlink, "/d/e"), -EISDIR);
    assert_int_equal(CALL(unlink, "/d/f/"), -ENOTDIR);
    assert_int_equal(CALL(unlink, "/d/none"), -ENOENT);
    assert_int_equal(CALL(unlink, "/d/f"), 0);
    assert_int_equal(CALL(rmdir, "/d/e/"), 0);
    assert_int_equal(CALL(unlinkat, AT_FDCWD, "/d", AT_REMOVEDIR), 0);
    assert_int_equal(mock_objects_used(), objects);
}

static void symbolic_links(void **state)
{
    char text[100] = {0};

    (void)state;
    CALL(mkdir, "/s", 0777);
    make("/s/file");
    assert_int_equal(CALL(symlink, "file", "/s/one"), 0);
    assert_int_equal(CALL(symlink, "/s/one", "/s/two"), 0);
    assert_int_equal(CALL(symlink, ".", "/s/dot"), 0);
    assert_int_equal(CALL(symlink, "loop", "/s/loop"), 0);
    assert_int_equal(CALL(symlink, "made", "/s/dangling"), 0);
    assert_int_equal(CALL(symlink, "", "/s/empty"), -ENOENT);
    assert_int_equal(CALL(symlink, "x", "/s/one"), -EEXIST);
    holds("/s/two", "/s/file");
    holds("/s/dot/dot/dot/../s/two", "/s/file");
    assert_int_equal(CALL(open, "/s/loop", O_RDONLY, 0), -ELOOP);
    assert_int_equal(CALL(open, "/s/loop/x", O_RDONLY, 0), -ELOOP);
    assert_int_equal(CALL(open, "/s/two", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
    assert_int_equal(CALL(open, "/s/two/", O_RDONLY, 0), -ENOTDIR);
    assert_int_equal(CALL(open, "/s/dangling", O_RDONLY, 0), -ENOENT);
    assert_int_equal(CALL(open, "/s/dangling", O_CREAT | O_EXCL | O_RDWR, 0), -EEXIST);
    assert_int_equal(CALL(mkdir, "/s/dangling", 0), -EEXIST);
    int fd = (int)CALL(open, "/s/dangling", O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    CALL(close, fd);
    assert_int_equal(links("/s/made"), 1);
    assert_int_equal(CALL(readlink, "/s/two", text, 3), 3);
    assert_string_equal(text, "/s/");
    assert_int_equal(CALL(readlink, "/s/file", text, 3), -EINVAL);
    assert_int_equal(CALL(readlink, "/s/two", text, 0), -EINVAL);
    assert_int_equal(CALL(unlink, "/s/dot/"), -ENOTDIR);
    struct stat st;
    assert_int_equal(CALL(lstat, "/s/dot", &st), 0);
    assert_int_equal(st.st_mode, S_IFLNK | 0777);
    assert_int_equal(CALL(lstat, "/s/dot/", &st), 0);
    assert_true((st.st_mode & S_IFMT) == S_IFDIR);
    // A chain of 41 links is one too many; and text that grows past 4096 bytes.
    make("/s/c0");
    for (int k = 1; k <= 41; k++) {
        char from[20], to[20];
        sprintf(from, "/s/c%d", k);
        sprintf(to, "c%d", k - 1);
        assert_int_equal(CALL(symlink, to, from), 0);
    }
    holds("/s/c40", "/s/c0");
    assert_int_equal(CALL(open, "/s/c41", O_RDONLY, 0), -ELOOP);
    char *big = malloc(5000);
    memset(big, '/', 5000);
    strcpy(big + 4080, "s/dot");
    assert_int_equal(CALL(symlink, big, "/s/big"), 0);
    assert_int_equal(CALL(open, "/s/big/file", O_RDONLY, 0), 0);
    CALL(close, 0);
    assert_int_equal(CALL(open, "/s/big/one/two/three/four", O_RDONLY, 0), -ENAMETOOLONG);
    memset(big, 'n', 300);
    big[300] = 0;
    assert_int_equal(CALL(open, big, O_RDONLY, 0), -ENAMETOOLONG);
    memset(big, 'n', 4999);
    big[4999] = 0;
    assert_int_equal(CALL(open, big, O_RDONLY, 0), -ENAMETOOLONG);
    free(big);
    assert_int_equal(CALL(open, 8, O_RDONLY, 0), -EFAULT);
}

static void hard_links(void **state)
{
    (void)state;
    CALL(mkdir, "/h", 0777);
    make("/h/a");
    assert_int_equal(CALL(link, "/h/a", "/h/b"), 0);
    assert_int_equal(CALL(link, "/h/a", "/h/b"), -EEXIST);
    assert_int_equal(CALL(link, "/h", "/h/c"), -EPERM);
    assert_int_equal(CALL(link, "/h/a", "/dev/a"), -EXDEV);
    assert_int_equal(links("/h/a"), 2);
    assert_int_equal(CALL(rename, "/h/a", "/h/b"), 0);       // one file: nothing happens
    assert_int_equal(links("/h/b"), 2);
    assert_int_equal(CALL(unlink, "/h/a"), 0);
    holds("/h/b", "/h/a");
    assert_int_equal(links("/h/b"), 1);
}

static void renaming(void **state)
{
    (void)state;
    CALL(mkdir, "/r", 0777);
    CALL(mkdir, "/r/d1", 0777);
    CALL(mkdir, "/r/d1/d2", 0777);
    CALL(mkdir, "/r/empty", 0777);
    make("/r/a");
    make("/r/b");
    assert_int_equal(CALL(renameat2, AT_FDCWD, "/r/a", AT_FDCWD, "/r/b", RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(CALL(renameat2, AT_FDCWD, "/r/a", AT_FDCWD, "/r/b", RENAME_EXCHANGE | RENAME_NOREPLACE),
                     -EINVAL);
    assert_int_equal(CALL(renameat2, AT_FDCWD, "/r/a", AT_FDCWD, "/r/d1", RENAME_EXCHANGE), 0);
    holds("/r/d1", "/r/a");
    assert_int_equal(links("/r/a"), 3);
    assert_int_equal(CALL(renameat2, AT_FDCWD, "/r/a", AT_FDCWD, "/r/a/d2", RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(CALL(renameat2, AT_FDCWD, "/r/a", AT_FDCWD, "/r/none", RENAME_EXCHANGE), -ENOENT);
    assert_int_equal(CALL(renameat2, AT_FDCWD, "/r/a", AT_FDCWD, "/r/d1", RENAME_EXCHANGE), 0);
    assert_int_equal(CALL(rename, "/r/a", "/r/b"), 0);
    holds("/r/b", "/r/a");
    assert_int_equal(CALL(rename, "/r/a", "/r/b"), -ENOENT);
    assert_int_equal(CALL(rename, "/r/d1", "/r/d1/d2/x"), -EINVAL);
    assert_int_equal(CALL(rename, "/r/d1", "/r/d1/x"), -EINVAL);
    assert_int_equal(CALL(rename, "/r/d1/d2", "/r/d1"), -ENOTEMPTY);
    assert_int_equal(CALL(rename, "/r/b", "/r/d1"), -EISDIR);
    assert_int_equal(CALL(rename, "/r/d1", "/r/b"), -ENOTDIR);
    assert_int_equal(CALL(rename, "/r/empty", "/r/d1"), -ENOTEMPTY);
    assert_int_equal(CALL(rename, "/r/d1/.", "/r/x"), -EBUSY);
    assert_int_equal(CALL(rename, "/r/b", "/r/x/"), -ENOTDIR);
    assert_int_equal(CALL(rename, "/r/b", "/dev/b"), -EXDEV);
    assert_int_equal(links("/r"), 4);
    assert_int_equal(CALL(rename, "/r/d1", "/r/empty"), 0);
    assert_int_equal(links("/r"), 3);
    assert_int_equal(CALL(rename, "/r/empty/d2", "/r/up/"), 0);
    assert_int_equal(links("/r"), 4);
    assert_int_equal(links("/r/empty"), 2);
    // An open file keeps its bytes when another takes its name.
    int fd = (int)CALL(open, "/r/b", O_RDONLY, 0);
    char got[10] = {0};
    make("/r/n");
    assert_int_equal(CALL(rename, "/r/n", "/r/b"), 0);
    assert_int_equal(CALL(read, fd, got, 9), 4);
    assert_string_equal(got, "/r/a");
    CALL(close, fd);
}

static void working_directory(void **state)
{
    char cwd[256];

    (void)state;
    CALL(mkdir, "/w", 0777);
    CALL(mkdir, "/w/x", 0777);
    CALL(mkdir, "/w/x/y", 0777);
    assert_int_equal(CALL(chdir, "/w/x/y"), 0);
    assert_int_equal(CALL(getcwd, cwd, sizeof(cwd)), 7);
    assert_string_equal(cwd, "/w/x/y");
    assert_int_equal(CALL(getcwd, cwd, 6), -ERANGE);
    assert_int_equal(CALL(rename, "/w/x", "/w/moved"), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/w/moved/y");
    assert_int_equal(CALL(chdir, "../../../.."), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/");
    // A removed directory: nothing can be made in it, and the way out is still there.
    CALL(chdir, "/w/moved/y");
    assert_int_equal(CALL(rmdir, "/w/moved/y"), 0);
    assert_int_equal(CALL(rmdir, "/w/moved"), 0);
    assert_int_equal(CALL(getcwd, cwd, sizeof(cwd)), -ENOENT);
    assert_int_equal(CALL(open, "new", O_CREAT | O_RDWR, 0600), -ENOENT);
    assert_int_equal(CALL(mkdir, "new", 0600), -ENOENT);
    assert_int_equal(CALL(chdir, "../.."), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/w");
    int fd = (int)CALL(open, "/dev/pts", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(CALL(fchdir, fd), 0);
    CALL(close, fd);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/dev/pts");
    assert_int_equal(CALL(chdir, "../.."), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/");
    assert_int_equal(CALL(chdir, "/proc/self"), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/proc/1");
    assert_int_equal(CALL(chdir, "fd/../../.."), 0);
    assert_int_equal(CALL(chdir, "/proc/sys/kernel"), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/proc/sys/kernel");
    assert_int_equal(CALL(chdir, "/dev/null"), -ENOTDIR);
    assert_int_equal(CALL(chdir, "/"), 0);
    // In a root of its own, ".." stays inside.
    struct inode *root = mock_task.fs->root;
    inode_get(root);
    CALL(mkdir, "/w/root", 0777);
    assert_int_equal(CALL(chroot, "/w"), 0);
    assert_int_equal(CALL(chdir, "/../../root/../.."), 0);
    CALL(getcwd, cwd, sizeof(cwd));
    assert_string_equal(cwd, "/");
    assert_int_equal(CALL(open, "/dev/null", O_RDONLY, 0), -ENOENT);
    inode_put(mock_task.fs->root);
    mock_task.fs->root = root;
    CALL(chdir, "/");
}

static void permissions(void **state)
{
    struct creds *c = &mock_task.creds;

    (void)state;
    CALL(umask, 027);
    CALL(mkdir, "/p", 0777);
    make("/p/f");
    struct stat st;
    CALL(stat, "/p/f", &st);
    assert_int_equal(st.st_mode & 07777, 0640);
    CALL(mkdir, "/sticky", 0);
    assert_int_equal(CALL(chmod, "/sticky", 01777), 0);
    make("/sticky/of_root");
    c->uid = c->euid = 1000;
    c->gid = c->egid = 1000;
    assert_int_equal(CALL(open, "/p/f", O_RDONLY, 0), -EACCES);
    assert_int_equal(CALL(unlink, "/sticky/of_root"), -EPERM);
    assert_int_equal(CALL(chmod, "/sticky/of_root", 0777), -EPERM);
    assert_int_equal(CALL(chown, "/sticky/of_root", 1000, -1), -EPERM);
    assert_int_equal(CALL(mkdir, "/mine", 0777), -EACCES);
    assert_int_equal(CALL(mknod, "/sticky/null", S_IFCHR | 0666, 0x103), -EPERM);
    assert_int_equal(CALL(mknod, "/sticky/fifo", S_IFIFO | 0666, 0), 0);
    assert_int_equal(CALL(unlink, "/sticky/fifo"), 0);
    make("/sticky/mine");
    assert_int_equal(CALL(chown, "/sticky/mine", 1000, 1000), 0);
    assert_int_equal(CALL(chown, "/sticky/mine", 1000, 5), -EPERM);
    assert_int_equal(CALL(chmod, "/sticky/mine", 0000), 0);
    assert_int_equal(CALL(open, "/sticky/mine", O_RDONLY, 0), -EACCES);
    c->euid = 0;                             // access() asks for the real one
    assert_int_equal(CALL(access, "/sticky/mine", 4), -EACCES);
    assert_int_equal(CALL(faccessat2, AT_FDCWD, "/sticky/mine", 4, AT_EACCESS), 0);
    assert_int_equal(CALL(access, "/p/f", 0), -EACCES);
    c->uid = c->gid = c->egid = 0;
    assert_int_equal(CALL(access, "/sticky/mine", 1), -EACCES);
    assert_int_equal(CALL(chroot, "/p/f"), -ENOTDIR);
    CALL(umask, 022);
}

static void times(void **state)
{
    struct __kernel_timespec ts[2] = {{100, 5}, {-3, 7}};
    struct stat st;

    (void)state;
    make("/times");
    assert_int_equal(CALL(utimensat, AT_FDCWD, "/times", ts, 0), 0);
    CALL(stat, "/times", &st);
    assert_true(st.st_atime == 100 && st.st_atime_nsec == 5);
    assert_true((long)st.st_mtime == -3 && st.st_mtime_nsec == 7);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = 1000000000;
    assert_int_equal(CALL(utimensat, AT_FDCWD, "/times", ts, 0), -EINVAL);
    ts[1].tv_nsec = UTIME_NOW;
    assert_int_equal(CALL(utimensat, AT_FDCWD, "/times", ts, 0), 0);
    CALL(stat, "/times", &st);
    assert_true(st.st_atime == 100 && st.st_mtime == mock_now / 1000000000);
    struct statx x;
    assert_int_equal(CALL(statx, AT_FDCWD, "/times", 0, STATX_BASIC_STATS, &x), 0);
    assert_true(x.stx_atime.tv_sec == 100 && x.stx_size == 6 && x.stx_mode == (S_IFREG | 0644));
    assert_int_equal(CALL(statx, 0, "", 0, 0, &x), -ENOENT);
    assert_int_equal(CALL(newfstatat, AT_FDCWD, "", &st, AT_EMPTY_PATH), 0);
    assert_true((st.st_mode & S_IFMT) == S_IFDIR);
    assert_int_equal(CALL(newfstatat, AT_FDCWD, "", &st, 0x80000), -EINVAL);
}

static unsigned count_entries(const char *path, size_t size, unsigned *calls)
{
    int fd = (int)CALL(open, path, O_RDONLY | O_DIRECTORY, 0);
    unsigned count = 0;
    uint8_t b[8192];
    long n;

    assert_true(fd >= 0);
    *calls = 0;
    while ((n = CALL(getdents64, fd, b, size)) > 0) {
        ++*calls;
        for (long at = 0; at < n;) {
            const struct linux_dirent *d = (const struct linux_dirent *)(b + at);
            assert_true(d->length % 8 == 0 && d->length >= 24 && at + d->length <= n);
            count++;
            at += d->length;
        }
    }
    assert_int_equal(n, 0);
    CALL(close, fd);
    return count;
}

static void contents(void **state)
{
    unsigned calls;
    uint8_t b[24];

    (void)state;
    CALL(mkdir, "/c", 0777);
    assert_int_equal(count_entries("/c", 4096, &calls), 2);
    for (int k = 0; k < 300; k++) {
        char name[40];
        sprintf(name, "/c/file-number-%d", k);
        make(name);
    }
    assert_int_equal(count_entries("/c", 4096, &calls), 302);
    assert_true(calls > 2);
    assert_int_equal(count_entries("/c", 48, &calls), 302);
    int fd = (int)CALL(open, "/c", O_RDONLY, 0);
    assert_int_equal(CALL(getdents64, fd, b, 20), -EINVAL);
    // Entries that go while a reader is on its way, as rm -r does it.
    uint8_t some[1024];
    long n;
    unsigned removed = 0;
    while ((n = CALL(getdents64, fd, some, sizeof(some))) > 0) {
        for (long at = 0; at < n;) {
            const struct linux_dirent *d = (const struct linux_dirent *)(some + at);
            if (d->name[0] != '.') {
                assert_int_equal(CALL(unlinkat, fd, d->name, 0), 0);
                removed++;
            }
            at += d->length;
        }
    }
    assert_int_equal(removed, 300);
    CALL(close, fd);
    assert_int_equal(CALL(rmdir, "/c"), 0);
    assert_true(count_entries("/proc", 4096, &calls) >= 11);
    assert_int_equal(count_entries("/proc/self", 32, &calls), 12);
    assert_int_equal(count_entries("/proc/self/fd", 4096, &calls), 3);
    assert_true(count_entries("/dev", 4096, &calls) >= 17);
}

static void proc_files(void **state)
{
    static char text[8192];
    static const char *const files[] = {
        "/proc/meminfo", "/proc/uptime", "/proc/cpuinfo", "/proc/version", "/proc/filesystems", "/proc/mounts",
        "/proc/sys/kernel/hostname", "/proc/self/stat", "/proc/self/status", "/proc/self/comm",
        "/proc/1/stat", "/proc/1/maps",
    };
    struct stat st;

    (void)state;
    for (unsigned k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
        int fd = (int)CALL(open, files[k], O_RDONLY, 0);
        assert_true(fd >= 0);
        memset(text, 0, sizeof(text));
        long n = CALL(read, fd, text, sizeof(text) - 1);
        assert_true(n > 0 && text[n - 1] == '\n' && strlen(text) == (size_t)n);
        assert_int_equal(CALL(read, fd, text, 100), 0);
        // In small pieces it is the same.
        CALL(lseek, fd, 0, SEEK_SET);
        long total = 0, m;
        while ((m = CALL(read, fd, text + 4000, 7)) > 0) {
            total += m;
        }
        assert_true(total >= n - 2 && total <= n + 2);
        CALL(close, fd);
    }
    int fd = (int)CALL(open, "/proc/self/cmdline", O_RDONLY, 0);
    assert_int_equal(CALL(read, fd, text, sizeof(text)), 5000);
    CALL(close, fd);
    assert_int_equal(CALL(stat, "/proc/77", &st), -ENOENT);
    assert_int_equal(CALL(stat, "/proc/01", &st), -ENOENT);
    assert_int_equal(CALL(open, "/proc/version", O_RDWR, 0), -EACCES);
    assert_true(CALL(open, "/proc/new", O_RDWR | O_CREAT, 0600) < 0);
    assert_true(CALL(mkdir, "/proc/new", 0600) < 0);
    assert_true(CALL(unlink, "/proc/version") < 0);
    assert_true(CALL(rename, "/proc/version", "/proc/x") < 0);
    assert_true(CALL(link, "/proc/version", "/x") < 0);
    assert_int_equal(CALL(readlink, "/proc/self", text, 100), 1);
    // A descriptor opened again by its name in /proc.
    make("/again");
    fd = (int)CALL(open, "/again", O_RDONLY, 0);
    char name[30];
    sprintf(name, "/dev/fd/%d", fd);
    holds(name, "/again");
    sprintf(name, "/proc/self/fd/%d/x", fd);
    assert_int_equal(CALL(stat, name, &st), -ENOTDIR);
    CALL(close, fd);
    struct statfs fs;
    assert_int_equal(CALL(statfs, "/proc/self", &fs), 0);
    assert_int_equal(fs.f_type, PROC_SUPER_MAGIC);
    assert_int_equal(CALL(umount2, "/proc", 0), -EBUSY);
    assert_int_equal(CALL(umount2, "/again", 0), -EINVAL);
}

static void exec_look_up(void **state)
{
    struct inode *i;
    char name[64];

    (void)state;
    make("/prog");
    assert_int_equal(fs_open_exec(&mock_task, "/prog", &i, name, sizeof(name)), -EACCES);
    CALL(chmod, "/prog", 0755);
    CALL(symlink, "../prog", "/tmp/to");
    assert_int_equal(fs_open_exec(&mock_task, "tmp/to", &i, name, sizeof(name)), 0);
    assert_string_equal(name, "/prog");
    char got[8] = {0};
    assert_int_equal(inode_read(i, got, 1, 7), 4);
    assert_string_equal(got, "prog");
    inode_put(i);
    assert_int_equal(fs_open_exec(&mock_task, "/tmp", &i, name, sizeof(name)), -EACCES);
    assert_int_equal(fs_open_exec(&mock_task, "", &i, name, sizeof(name)), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_and_removing), cmocka_unit_test(symbolic_links), cmocka_unit_test(hard_links),
        cmocka_unit_test(renaming), cmocka_unit_test(working_directory), cmocka_unit_test(permissions),
        cmocka_unit_test(times), cmocka_unit_test(contents), cmocka_unit_test(proc_files),
        cmocka_unit_test(exec_look_up),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
