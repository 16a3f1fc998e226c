// console.c - the machine's serial ports as the terminal, or as plain streams, of the first process.
//
// Input takes three steps.  (1) The driver of the serial port puts it into the page that it shares with the emulator,
// and signals the service thread, which wakes the console thread (console_poll).  (2) The console thread, a thread of
// the emulator's own, reads it under the giant: into the terminal, where ^C acts even if nobody reads, or into
// the buffer of the stream.  (3) Readers empty those.  Each step that finds no room stops, and is started again by the
// next one: a reader wakes the console thread (`drained`), which tells the driver when it has read (device_read).
//
// The launcher marks what is not input: 0xFF 0xFF is a byte 0xFF, 0xFF 'E' the end of the host's input, and 0xFF 'W'
// with four bytes the size of its window.
//
// Output goes to the port as fast as that takes it; who finds it busy sleeps a little.
#include <base.h>
#include <device.h>

#include "tty.h"

enum { CHUNK = 256, STREAM = 16384, BUSY_NS = 500000 };

static struct {                              // read from the port, and not taken yet; console thread
    uint32_t next, count;
    uint8_t  bytes[CHUNK];
} input;

enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_WINDOW };
static enum escape escape;                   // console thread
static uint8_t window_bytes[4];
static unsigned window_count;

static struct ak_thread console_thread;
static uint32_t console_started;             // a
static struct tty *terminal;                 // I
static bool input_to_terminal;               // I

static struct stream {                       // the host's standard input, if it is not a terminal
    uint8_t *bytes;                          // I
    uint32_t head, tail;                     // g
    bool     end;                            // g
    struct waitq wait;
} stream;

// ---- (1) from the port, in the service thread -------------------------------------------------------------

void console_poll(void)
{
    if (__atomic_load_n(&console_started, __ATOMIC_ACQUIRE) != 0 && device_ready(ak_info)) {     // fs_console_init()
        ak_wake(&console_thread);
    }
}

// ---- (2) to the terminal or the stream, in the console thread ---------------------------------------------

static bool stream_put(uint8_t byte)
{
    if (stream.head - stream.tail == STREAM) {
        return false;
    }
    stream.bytes[stream.head++ % STREAM] = byte;
    return true;
}

// One byte of input proper.  false: there is no room.
static bool input_byte(uint8_t byte)
{
    if (!input_to_terminal) {
        return stream.end || stream_put(byte);
    }
    if (tty_room(terminal) == 0 && !tty_is_signal(terminal, byte)) {
        return false;
    }
    if (!terminal->hung) {
        tty_input(terminal, byte);
    }
    return true;
}

static void input_end(void)
{
    if (input_to_terminal) {
        tty_hangup(terminal);
    } else {
        stream.end = true;
    }
}

static void window_byte(uint8_t byte)
{
    window_bytes[window_count++] = byte;
    if (window_count < sizeof(window_bytes)) {
        return;
    }
    escape = ESCAPE_NONE;
    fs_console_window(window_bytes[0] | (unsigned)window_bytes[1] << 8,
                      window_bytes[2] | (unsigned)window_bytes[3] << 8);
}

// One byte from the port.  false: it must wait.
static bool port_byte(uint8_t byte)
{
    switch (escape) {
    case ESCAPE_NONE:
        if (byte == 0xff) {
            escape = ESCAPE_BEGUN;
            return true;
        }
        return input_byte(byte);
    case ESCAPE_WINDOW:
        window_byte(byte);
        return true;
    case ESCAPE_BEGUN:
        break;
    }
    if (byte == 'W') {
        escape = ESCAPE_WINDOW;
        window_count = 0;
        return true;
    }
    if (byte == 'E') {
        input_end();
    } else if (byte == 0xff && !input_byte(byte)) {
        return false;
    }
    escape = ESCAPE_NONE;
    return true;
}

// More from the port, when all has been taken.
static bool input_more(void)
{
    uint64_t n = 0;

    if (input.next == input.count) {
        (void)device_read(ak_info, input.bytes, CHUNK, &n);
        input.next = 0;
        input.count = (uint32_t)n;
    }
    return input.next != input.count;
}

// Take input as far as there is room.
static void input_step(void)
{
    bool some = false;

    while (input_more() && port_byte(input.bytes[input.next])) {
        input.next++;
        some = true;
    }
    if (some) {
        ux_wake(&stream.wait);
    }
}

static void console_main(void *arg)
{
    (void)arg;
    for (;;) {
        ak_mutex_lock(&giant, &console_thread);
        input_step();
        bool idle = terminal == NULL || terminal->stopped || tty_flush_output(terminal);
        ak_mutex_unlock(&giant);
        // A wake-up that came since the step began makes this return at once.
        (void)ak_block(&console_thread, idle ? 0 : ux_deadline(BUSY_NS));
    }
}

// ---- the terminal -----------------------------------------------------------------------------------------

// A kernel to which the policy gives no console has a line that leads nowhere: what is written to it is gone.
static size_t port_put(enum device port, const uint8_t *bytes, size_t n)
{
    uint64_t taken = 0;
    size_t done = 0;
    err_t e = ERR_OK;

    while (done < n && (e = device_write(ak_info, port, bytes + done, n - done, &taken)) == ERR_OK && taken > 0) {
        done += taken;
    }
    return e == ERR_DENIED ? n : done;
}

static size_t terminal_put(struct tty *y, const uint8_t *bytes, size_t n)
{
    (void)y;
    return port_put(DEVICE_TERMINAL, bytes, n);
}

static void terminal_drained(struct tty *y)
{
    (void)y;
    if (input.next != input.count || device_ready(ak_info)) {
        ak_wake(&console_thread);
    }
}

struct tty *console_terminal(void)
{
    return terminal;
}

void fs_console_attach(struct task *t)
{
    if (terminal != NULL) {
        tty_attach(terminal, t);
    }
}

void fs_console_window(unsigned rows, unsigned columns)
{
    struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    if (terminal != NULL) {
        tty_resize(terminal, &w);
    }
}

// ---- plain streams ----------------------------------------------------------------------------------------

static long stream_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    (void)position;
    while (n > 0 && stream.head == stream.tail) {
        if (stream.end) {
            return 0;
        }
        if ((f->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        int e = ux_sleep(t, &stream.wait, 0);
        if (e != 0) {
            return sleep_error(e);
        }
    }
    size_t done = 0;
    while (done < n && stream.head != stream.tail) {
        uint32_t at = stream.tail % STREAM, used = stream.head - stream.tail;
        size_t m = STREAM - at < used ? STREAM - at : used;
        m = m < n - done ? m : n - done;
        int e = xfer_out(x, stream.bytes + at, m);
        if (e != 0) {
            return done > 0 ? (long)done : e;
        }
        stream.tail += (uint32_t)m;
        done += m;
    }
    terminal_drained(NULL);
    return (long)done;
}

static long stream_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    static struct waitq busy;                // nobody wakes it: the port does not tell when it has room
    unsigned port = (unsigned)(uintptr_t)f->private;
    uint8_t piece[256];
    size_t done = 0;
    int e = 0;

    (void)position;
    while (done < n && e == 0) {
        size_t m = n - done < sizeof(piece) ? n - done : sizeof(piece), put = 0;
        e = xfer_in(x, piece, m);
        while (e == 0 && put < m) {
            size_t taken = port_put(port, piece + put, m - put);
            put += taken;
            if (taken == 0 && (f->flags & O_NONBLOCK) != 0) {
                e = -EAGAIN;
            } else if (taken == 0) {
                e = ux_sleep(t, &busy, ux_deadline(BUSY_NS));
                e = e == -ETIMEDOUT ? 0 : (int)sleep_error(e);
            }
        }
        done += put;
    }
    return done > 0 ? (long)done : e;
}

static unsigned stream_poll(struct file *f, struct poller *p)
{
    unsigned state = f->writable ? POLLOUT | POLLWRNORM : 0;

    if (f->readable) {
        poller_add(p, &stream.wait);
        state |= stream.head != stream.tail ? POLLIN | POLLRDNORM : 0;
        state |= stream.end ? POLLHUP : 0;
    }
    return state;
}

static long stream_ioctl(struct task *t, struct file *f, unsigned request, uint64_t argument)
{
    int used = f->readable ? (int)(stream.head - stream.tail) : 0;

    return request == FIONREAD ? ux_copy_out(t, argument, &used, sizeof(used)) : -ENOTTY;
}

static const struct file_ops stream_ops = {
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .ioctl = stream_ioctl,
};

// A stream's inode: what it is, in rdev, is its port; opened again (by /proc/self/fd) it is the same stream.
int console_open_stream(struct task *t, struct inode *i, struct file *f)
{
    (void)t;
    f->ops = &stream_ops;
    f->private = (void *)(uintptr_t)i->rdev;
    return 0;
}

static struct inode *stream_destroy(struct inode *i)
{
    inode_free(i);
    return NULL;
}

static const struct inode_ops stream_inode_ops = {.open = console_open_stream, .destroy = stream_destroy};

// ---- the start --------------------------------------------------------------------------------------------

static struct file *standard_file(unsigned fd, struct file *of_terminal)
{
    if (of_terminal != NULL) {
        of_terminal->users++;
        return of_terminal;
    }
    struct inode *i = inode_create(pipefs(), &stream_inode_ops, S_IFIFO | 0600);
    if (i == NULL) {
        return NULL;
    }
    i->rdev = fd == 2 ? DEVICE_ERRORS : DEVICE_TERMINAL;
    struct file *f = file_create(i, &stream_ops, fd == 0 ? O_RDONLY : O_WRONLY, (void *)(uintptr_t)i->rdev);
    inode_put(i);
    return f;
}

// The terminal's file is one for all descriptors, as if a login program had opened and duplicated it.
static struct file *terminal_file(void)
{
    static const struct tty_driver driver = {.put = terminal_put, .drained = terminal_drained, .polled = true};
    struct inode *dev = NULL, *i = NULL;

    terminal = tty_create(&driver);
    if (terminal == NULL || fs_root()->ops->lookup(fs_root(), "dev", 3, &dev) != 0) {
        return NULL;
    }
    struct inode *top = dev->mounted != NULL ? dev->mounted : dev;
    struct file *f = NULL;
    if (top->ops->lookup(top, "ttyS0", 5, &i) == 0) {
        f = file_create(i, &tty_ops, O_RDWR, terminal);
        inode_put(i);
    }
    inode_put(dev);
    return f;
}

void fs_console_no_input(void)
{
    input_end();
}

void fs_console_init(struct fd_table *files, unsigned tty_mask)
{
    struct file *of_terminal = (tty_mask & 7) != 0 ? terminal_file() : NULL;

    stream.bytes = big_alloc(STREAM);
    if (stream.bytes == NULL || ((tty_mask & 7) != 0 && of_terminal == NULL)) {
        ak_panic("no memory for the console");
    }
    input_to_terminal = (tty_mask & 1) != 0;
    for (unsigned fd = 0; fd < 3; fd++) {
        files->entry[fd].file = standard_file(fd, (tty_mask >> fd & 1) != 0 ? of_terminal : NULL);
        if (files->entry[fd].file == NULL) {
            ak_panic("no memory for the console");
        }
    }
    if (of_terminal != NULL) {
        file_put(of_terminal);
    }
    if (ak_thread_create(&console_thread, ak_info->limits.max_priority, 0) != ERR_OK) {
        ak_panic("no memory for the console's thread");
    }
    ak_thread_run(&console_thread, console_main, NULL);
    __atomic_store_n(&console_started, 1, __ATOMIC_RELEASE);             // pairs with console_poll()
    ak_service_kick();
}
