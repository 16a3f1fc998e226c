// tty_output.c - the output half of the line discipline: processing, the cursor's column, echo.  See tty.h.
#include "tty.h"

#include <base.h>

enum { MOST_FOR_ONE = 8 };                   // bytes that one can become: a tab

static unsigned ring_used(const struct tty *y)
{
    return y->out_head - y->out_tail;
}

// Give the device what it takes.
bool tty_flush_output(struct tty *y)
{
    while (!y->stopped && ring_used(y) > 0) {
        unsigned at = y->out_tail % TTY_OUTPUT;
        unsigned n = TTY_OUTPUT - at < ring_used(y) ? TTY_OUTPUT - at : ring_used(y);
        size_t taken = y->driver->put(y, y->output + at, n);
        y->out_tail += (uint32_t)taken;
        if (taken == 0) {
            break;
        }
    }
    return ring_used(y) == 0;
}

bool tty_output_room(struct tty *y)
{
    if (TTY_OUTPUT - ring_used(y) < MOST_FOR_ONE) {
        tty_flush_output(y);
    }
    return TTY_OUTPUT - ring_used(y) >= MOST_FOR_ONE;
}

static void ring_put(struct tty *y, uint8_t byte)
{
    y->output[y->out_head++ % TTY_OUTPUT] = byte;
}

static void column_move(struct tty *y, uint8_t byte)
{
    if (byte == '\b') {
        y->column -= y->column > 0;
    } else if (byte >= ' ' && byte != 127 && (byte & 0xc0) != 0x80) {
        y->column++;
    }
}

// Without room the byte is lost: it is an echo then, as writers ask for room first.
void tty_put(struct tty *y, uint8_t byte)
{
    tcflag_t flags = y->termios.c_oflag;

    if (!tty_output_room(y)) {
        return;
    }
    if ((flags & OPOST) == 0) {
        ring_put(y, byte);
        return;
    }
    switch (byte) {
    case '\n':
        if ((flags & ONLCR) != 0) {
            ring_put(y, '\r');
        }
        if ((flags & (ONLCR | ONLRET)) != 0) {
            y->column = 0;
        }
        ring_put(y, '\n');
        return;
    case '\r':
        if ((flags & ONOCR) != 0 && y->column == 0) {
            return;
        }
        if ((flags & OCRNL) != 0) {
            byte = '\n';
        }
        y->column = 0;
        break;
    case '\t': {
        unsigned to = (y->column / 8 + 1) * 8;
        if ((flags & TABDLY) == XTABS) {
            while (y->column < to) {
                ring_put(y, ' ');
                y->column++;
            }
            return;
        }
        y->column = to;
        break;
    }
    default:
        column_move(y, byte);
        break;
    }
    ring_put(y, byte);
}

static bool shown_as_two(const struct tty *y, uint8_t byte)
{
    return (y->termios.c_lflag & ECHOCTL) != 0 && (byte < ' ' || byte == 127) && byte != '\t' && byte != '\n';
}

void tty_echo(struct tty *y, uint8_t byte)
{
    if (shown_as_two(y, byte)) {
        tty_put(y, '^');
        byte ^= 0x40;
    }
    tty_put(y, byte);
}

unsigned tty_width(const struct tty *y, uint8_t byte, unsigned column)
{
    if (byte == '\t') {
        return 8 - column % 8;
    }
    if (shown_as_two(y, byte)) {
        return 2;
    }
    return byte < ' ' || byte == 127 || (byte & 0xc0) == 0x80 ? 0 : 1;
}
