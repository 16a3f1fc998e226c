// test_files.c - what files hold: the boot archive's bytes, writes, holes, pages for mapping; memory running out;
// locks and descriptors.
#include "mock.h"

#include <stdio.h>

enum { BIG = 3 * ABI_PAGE + 100 };
static uint8_t archive[64 * 1024] __attribute__((aligned(ABI_PAGE)));
static size_t archive_length;
static uint8_t buffer[16 * ABI_PAGE], other[16 * ABI_PAGE];

// One newc entry; data of more than a page is aligned by padding the name.
static void add(const char *name, unsigned mode, const void *data, size_t size)
{
    size_t head = archive_length + 110, n = strlen(name) + 1;

    if (size > ABI_PAGE) {
        n = ((head + n + ABI_PAGE - 1) & ~(size_t)(ABI_PAGE - 1)) - head;
    } else {
        n = ((head + n + 3) & ~(size_t)3) - head;
    }
    sprintf((char *)archive + archive_length,
            "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 0, 0, 1, 1000,
            (unsigned)size, 0, 0, 0, 0, (unsigned)n, 0);
    memset(archive + head, 0, n);
    strcpy((char *)archive + head, name);
    memcpy(archive + head + n, data, size);
    archive_length = (head + n + size + 3) & ~(size_t)3;
    assert_true(archive_length < sizeof(archive));
}

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static int setup(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(buffer); k++) {
        buffer[k] = pattern(k);
    }
    add("root/etc", S_IFDIR | 0755, "", 0);
    add("root/etc/text", S_IFREG | 0644, "hello\n", 6);
    add("root/bin/big", S_IFREG | 0755, buffer, BIG);
    add("root/bin/link", S_IFLNK | 0777, "big", 3);
    add("boot/run", S_IFREG | 0644, "x", 1);
    add("root/etc/text", S_IFREG | 0600, "hello again\n", 12);
    mock_begin(archive, archive_length);
    return 0;
}

static int open_file(const char *path, unsigned flags)
{
    int fd = (int)CALL(open, path, flags, 0666);

    assert_true(fd >= 0);
    return fd;
}

static void archive_files(void **state)
{
    struct stat st;

    (void)state;
    int fd = open_file("/etc/text", O_RDONLY);
    assert_int_equal(CALL(read, fd, other, 100), 12);        // the later entry
    assert_memory_equal(other, "hello again\n", 12);
    assert_int_equal(CALL(read, fd, other, 100), 0);
    assert_int_equal(CALL(fstat, fd, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(CALL(write, fd, other, 1), -EBADF);
    CALL(close, fd);
    fd = open_file("/bin/link", O_RDONLY);
    assert_int_equal(CALL(read, fd, other, sizeof(other)), BIG);
    assert_memory_equal(other, buffer, BIG);
    CALL(close, fd);
    assert_int_equal(CALL(access, "/bin/big", 1), 0);
    assert_int_equal(CALL(open, "/boot/run", O_RDONLY), -ENOENT);
    assert_int_equal(CALL(read, 99, other, 1), -EBADF);
}

// What a mapping of a page would show; 0: there is no such page.
static pa_t page_shown(struct inode *i, uint64_t index, bool write)
{
    struct segment *s = inode_segment(i);
    pa_t frame = 0;

    err_t e = segment_page(s, index, write, &frame);
    segment_put(s);
    return e == ERR_OK ? frame : 0;
}

static void pages(void **state)
{
    struct inode *i;
    unsigned before = mock_frames_used();

    (void)state;
    int fd = open_file("/bin/big", O_RDWR);
    assert_int_equal(fd_mmap_inode(&mock_task, fd, false, &i), 0);
    // Whole pages are those of the archive itself; the last one is a copy with zeros behind.
    pa_t first = page_shown(i, 0, false), last = page_shown(i, 3, false);
    assert_true(first % ABI_PAGE == 0 && (uint8_t *)ak_window(first) >= archive
                && (uint8_t *)ak_window(first) < archive + sizeof(archive));
    assert_memory_equal(ak_window(first), buffer, ABI_PAGE);
    assert_memory_equal(ak_window(last), buffer + 3 * ABI_PAGE, 100);
    for (unsigned k = 100; k < ABI_PAGE; k++) {
        assert_int_equal(((uint8_t *)ak_window(last))[k], 0);
    }
    assert_true(page_shown(i, 4, false) == 0);
    // A write does not touch the archive, and reading sees it.
    assert_int_equal(CALL(pwrite64, fd, "abc", 3, ABI_PAGE - 1), 3);
    assert_int_equal(CALL(pread64, fd, other, 8, ABI_PAGE - 2), 8);
    assert_int_equal(other[0], pattern(ABI_PAGE - 2));
    assert_memory_equal(other + 1, "abc", 3);
    assert_int_equal(other[4], pattern(ABI_PAGE + 2));
    assert_memory_equal(ak_window(first), buffer, ABI_PAGE);
    // A page mapped to be written is the file's own from then on, for everybody.
    pa_t shared = page_shown(i, 2, true), again = page_shown(i, 2, false);
    assert_true(shared == again);
    ((uint8_t *)ak_window(shared))[5] = 'Z';
    assert_int_equal(CALL(pread64, fd, other, 1, 2 * ABI_PAGE + 5), 1);
    assert_int_equal(other[0], 'Z');
    // What a mapping wrote past the end does not appear when the file grows.
    pa_t tail = page_shown(i, 3, true);
    ((uint8_t *)ak_window(tail))[200] = 'Q';
    assert_int_equal(CALL(ftruncate, fd, BIG + 1000), 0);
    assert_int_equal(CALL(pread64, fd, other, 1, 3 * ABI_PAGE + 200), 1);
    assert_int_equal(other[0], 0);
    pa_t all[] = {last, shared, again, tail};
    for (unsigned k = 0; k < 4; k++) {
        ak_frame_put(all[k]);
    }
    assert_int_equal(CALL(ftruncate, fd, 0), 0);
    assert_int_equal(CALL(ftruncate, fd, 50), 0);
    assert_int_equal(CALL(pread64, fd, other, 100, 0), 50);
    for (unsigned k = 0; k < 50; k++) {
        assert_int_equal(other[k], 0);
    }
    inode_put(i);
    CALL(close, fd);
    assert_true(mock_frames_used() <= before + 3);           // path buffers that are kept
}

static void sparse(void **state)
{
    (void)state;
    int fd = open_file("/sparse", O_RDWR | O_CREAT);
    unsigned before = mock_frames_used();
    size_t objects = mock_objects_used();

    assert_int_equal(CALL(pwrite64, fd, "end", 3, 1ull << 40), 3);
    assert_int_equal(CALL(lseek, fd, 0, SEEK_END), (1ll << 40) + 3);
    assert_int_equal(CALL(pread64, fd, other, 2 * ABI_PAGE, 1ull << 30), 2 * ABI_PAGE);
    for (unsigned k = 0; k < 2 * ABI_PAGE; k++) {
        assert_int_equal(other[k], 0);
    }
    assert_int_equal(CALL(pread64, fd, other, 10, (1ull << 40) - 1), 4);
    assert_memory_equal(other, "\0end", 4);
    assert_int_equal(mock_frames_used(), before + 1);
    assert_int_equal(mock_objects_used(), objects + 5);      // levels of the tree
    assert_int_equal(CALL(pwrite64, fd, "x", 1, FILEDATA_MAX), -EFBIG);
    assert_int_equal(CALL(pwrite64, fd, "xyz", 3, FILEDATA_MAX - 1), 1);
    assert_int_equal(CALL(ftruncate, fd, FILEDATA_MAX + 1), -EFBIG);
    assert_int_equal(CALL(ftruncate, fd, -1), -EINVAL);
    assert_int_equal(CALL(lseek, fd, -1, SEEK_SET), -EINVAL);
    assert_int_equal(CALL(lseek, fd, 10, 9), -EINVAL);
    assert_int_equal(CALL(pread64, fd, other, 1, -1), -EINVAL);
    assert_int_equal(CALL(ftruncate, fd, 5), 0);
    assert_int_equal(mock_frames_used(), before);
    assert_int_equal(mock_objects_used(), objects);
    CALL(close, fd);
    assert_int_equal(CALL(unlink, "/sparse"), 0);
}

static void appending_and_vectors(void **state)
{
    struct iovec v[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};

    (void)state;
    int fd = open_file("/app", O_RDWR | O_CREAT | O_APPEND);
    assert_int_equal(CALL(writev, fd, v, 3), 5);
    assert_int_equal(CALL(lseek, fd, 0, SEEK_SET), 0);
    assert_int_equal(CALL(write, fd, "f", 1), 1);
    assert_int_equal(CALL(lseek, fd, 0, SEEK_CUR), 6);
    char one[3] = {0}, two[9] = {0};
    struct iovec in[2] = {{one, 2}, {two, 8}};
    assert_int_equal(CALL(preadv, fd, in, 2, 0), 6);
    assert_string_equal(one, "ab");
    assert_string_equal(two, "cdef");
    assert_int_equal(CALL(writev, fd, v, 1025), -EINVAL);
    assert_int_equal(CALL(writev, fd, 8, 2), -EFAULT);
    struct iovec bad[2] = {{"xy", 2}, {(void *)1, 5}};
    assert_int_equal(CALL(writev, fd, bad, 2), -EFAULT);     // one page, so all of it
    bad[1].iov_len = (size_t)-1;
    assert_int_equal(CALL(writev, fd, bad, 2), -EINVAL);
    struct iovec many[20];
    for (int k = 0; k < 20; k++) {
        many[k] = (struct iovec){"z", 1};
    }
    assert_int_equal(CALL(writev, fd, many, 20), 20);
    assert_int_equal(CALL(write, fd, (char *)1, 4), -EFAULT);
    assert_int_equal(CALL(lseek, fd, 0, SEEK_END), 26);
    CALL(close, fd);
    assert_int_equal(CALL(unlink, "/app"), 0);
}

static void unlinked_lives(void **state)
{
    struct stat st;
    size_t objects = mock_objects_used();
    unsigned frames = mock_frames_used();

    (void)state;
    int fd = open_file("/gone", O_RDWR | O_CREAT);
    assert_int_equal(CALL(write, fd, buffer, sizeof(buffer)), sizeof(buffer));
    assert_int_equal(CALL(unlink, "/gone"), 0);
    assert_int_equal(CALL(open, "/gone", O_RDONLY), -ENOENT);
    assert_int_equal(CALL(fstat, fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(CALL(pread64, fd, other, sizeof(other), 0), sizeof(other));
    assert_memory_equal(other, buffer, sizeof(other));
    char link[64] = {0};
    assert_int_equal(CALL(readlink, "/proc/self/fd/0", link, sizeof(link)), 15);
    assert_string_equal(link, "/gone (deleted)");
    CALL(close, fd);
    assert_int_equal(mock_objects_used(), objects);
    assert_int_equal(mock_frames_used(), frames);
}

// Memory ends at each point in turn: a clear error, and nothing lost.
static void no_memory(void **state)
{
    unsigned left = mock_frames_left;
    size_t objects = mock_objects_used();

    (void)state;
    for (unsigned have = 0; have < 40; have++) {
        mock_frames_left = have;
        int fd = (int)CALL(open, "/full", O_RDWR | O_CREAT, 0600);
        if (fd < 0) {
            assert_true(fd == -ENOMEM || fd == -ENOSPC);
        } else {
            size_t done = 0;
            long n = 0;
            while (done < 20 * ABI_PAGE && (n = CALL(write, fd, buffer, 5000)) > 0) {
                done += (size_t)n;
            }
            assert_true(n == -ENOSPC || done >= 20 * ABI_PAGE);
            assert_int_equal(CALL(lseek, fd, 0, SEEK_END), done);
            assert_int_equal(CALL(pread64, fd, other, 5000, 0), done < 5000 ? done : 5000);
            assert_memory_equal(other, buffer, done < 5000 ? done : 5000);
            CALL(close, fd);
        }
        mock_frames_left = 1000;
        long e = CALL(unlink, "/full");
        assert_true(e == 0 || e == -ENOENT);
    }
    mock_frames_left = left;
    assert_int_equal(mock_objects_used(), objects);
}

static void between_files(void **state)
{
    int64_t from = 10;

    (void)state;
    int in = open_file("/source", O_RDWR | O_CREAT);
    assert_int_equal(CALL(write, in, buffer, 8000), 8000);
    CALL(close, in);
    in = open_file("/source", O_RDONLY);
    int out = open_file("/copy", O_RDWR | O_CREAT | O_TRUNC);
    CALL(ftruncate, out, 0);
    assert_int_equal(CALL(sendfile, out, in, &from, 5000), 5000);
    assert_int_equal(from, 5010);
    assert_int_equal(CALL(lseek, in, 0, SEEK_CUR), 0);
    assert_int_equal(CALL(copy_file_range, out, &from, out, 0, 100, 0), 0);    // from the end: nothing
    from = 0;
    assert_int_equal(CALL(copy_file_range, out, &from, out, 0, 4000, 0), 4000);
    assert_int_equal(CALL(copy_file_range, out, &from, out, &from, 4000, 0), -EINVAL);
    assert_int_equal(CALL(copy_file_range, out, 0, in, 0, 1, 0), -EBADF);
    assert_int_equal(CALL(lseek, out, 0, SEEK_END), 9000);
    assert_int_equal(CALL(fallocate, out, 0, 9000, 1000), 0);
    assert_int_equal(CALL(lseek, out, 0, SEEK_END), 10000);
    assert_int_equal(CALL(fallocate, out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 9999), 0);
    assert_int_equal(CALL(fallocate, out, FALLOC_FL_COLLAPSE_RANGE, 0, ABI_PAGE), -EOPNOTSUPP);
    assert_int_equal(CALL(pread64, out, other, 9999, 0), 9999);
    for (unsigned k = 0; k < 9999; k++) {
        assert_int_equal(other[k], 0);
    }
    CALL(close, in);
    CALL(close, out);
    assert_int_equal(CALL(unlink, "/copy"), 0);
}

static void devices(void **state)
{
    struct inode *i;

    (void)state;
    int fd = open_file("/dev/zero", O_RDWR);
    assert_int_equal(CALL(read, fd, other, 5000), 5000);
    assert_int_equal(other[4999], 0);
    assert_int_equal(fd_mmap_inode(&mock_task, fd, true, &i), 0);
    pa_t page = page_shown(i, 1000000, true);
    assert_true(page != 0);
    ak_frame_put(page);
    inode_put(i);
    CALL(close, fd);
    fd = open_file("/dev/full", O_RDWR);
    assert_int_equal(CALL(write, fd, other, 1), -ENOSPC);
    CALL(close, fd);
    fd = open_file("/dev/null", O_RDWR | O_TRUNC | O_CREAT);
    assert_int_equal(CALL(write, fd, other, 77), 77);
    assert_int_equal(CALL(read, fd, other, 77), 0);
    assert_int_equal(fd_mmap_inode(&mock_task, fd, false, &i), -ENODEV);
    CALL(close, fd);
    fd = open_file("/dev/urandom", O_RDONLY);
    assert_int_equal(CALL(read, fd, other, 1000), 1000);
    assert_int_equal(other[999], 7);
    CALL(close, fd);
}

static void locks(void **state)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    struct task *t2 = mock_second(2);
    size_t objects;

    (void)state;
    int fd = open_file("/lock", O_RDWR | O_CREAT), fd2 = open_file("/lock", O_RDWR);
    objects = mock_objects_used();
    t2->files = fd_table_copy(mock_task.files);
    assert_int_equal(CALL(fcntl, fd, F_SETLK, &l), 0);
    struct flock want = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 0};
    assert_int_equal(ux_sys_fcntl(t2, (const uint64_t[6]){(uint64_t)fd, F_SETLK, (uint64_t)&want}), -EAGAIN);
    assert_int_equal(ux_sys_fcntl(t2, (const uint64_t[6]){(uint64_t)fd, F_GETLK, (uint64_t)&want}), 0);
    assert_true(want.l_type == F_WRLCK && want.l_start == 10 && want.l_len == 10 && want.l_pid == 1);
    // Split by freeing the middle.
    l = (struct flock){.l_type = F_UNLCK, .l_start = 12, .l_len = 3};
    assert_int_equal(CALL(fcntl, fd, F_SETLK, &l), 0);
    want = (struct flock){.l_type = F_WRLCK, .l_start = 12, .l_len = 3};
    assert_int_equal(ux_sys_fcntl(t2, (const uint64_t[6]){(uint64_t)fd, F_SETLK, (uint64_t)&want}), 0);
    want.l_len = 4;
    assert_int_equal(ux_sys_fcntl(t2, (const uint64_t[6]){(uint64_t)fd, F_SETLK, (uint64_t)&want}), -EAGAIN);
    assert_int_equal(ux_sys_fcntl(t2, (const uint64_t[6]){(uint64_t)fd, F_SETLKW, (uint64_t)&want}), -ERESTARTSYS);
    // Closing any descriptor of the file frees what the process has.
    assert_int_equal(CALL(close, fd2), 0);
    assert_int_equal(ux_sys_fcntl(t2, (const uint64_t[6]){(uint64_t)fd, F_SETLK, (uint64_t)&want}), 0);
    fd_table_put(t2->files);
    t2->files = NULL;
    fd2 = open_file("/lock", O_RDWR);
    assert_int_equal(CALL(flock, fd, LOCK_EX), 0);
    assert_int_equal(CALL(flock, fd2, LOCK_SH | LOCK_NB), -EAGAIN);
    assert_int_equal(CALL(flock, fd, LOCK_SH), 0);
    assert_int_equal(CALL(flock, fd2, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(CALL(flock, fd, 77), -EINVAL);
    assert_int_equal(CALL(close, fd), 0);
    assert_int_equal(CALL(flock, fd2, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(CALL(close, fd2), 0);
    assert_int_equal(mock_objects_used(), objects - 2);
    assert_int_equal(CALL(unlink, "/lock"), 0);
}

static void descriptors(void **state)
{
    int fd = (int)CALL(open, "/dev/null", O_RDWR | O_CLOEXEC, 0);

    (void)state;
    assert_int_equal(fd, 0);
    assert_int_equal(CALL(dup, fd), 1);
    assert_int_equal(CALL(fcntl, 0, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(CALL(fcntl, 1, F_GETFD, 0), 0);
    assert_int_equal(CALL(dup2, 0, 1023), 1023);
    assert_int_equal(CALL(dup2, 0, 1024), -EBADF);
    assert_int_equal(CALL(dup2, 77, 1), -EBADF);
    assert_int_equal(CALL(dup2, 1, 1), 1);
    assert_int_equal(CALL(dup3, 1, 1, 0), -EINVAL);
    assert_int_equal(CALL(dup3, 1, 5, O_CLOEXEC), 5);
    assert_int_equal(CALL(fcntl, 1, F_DUPFD, 1023), -EMFILE);
    assert_int_equal(CALL(fcntl, 1, F_DUPFD, 1024), -EINVAL);
    assert_int_equal(CALL(fcntl, 1, F_DUPFD_CLOEXEC, 100), 100);
    assert_int_equal(CALL(fcntl, 1, F_SETFL, O_NONBLOCK | O_RDONLY), 0);
    assert_int_equal(CALL(fcntl, 0, F_GETFL, 0), O_RDWR | O_NONBLOCK | O_LARGEFILE);
    assert_int_equal(CALL(fcntl, 0, 9999, 0), -EINVAL);
    assert_int_equal(CALL(fcntl, 0, F_GETPIPE_SZ, 0), -EBADF);
    fd_table_close_on_exec(mock_task.files);
    assert_int_equal(CALL(close, 0), -EBADF);
    assert_int_equal(CALL(close, 5), -EBADF);
    assert_int_equal(CALL(close_range, 1, 1022, 0), 0);
    assert_int_equal(CALL(close, 1), -EBADF);
    assert_int_equal(CALL(close, 1023), 0);
    for (int k = 0; k < 1024; k++) {
        assert_int_equal(CALL(open, "/dev/zero", O_RDONLY, 0), k);
    }
    assert_int_equal(CALL(open, "/dev/zero", O_RDONLY, 0), -EMFILE);
    assert_int_equal(CALL(close_range, 0, ~0u, 0), 0);
    fd = (int)CALL(open, "/tmp", O_PATH, 0);
    assert_int_equal(CALL(read, fd, &fd, 1), -EBADF);
    assert_int_equal(CALL(fchmod, fd, 0), -EBADF);
    int in = (int)CALL(openat, fd, "x", O_CREAT | O_RDWR, 0600);
    assert_true(in > 0);
    assert_int_equal(CALL(unlinkat, fd, "x", 0), 0);
    CALL(close, in);
    CALL(close, fd);
    assert_int_equal(CALL(openat, 55, "x", O_RDONLY, 0), -EBADF);
    assert_int_equal(CALL(openat, -1, "/tmp", O_RDONLY, 0), 0);
    CALL(close, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archive_files), cmocka_unit_test(pages), cmocka_unit_test(sparse),
        cmocka_unit_test(appending_and_vectors), cmocka_unit_test(unlinked_lives), cmocka_unit_test(no_memory),
        cmocka_unit_test(between_files), cmocka_unit_test(devices), cmocka_unit_test(locks),
        cmocka_unit_test(descriptors),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
