// tty.c - the input half of the line discipline: what becomes of a byte that arrives.  See tty.h.
#include "tty.h"

#include <base.h>

static void bit_put(uint64_t *map, uint32_t at, bool on)
{
    uint64_t bit = 1ull << at % 64;
    uint64_t *word = &map[at % TTY_INPUT / 64];

    *word = on ? *word | bit : *word & ~bit;
}

static bool local(const struct tty *y, tcflag_t flag)
{
    return (y->termios.c_lflag & flag) != 0;
}

static bool is_char(const struct tty *y, unsigned which, uint8_t byte)
{
    uint8_t c = y->termios.c_cc[which];

    return c == byte && c != 0;              // 0 switches a special character off
}

struct tty *tty_create(const struct tty_driver *driver)
{
    static const uint8_t chars[NCCS] = {
        [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17,
        [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
    };
    struct tty *y = big_alloc(sizeof(*y));

    if (y == NULL) {
        return NULL;
    }
    y->driver = driver;
    y->termios.c_iflag = ICRNL | IXON | IUTF8;
    y->termios.c_oflag = OPOST | ONLCR;
    y->termios.c_cflag = B38400 | CS8 | CREAD | HUPCL;
    y->termios.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    memcpy(y->termios.c_cc, chars, sizeof(chars));
    return y;
}

void tty_destroy(struct tty *y)
{
    big_free(y, sizeof(*y));
}

// One byte is kept for the end of a line, so that a line that is too long can still be ended.
unsigned tty_room(const struct tty *y)
{
    unsigned used = y->head - y->tail;

    if (local(y, ICANON) && y->canon == y->tail) {
        return TTY_INPUT;                    // nobody can read yet: what is too much is dropped
    }
    return used < TTY_INPUT - 1 ? TTY_INPUT - 1 - used : 0;
}

bool tty_is_signal(const struct tty *y, uint8_t byte)
{
    return (local(y, ISIG) && (is_char(y, VINTR, byte) || is_char(y, VQUIT, byte) || is_char(y, VSUSP, byte)))
           || ((y->termios.c_iflag & IXON) != 0 && (is_char(y, VSTART, byte) || is_char(y, VSTOP, byte)));
}

void tty_flush_input(struct tty *y)
{
    y->tail = y->canon = y->head;
    y->line_column = y->column;
    y->driver->drained(y);
}

static void ring_put(struct tty *y, uint8_t byte, bool line_end, bool end_of_file)
{
    unsigned most = line_end ? TTY_INPUT : TTY_INPUT - 1;

    if (y->head - y->tail >= most) {
        if ((y->termios.c_iflag & IMAXBEL) != 0) {
            tty_put(y, '\a');
        }
        return;
    }
    bit_put(y->mark, y->head, line_end);
    bit_put(y->end, y->head, end_of_file);
    y->input[y->head++ % TTY_INPUT] = byte;
    if (line_end || !local(y, ICANON)) {
        y->canon = y->head;
        ux_wake(&y->read_wait);
    }
}

// ---- editing the line -------------------------------------------------------------------------------------

static uint8_t byte_before(const struct tty *y, uint32_t at)
{
    return y->input[(at - 1) % TTY_INPUT];
}

// Take the cursor back over what was just removed: to the column where the rest of the line ends.
static void echo_back(struct tty *y)
{
    unsigned column = y->line_column, now = y->column;

    for (uint32_t at = y->canon; at != y->head; at++) {
        column += tty_width(y, y->input[at % TTY_INPUT], column);
    }
    for (; now > column; now--) {
        tty_put(y, '\b');
        tty_put(y, ' ');
        tty_put(y, '\b');
    }
}

// Remove the last character of the line: with IUTF8 all of its bytes.
static void drop_character(struct tty *y)
{
    bool utf8 = (y->termios.c_iflag & IUTF8) != 0;

    while (y->head != y->canon) {
        uint8_t byte = byte_before(y, y->head);
        y->head--;
        if (!utf8 || (byte & 0xc0) != 0x80) {
            break;
        }
    }
}

static bool is_word(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
           || byte == '_' || byte >= 0x80;
}

static void drop_word(struct tty *y)
{
    bool seen = false;

    while (y->head != y->canon) {
        bool word = is_word(byte_before(y, y->head));
        if (seen && !word) {
            break;
        }
        seen |= word;
        drop_character(y);
    }
}

static void echo_line(struct tty *y)
{
    for (uint32_t at = y->canon; at != y->head; at++) {
        tty_echo(y, y->input[at % TTY_INPUT]);
    }
}

// true: the byte was an editing character of ICANON.
static bool edit(struct tty *y, uint8_t byte)
{
    bool echo = local(y, ECHO);

    if (is_char(y, VERASE, byte)) {
        drop_character(y);
        if (echo && local(y, ECHOE)) {
            echo_back(y);
        } else if (echo) {
            tty_echo(y, byte);
        }
    } else if (is_char(y, VKILL, byte)) {
        y->head = y->canon;
        if (echo && local(y, ECHOK) && local(y, ECHOKE) && local(y, ECHOE)) {
            echo_back(y);
        } else if (echo) {
            tty_echo(y, byte);
            if (local(y, ECHOK)) {
                tty_put(y, '\n');
                y->line_column = y->column;
            }
        }
    } else if (local(y, IEXTEN) && is_char(y, VWERASE, byte)) {
        drop_word(y);
        if (echo && local(y, ECHOE)) {
            echo_back(y);
        }
    } else if (local(y, IEXTEN) && is_char(y, VREPRINT, byte) && echo) {
        tty_echo(y, byte);
        tty_put(y, '\n');
        y->line_column = y->column;
        echo_line(y);
    } else {
        return false;
    }
    return true;
}

// ---- a byte arrives ---------------------------------------------------------------------------------------

static void raise(struct tty *y, uint8_t byte, int signal)
{
    if (!local(y, NOFLSH)) {
        tty_flush_input(y);
    }
    y->stopped = false;
    ux_wake(&y->write_wait);
    if (local(y, ECHO)) {
        tty_echo(y, byte);
        y->line_column = y->column;
    }
    if (y->pgrp != 0) {
        ux_signal_group(y->pgrp, signal);
    }
}

// true: the byte was a signal or flow control character, and is gone.
static bool control(struct tty *y, uint8_t byte)
{
    if ((y->termios.c_iflag & IXON) != 0) {
        if (is_char(y, VSTART, byte) || is_char(y, VSTOP, byte)) {
            y->stopped = !is_char(y, VSTART, byte);
            ux_wake(&y->write_wait);
            return true;
        }
        if (y->stopped && (y->termios.c_iflag & IXANY) != 0) {
            y->stopped = false;
            ux_wake(&y->write_wait);
        }
    }
    if (local(y, ISIG)) {
        int signal = is_char(y, VINTR, byte) ? SIGINT : is_char(y, VQUIT, byte) ? SIGQUIT
                     : is_char(y, VSUSP, byte) ? SIGTSTP : 0;
        if (signal != 0) {
            raise(y, byte, signal);
            return true;
        }
    }
    return false;
}

static void end_line(struct tty *y, uint8_t byte)
{
    if (byte == '\n' ? local(y, ECHO) || local(y, ECHONL) : local(y, ECHO)) {
        tty_echo(y, byte);
    }
    ring_put(y, byte, true, false);
    y->line_column = y->column;
}

static void ordinary(struct tty *y, uint8_t byte)
{
    if (local(y, ECHO)) {
        if (y->head == y->canon) {
            y->line_column = y->column;
        }
        if (!local(y, ICANON) || y->head - y->tail < TTY_INPUT - 1) {
            tty_echo(y, byte);
        }
    }
    ring_put(y, byte, false, false);
}

void tty_input(struct tty *y, uint8_t byte)
{
    tcflag_t flags = y->termios.c_iflag;

    if ((flags & ISTRIP) != 0) {
        byte &= 0x7f;
    }
    if (y->literal) {
        y->literal = false;
        ordinary(y, byte);
        tty_flush_output(y);
        return;
    }
    if (byte == '\r') {
        if ((flags & IGNCR) != 0) {
            return;
        }
        byte = (flags & ICRNL) != 0 ? '\n' : byte;
    } else if (byte == '\n' && (flags & INLCR) != 0) {
        byte = '\r';
    }
    bool lines = local(y, ICANON);
    if (control(y, byte)) {
        // done
    } else if (local(y, IEXTEN) && is_char(y, VLNEXT, byte)) {
        y->literal = true;
        if (local(y, ECHO) && local(y, ECHOCTL)) {
            tty_put(y, '^');
            tty_put(y, '\b');
        }
    } else if (lines && edit(y, byte)) {
        // done
    } else if (lines && is_char(y, VEOF, byte)) {
        ring_put(y, 0, true, true);
        y->line_column = y->column;
    } else if (lines && (byte == '\n' || is_char(y, VEOL, byte) || (local(y, IEXTEN) && is_char(y, VEOL2, byte)))) {
        end_line(y, byte);
    } else {
        ordinary(y, byte);
    }
    tty_flush_output(y);
}

// New settings.  What was typed stays: on the way to lines it is one line that is complete.
void tty_set_termios(struct tty *y, const struct termios *wanted)
{
    bool before = local(y, ICANON);

    y->termios = *wanted;
    bool after = local(y, ICANON);
    if (before && !after) {
        y->canon = y->head;
    } else if (!before && after && y->head != y->tail) {
        for (uint32_t at = y->tail; at != y->head; at++) {
            bit_put(y->mark, at, at + 1 == y->head);
            bit_put(y->end, at, false);
        }
        y->canon = y->head;
    }
    if (!after) {
        y->literal = false;
    }
    ux_wake(&y->read_wait);
}
