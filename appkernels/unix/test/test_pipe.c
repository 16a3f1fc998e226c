// test_pipe.c - pipes, FIFOs, poll and select.
#include "mock.h"

static uint8_t big[100000], got[100000];
static int ends[2];

static int setup(void **state)
{
    (void)state;
    mock_begin(NULL, 0);
    for (size_t k = 0; k < sizeof(big); k++) {
        big[k] = (uint8_t)(k * 13 + k / 256);
    }
    return 0;
}

static int each(void **state)
{
    (void)state;
    mock_on_sleep = NULL;
    memset(mock_signals, 0, sizeof(mock_signals));
    assert_int_equal(CALL(pipe2, ends, 0), 0);
    return 0;
}

static int after(void **state)
{
    (void)state;
    CALL(close_range, 0, 1023, 0);
    return 0;
}

static void basics(void **state)
{
    int used;

    (void)state;
    assert_int_equal(CALL(write, ends[1], "hello", 5), 5);
    assert_int_equal(CALL(ioctl, ends[0], FIONREAD, &used), 0);
    assert_int_equal(used, 5);
    assert_int_equal(CALL(read, ends[0], got, 2), 2);
    assert_int_equal(CALL(read, ends[0], got + 2, 100), 3);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(CALL(read, ends[1], got, 1), -EBADF);
    assert_int_equal(CALL(write, ends[0], got, 1), -EBADF);
    assert_int_equal(CALL(lseek, ends[0], 0, SEEK_SET), -ESPIPE);
    assert_int_equal(CALL(pread64, ends[0], got, 1, 0), -ESPIPE);
    assert_int_equal(CALL(read, ends[0], got, 1), -ERESTARTSYS);     // a signal ends the sleep
    assert_int_equal(CALL(fcntl, ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(CALL(read, ends[0], got, 1), -EAGAIN);
    assert_int_equal(CALL(fcntl, ends[0], F_GETPIPE_SZ, 0), 65536);
    assert_int_equal(CALL(fcntl, ends[0], F_SETPIPE_SZ, 4096), 65536);
    assert_int_equal(CALL(close, ends[1]), 0);
    assert_int_equal(CALL(read, ends[0], got, 1), 0);
    assert_int_equal(CALL(pipe2, 8, 0), -EFAULT);
    assert_int_equal(CALL(pipe2, ends, O_DIRECTORY), -EINVAL);
    assert_int_equal(CALL(close, 1), -EBADF);                        // the failed calls left nothing
}

static void broken(void **state)
{
    (void)state;
    CALL(close, ends[0]);
    assert_int_equal(CALL(write, ends[1], "x", 1), -EPIPE);
    assert_int_equal(mock_signals[13], 1);
    assert_int_equal(CALL(write, ends[1], "x", 0), 0);
}

static void full_and_atomic(void **state)
{
    (void)state;
    CALL(fcntl, ends[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(CALL(write, ends[1], big, sizeof(big)), 65536);
    assert_int_equal(CALL(write, ends[1], big, 1), -EAGAIN);
    assert_int_equal(CALL(read, ends[0], got, 4095), 4095);
    assert_int_equal(CALL(write, ends[1], big, 4096), -EAGAIN);      // whole or not at all
    assert_int_equal(CALL(write, ends[1], big + 65536, 4097), 4095); // larger ones go in as they can
    assert_int_equal(CALL(read, ends[0], got + 4095, sizeof(got)), 65536);
    assert_memory_equal(got, big, 65536 + 4095);
    // Around the end of the ring.
    unsigned frames = mock_frames_used();
    for (int k = 0; k < 200; k++) {
        assert_int_equal(CALL(write, ends[1], big + k, 3000), 3000);
        assert_int_equal(CALL(write, ends[1], big, 7), 7);
        assert_int_equal(CALL(read, ends[0], got, 3000), 3000);
        assert_memory_equal(got, big + k, 3000);
        assert_int_equal(CALL(read, ends[0], got, 7), 7);
    }
    assert_int_equal(mock_frames_used(), frames);
    // Bytes that cannot be fetched do not enter.
    struct iovec v[2] = {{big, 10}, {(void *)1, 10}};
    assert_int_equal(CALL(writev, ends[1], v, 2), -EFAULT);
    CALL(fcntl, ends[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(CALL(read, ends[0], got, 10), -EAGAIN);
}

static size_t drained;
static bool drain(void)
{
    long n = CALL(read, ends[0], got + drained, 5000);
    drained += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void writer_waits(void **state)
{
    (void)state;
    drained = 0;
    mock_on_sleep = drain;
    assert_int_equal(CALL(write, ends[1], big, sizeof(big)), sizeof(big));
    while (drained < sizeof(big)) {
        assert_true(drain());
    }
    assert_memory_equal(got, big, sizeof(big));
}

static bool close_reader(void)
{
    return CALL(close, ends[0]) == 0;
}

static void reader_leaves(void **state)
{
    (void)state;
    mock_on_sleep = close_reader;
    assert_int_equal(CALL(write, ends[1], big, sizeof(big)), 65536);
    assert_int_equal(mock_signals[13], 1);
}

// Another thread closes the descriptor a call sleeps on: the call keeps its file.
static bool close_own(void)
{
    bool first = CALL(close, ends[0]) == 0;

    CALL(close, ends[1]);
    return first;
}

static void closed_while_asleep(void **state)
{
    (void)state;
    mock_on_sleep = close_own;
    assert_int_equal(CALL(read, ends[0], got, 10), 0);
}

static int fifo_fd;
static bool open_writer(void)
{
    mock_on_sleep = NULL;
    fifo_fd = (int)CALL(open, "/fifo", O_WRONLY | O_NONBLOCK, 0);
    return fifo_fd >= 0;
}

static bool open_and_leave(void)
{
    return open_writer() && CALL(write, fifo_fd, "bye", 3) == 3 && CALL(close, fifo_fd) == 0;
}

static void fifos(void **state)
{
    (void)state;
    assert_int_equal(CALL(mknod, "/fifo", S_IFIFO | 0644, 0), 0);
    assert_int_equal(CALL(open, "/fifo", O_WRONLY | O_NONBLOCK, 0), -ENXIO);
    assert_int_equal(CALL(open, "/fifo", O_RDONLY, 0), -ERESTARTSYS);
    int fd = (int)CALL(open, "/fifo", O_RDONLY | O_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(CALL(read, fd, got, 10), 0);
    CALL(close, fd);
    mock_on_sleep = open_writer;
    fd = (int)CALL(open, "/fifo", O_RDONLY, 0);
    assert_true(fd >= 0);
    assert_int_equal(CALL(write, fifo_fd, "abc", 3), 3);
    assert_int_equal(CALL(read, fd, got, 10), 3);
    CALL(close, fifo_fd);
    CALL(close, fd);
    // A writer that came and went before the reader ran: its bytes are there.
    mock_on_sleep = open_and_leave;
    fd = (int)CALL(open, "/fifo", O_RDONLY, 0);
    assert_true(fd >= 0);
    assert_int_equal(CALL(read, fd, got, 10), 3);
    assert_int_equal(CALL(read, fd, got, 10), 0);
    CALL(close, fd);
    fd = (int)CALL(open, "/fifo", O_RDWR, 0);
    assert_int_equal(CALL(write, fd, "x", 1), 1);
    assert_int_equal(CALL(unlink, "/fifo"), 0);
    assert_int_equal(CALL(read, fd, got, 10), 1);
    CALL(close, fd);
}

static void opened_again(void **state)
{
    char name[32] = "/proc/self/fd/0";

    (void)state;
    name[14] = (char)('0' + ends[1]);
    int fd = (int)CALL(open, name, O_WRONLY, 0);
    assert_true(fd >= 0);
    assert_int_equal(CALL(write, fd, "via", 3), 3);
    CALL(close, ends[1]);
    assert_int_equal(CALL(read, ends[0], got, 10), 3);
    CALL(close, fd);
    assert_int_equal(CALL(read, ends[0], got, 10), 0);
}

static bool write_one(void)
{
    mock_on_sleep = NULL;
    return CALL(write, ends[1], "!", 1) == 1;
}

static void polling(void **state)
{
    struct pollfd p[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 77}};

    (void)state;
    assert_int_equal(CALL(poll, p, 3, 0), 1);
    assert_true(p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0);
    mock_on_sleep = write_one;
    assert_int_equal(CALL(poll, p, 1, -1), 1);
    assert_int_equal(p[0].revents, POLLIN);
    CALL(read, ends[0], got, 1);
    uint64_t before = mock_now;
    assert_int_equal(CALL(poll, p, 1, 1500), 0);
    assert_true(mock_now - before >= 1500000000);
    assert_int_equal(CALL(poll, p, 1, -1), -EINTR);
    CALL(close, ends[1]);
    assert_int_equal(CALL(poll, p, 2, 0), 2);
    assert_true(p[0].revents == POLLHUP && p[1].revents == POLLNVAL);
    assert_int_equal(CALL(poll, p, 2000, 0), -EINVAL);
    assert_int_equal(CALL(poll, 8, 1, 0), -EFAULT);
    struct __kernel_timespec ts = {5, 0}, bad = {0, -1};
    assert_int_equal(CALL(ppoll, p, 0, &ts, 0, 8), 0);
    assert_int_equal(ts.tv_sec, 0);
    assert_int_equal(CALL(ppoll, p, 0, &bad, 0, 8), -EINVAL);
    assert_int_equal(CALL(ppoll, p, 0, 0, p, 4), -EINVAL);
}

static void selecting(void **state)
{
    uint64_t r[16] = {0}, w[16] = {0};
    int64_t tv[2] = {0, 0};

    (void)state;
    r[0] = 1u << ends[0];
    w[0] = 1u << ends[1];
    assert_int_equal(CALL(select, 10, r, w, 0, tv), 1);
    assert_true(r[0] == 0 && w[0] == 1u << ends[1]);
    CALL(write, ends[1], "x", 1);
    r[0] = 1u << ends[0];
    assert_int_equal(CALL(select, 10, r, w, 0, 0), 2);
    r[1] = 1;                                // beyond the table: nobody looks there
    assert_int_equal(CALL(select, 1024, r, 0, 0, tv), 1);
    r[0] |= 1u << 9;
    assert_int_equal(CALL(select, 10, r, w, 0, tv), -EBADF);
    CALL(read, ends[0], got, 1);
    tv[1] = 2500000;                         // more than a second of microseconds is a second and more
    r[0] = 1u << ends[0];
    uint64_t before = mock_now;
    assert_int_equal(CALL(select, ends[0] + 1, r, 0, 0, tv), 0);
    assert_true(mock_now - before >= 2500000000ull && r[0] == 0 && tv[1] == 0);
    assert_int_equal(CALL(select, -1, r, 0, 0, tv), -EINVAL);
    struct { void *mask; uint64_t size; } m = {r, 8};
    r[0] = 0x55;
    struct __kernel_timespec ts = {0, 0};
    assert_int_equal(CALL(pselect6, 0, 0, 0, 0, &ts, &m), 0);
    assert_int_equal(mock_task.blocked, 0x55);
}

static void no_memory(void **state)
{
    unsigned left = mock_frames_left;
    size_t objects = mock_objects_used();
    int more[2];

    (void)state;
    CALL(fcntl, ends[1], F_SETFL, O_NONBLOCK);
    mock_frames_left = 3;
    assert_int_equal(CALL(write, ends[1], big, 65536), 3 * 4096);
    assert_int_equal(CALL(read, ends[0], got, 65536), 3 * 4096);
    mock_frames_left = 0;
    assert_int_equal(CALL(pipe2, more, 0), -ENOMEM);
    mock_frames_left = left;
    assert_int_equal(mock_objects_used(), objects);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, each, after)
    const struct CMUnitTest tests[] = {
        T(basics), T(broken), T(full_and_atomic), T(writer_waits), T(reader_leaves), T(closed_while_asleep), T(fifos),
        T(opened_again), T(polling), T(selecting), T(no_memory),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
