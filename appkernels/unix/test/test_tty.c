// test_tty.c - the line discipline: editing, echo, signals, modes, job control, and pseudo-terminals.
#include "mock.h"

static int fd;
static char line[8192];

static void type(const char *text)
{
    for (; *text != 0; text++) {
        tty_input(mock_terminal, (uint8_t)*text);
    }
}

static void screen(const char *text)
{
    assert_string_equal(mock_screen, text);
    mock_screen_length = 0;
    mock_screen[0] = 0;
}

static void reads(const char *text)
{
    memset(line, 0, sizeof(line));
    long n = CALL(read, fd, line, sizeof(line) - 1);
    assert_int_equal(n, strlen(text));
    assert_string_equal(line, text);
}

static int setup(void **state)
{
    (void)state;
    mock_begin(NULL, 0);
    return 0;
}

static int each(void **state)
{
    struct termios t;

    (void)state;
    struct tty *fresh = tty_create(mock_terminal->driver);
    tty_destroy(mock_terminal);
    mock_terminal = fresh;
    mock_task.session->tty = NULL;
    mock_on_sleep = NULL;
    mock_screen_takes = SIZE_MAX;
    mock_tty_check = 0;
    memset(mock_signals, 0, sizeof(mock_signals));
    fd = (int)CALL(open, "/dev/ttyS0", O_RDWR, 0);
    assert_true(fd >= 0);
    assert_ptr_equal(mock_task.session->tty, mock_terminal);
    assert_int_equal(CALL(ioctl, fd, TCGETS, &t), 0);
    assert_true((t.c_lflag & ICANON) != 0);
    mock_screen_length = 0;
    mock_screen[0] = 0;
    return 0;
}

static int after(void **state)
{
    (void)state;
    CALL(close_range, 0, 1023, 0);
    return 0;
}

static void set(tcflag_t off, tcflag_t on, int min, int time)
{
    struct termios t;

    CALL(ioctl, fd, TCGETS, &t);
    t.c_lflag = (t.c_lflag & ~off) | on;
    t.c_cc[VMIN] = (uint8_t)min;
    t.c_cc[VTIME] = (uint8_t)time;
    assert_int_equal(CALL(ioctl, fd, TCSETS, &t), 0);
}

static void lines(void **state)
{
    (void)state;
    type("hello\rwor");
    screen("hello\r\nwor");
    reads("hello\n");
    assert_int_equal(CALL(read, fd, line, 10), -ERESTARTSYS);
    type("ld\nnext\n");
    int n;
    assert_int_equal(CALL(ioctl, fd, FIONREAD, &n), 0);
    assert_int_equal(n, 11);
    reads("world\n");
    assert_int_equal(CALL(read, fd, line, 2), 2);            // the rest of a line is there the next time
    reads("xt\n");
}

static void editing(void **state)
{
    (void)state;
    type("abx\177c\n");
    screen("abx\b \bc\r\n");
    reads("abc\n");
    type("\177");                            // nothing to erase
    screen("");
    type("one two  \027x\n");
    reads("one x\n");
    screen("one two  \b \b\b \b\b \b\b \b\b \bx\r\n");
    type("gone\025kept\n");
    reads("kept\n");
    screen("gone\b \b\b \b\b \b\b \bkept\r\n");
    type("\303\251\177z\n");                 // two bytes, one column
    reads("z\n");
    screen("\303\251\b \bz\r\n");
    type("a\t\177b\n");
    reads("ab\n");
    screen("a\t\b \b\b \b\b \b\b \b\b \b\b \b\b \bb\r\n");
    type("\026\003x\n");                     // ^V ^C
    reads("\003x\n");
    screen("^\b^Cx\r\n");
    assert_int_equal(mock_signals[SIGINT], 0);
    type("ab\022c\n");
    reads("abc\n");
    screen("ab^R\r\nabc\r\n");
}

static void end_of_file(void **state)
{
    (void)state;
    type("abc\004");
    reads("abc");
    type("\004");
    reads("");
    type("abcd\004x\n");
    assert_int_equal(CALL(read, fd, line, 4), 4);
    reads("x\n");                            // the end mark just after a full read does not count twice
    type("q\004\004r\n");
    reads("q");
    reads("");
    reads("r\n");
}

static void signals(void **state)
{
    (void)state;
    type("lost\003");
    assert_int_equal(mock_signals[SIGINT], 1);
    assert_int_equal(mock_signal_group, 1);
    screen("lost^C");
    type("kept\n");
    reads("kept\n");
    type("\034\032");
    assert_int_equal(mock_signals[SIGQUIT], 1);
    assert_int_equal(mock_signals[SIGTSTP], 1);
    set(ISIG | ECHO, 0, 1, 0);
    type("\003\n");
    assert_int_equal(mock_signals[SIGINT], 1);
    reads("\003\n");
    struct winsize w = {50, 132, 0, 0};
    assert_int_equal(CALL(ioctl, fd, TIOCSWINSZ, &w), 0);
    assert_int_equal(CALL(ioctl, fd, TIOCSWINSZ, &w), 0);
    assert_int_equal(mock_signals[SIGWINCH], 1);
    memset(&w, 0, sizeof(w));
    assert_int_equal(CALL(ioctl, fd, TIOCGWINSZ, &w), 0);
    assert_true(w.ws_row == 50 && w.ws_col == 132);
}

static unsigned feeds;
static bool feed(void)
{
    tty_input(mock_terminal, 'k');
    return ++feeds < 100;
}

static void raw(void **state)
{
    (void)state;
    set(ICANON | ECHO, 0, 1, 0);
    type("ab\n");
    reads("ab\n");
    assert_int_equal(CALL(read, fd, line, 10), -ERESTARTSYS);
    set(0, 0, 0, 0);
    assert_int_equal(CALL(read, fd, line, 10), 0);
    uint64_t before = mock_now;
    set(0, 0, 0, 5);
    assert_int_equal(CALL(read, fd, line, 10), 0);
    assert_true(mock_now - before >= 500000000);
    set(0, 0, 4, 0);
    feeds = 0;
    mock_on_sleep = feed;
    assert_int_equal(CALL(read, fd, line, 10), 4);
    set(0, 0, 4, 1);
    mock_on_sleep = NULL;
    type("xy");
    assert_int_equal(CALL(read, fd, line, 10), 2);           // the time after the last byte ran out
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    set(0, 0, 2, 0);
    type("1");
    assert_int_equal(CALL(poll, &p, 1, 0), 1);
    assert_int_equal(p.revents, POLLOUT);
    type("2");
    CALL(poll, &p, 1, 0);
    assert_int_equal(p.revents, POLLIN | POLLOUT);
    reads("12");
    // What was typed without lines is a line when lines come back.
    set(0, 0, 1, 0);
    type("half");
    set(0, ICANON | ECHO, 1, 0);
    reads("half");
    type("half");
    set(ICANON, 0, 1, 0);
    reads("half");
}

static void too_much(void **state)
{
    (void)state;
    set(ECHO, 0, 1, 0);
    for (int k = 0; k < 6000; k++) {
        tty_input(mock_terminal, 'a');
    }
    type("\n");
    assert_int_equal(CALL(read, fd, line, sizeof(line)), 4096);
    assert_int_equal(line[4095], '\n');
    // Lines fill the buffer, and then the device must wait; a signal gets through.
    unsigned put = 0;
    while (tty_room(mock_terminal) > 0) {
        tty_input(mock_terminal, ++put % 10 == 0 ? '\n' : 'b');
    }
    assert_int_equal(put, 4095);
    assert_true(tty_is_signal(mock_terminal, 3) && !tty_is_signal(mock_terminal, 'b'));
    type("\003");
    assert_int_equal(mock_signals[SIGINT], 1);
    assert_true(tty_room(mock_terminal) > 0);
}

static bool resume(void)
{
    mock_screen_takes = SIZE_MAX;
    tty_input(mock_terminal, 17);
    return true;
}

static void output(void **state)
{
    static char many[3000];
    struct termios t;

    (void)state;
    assert_int_equal(CALL(write, fd, "a\nb", 3), 3);
    screen("a\r\nb");
    type("\023");                            // ^S
    CALL(fcntl, fd, F_SETFL, O_NONBLOCK);
    memset(many, 'm', sizeof(many));
    assert_true(CALL(write, fd, many, sizeof(many)) <= 0);
    CALL(fcntl, fd, F_SETFL, 0);
    mock_on_sleep = resume;
    assert_int_equal(CALL(write, fd, many, sizeof(many)), sizeof(many));
    assert_int_equal(mock_screen_length, sizeof(many));
    screen(mock_screen);
    // A slow port: the writer comes back until all is out.
    mock_on_sleep = NULL;
    mock_screen_takes = 1;
    assert_int_equal(CALL(write, fd, many, 200), 200);
    assert_int_equal(mock_screen_length, 200);
    mock_screen_takes = SIZE_MAX;
    screen(mock_screen);
    CALL(ioctl, fd, TCGETS, &t);
    t.c_oflag &= ~(tcflag_t)OPOST;
    CALL(ioctl, fd, TCSETSW, &t);
    CALL(write, fd, "\n", 1);
    screen("\n");
    t.c_oflag |= OPOST | XTABS;
    CALL(ioctl, fd, TCSETSF, &t);
    CALL(write, fd, "\r\tx", 3);
    screen("\r        x");
    assert_int_equal(CALL(write, fd, (char *)1, 5), -EFAULT);
    assert_int_equal(CALL(ioctl, fd, 0x1234, 0), -ENOTTY);
    assert_int_equal(CALL(ioctl, fd, TCGETS, 8), -EFAULT);
}

static void job_control(void **state)
{
    int pgrp = 0;

    (void)state;
    mock_second(9);
    assert_int_equal(CALL(ioctl, fd, TIOCGPGRP, &pgrp), 0);
    assert_int_equal(pgrp, 1);
    pgrp = 9;
    assert_int_equal(CALL(ioctl, fd, TIOCSPGRP, &pgrp), 0);
    mock_tty_check = -ERESTARTSYS;
    assert_int_equal(CALL(read, fd, line, 10), -ERESTARTSYS);
    assert_int_equal(mock_signals[SIGTTIN], 1);
    assert_int_equal(CALL(write, fd, "x", 1), 1);
    struct termios t;
    CALL(ioctl, fd, TCGETS, &t);
    t.c_lflag |= TOSTOP;
    assert_int_equal(CALL(ioctl, fd, TCSETS, &t), -ERESTARTSYS);
    mock_tty_check = 0;
    assert_int_equal(CALL(ioctl, fd, TCSETS, &t), 0);
    mock_tty_check = -ERESTARTSYS;
    assert_int_equal(CALL(write, fd, "x", 1), -ERESTARTSYS);
    assert_int_equal(mock_signals[SIGTTOU], 3);
}

static void job_control_rest(void **state)
{
    int pgrp = 77, sid = 0;

    (void)state;
    assert_int_equal(CALL(ioctl, fd, TIOCSPGRP, &pgrp), -ESRCH);
    assert_int_equal(CALL(ioctl, fd, TIOCGSID, &sid), 0);
    assert_int_equal(sid, 1);
    int tty = (int)CALL(open, "/dev/tty", O_RDWR, 0);
    assert_true(tty >= 0);
    CALL(close, tty);
    assert_int_equal(CALL(ioctl, fd, TIOCSCTTY, 0), 0);
    assert_int_equal(CALL(ioctl, fd, TIOCNOTTY, 0), 0);
    assert_int_equal(CALL(open, "/dev/tty", O_RDWR, 0), -ENXIO);
    assert_int_equal(CALL(ioctl, fd, TIOCGPGRP, &pgrp), -ENOTTY);
    tty = (int)CALL(open, "/dev/ttyS0", O_RDWR | O_NOCTTY, 0);
    assert_null(mock_task.session->tty);
    assert_int_equal(CALL(ioctl, tty, TIOCSCTTY, 0), 0);
    assert_int_equal(CALL(ioctl, fd, TIOCGPGRP, &pgrp), 0);
    tty_hangup(mock_terminal);
    assert_int_equal(mock_signals[SIGHUP], 2);
    assert_int_equal(CALL(read, fd, line, 10), 0);
    assert_int_equal(CALL(write, fd, "x", 1), -EIO);
}

static void pseudo(void **state)
{
    int n = -1, unlock = 0;
    char name[20] = "/dev/pts/0";
    struct stat st;
    size_t objects = mock_objects_used();
    unsigned frames = mock_frames_used();

    (void)state;
    int master = (int)CALL(open, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);
    assert_true(master >= 0);
    assert_int_equal(CALL(ioctl, master, TIOCGPTN, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(CALL(open, name, O_RDWR, 0), -EIO);
    assert_int_equal(CALL(ioctl, master, TIOCSPTLCK, &unlock), 0);
    int slave = (int)CALL(open, name, O_RDWR | O_NOCTTY, 0);
    assert_true(slave >= 0);
    assert_int_equal(CALL(write, master, "hi\n", 3), 3);
    assert_int_equal(CALL(read, slave, line, 100), 3);
    assert_int_equal(CALL(read, master, line, 100), 4);      // the echo
    assert_memory_equal(line, "hi\r\n", 4);
    assert_int_equal(CALL(write, slave, "out\n", 4), 4);
    assert_int_equal(CALL(read, master, line, 3), 3);
    assert_int_equal(CALL(read, master, line, 100), 2);
    struct pollfd p[2] = {{master, POLLIN | POLLOUT, 0}, {slave, POLLIN | POLLOUT, 0}};
    assert_int_equal(CALL(poll, p, 2, 0), 2);
    assert_true(p[0].revents == POLLOUT && p[1].revents == POLLOUT);
    CALL(close, slave);
    assert_int_equal(CALL(read, master, line, 10), -EIO);
    slave = (int)CALL(open, name, O_RDWR | O_NOCTTY, 0);
    CALL(close, master);
    assert_int_equal(CALL(read, slave, line, 10), 0);
    assert_int_equal(CALL(write, slave, line, 10), -EIO);
    assert_int_equal(CALL(stat, name, &st), -ENOENT);
    CALL(close, slave);
    assert_int_equal(mock_objects_used(), objects);
    assert_int_equal(mock_frames_used(), frames);
}

// Whatever is typed in whatever mode: nothing out of bounds, and the counts stay in order.
static void noise(void **state)
{
    uint64_t r = 88172645463325252ull;

    (void)state;
    for (int k = 0; k < 300000; k++) {
        r ^= r << 13;
        r ^= r >> 7;
        r ^= r << 17;
        if (k % 97 == 0) {
            struct termios t = mock_terminal->termios;
            t.c_lflag ^= (tcflag_t)(r >> 8)
                         & (ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ISIG | IEXTEN | NOFLSH | ECHOKE);
            t.c_iflag ^= (tcflag_t)(r >> 20) & (ICRNL | INLCR | IGNCR | ISTRIP | IXON | IUTF8 | IXANY | IMAXBEL);
            t.c_oflag ^= (tcflag_t)(r >> 30) & (OPOST | ONLCR | XTABS | OCRNL | ONOCR);
            t.c_cc[VMIN] = (uint8_t)((r >> 40) % 3);
            tty_set_termios(mock_terminal, &t);
        }
        tty_input(mock_terminal, (uint8_t)((r >> 33) % 5 == 0 ? r >> 50 : r >> 55));
        const struct tty *y = mock_terminal;
        assert_true(y->head - y->tail <= TTY_INPUT && y->canon - y->tail <= y->head - y->tail);
        if (r % 7 == 0) {
            CALL(fcntl, fd, F_SETFL, O_NONBLOCK);
            assert_true(CALL(read, fd, line, (r >> 20) % 50) <= 50);
        }
        if (mock_screen_length > 30000) {
            mock_screen_length = 0;
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, each, after)
    const struct CMUnitTest tests[] = {
        T(lines), T(editing), T(end_of_file), T(signals), T(raw), T(too_much), T(output), T(job_control),
        T(job_control_rest), T(pseudo), T(noise),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
