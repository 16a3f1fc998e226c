// tty.h - terminals: the line discipline between a device and the programs that read and write it.
//
// Input bytes come one by one from the device (tty_input), are edited into lines, echoed, or become signals.
// Three counts walk over the input ring: `tail` (read by programs) <= `canon` (end of the last whole line)
// <= `head` (end of all).  Without ICANON canon follows head.  A mark on a byte says that a line ends with it;
// a line that was ended by the end-of-file character ends with a byte that carries the mark `end` too and is
// not given to the reader.
//
// Output bytes are processed into a small ring that the device empties.
//
// Locking: the giant, released only while a reader or writer sleeps.
#pragma once
#include "file.h"

enum { TTY_INPUT = 4096, TTY_OUTPUT = 1024 };
// asm/signal.h has them too, with types that get in the way of host tests.
enum {
    SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGCONT = 18, SIGTSTP = 20, SIGTTIN = 21, SIGTTOU = 22, SIGWINCH = 28,
};

struct tty;
struct tty_driver {
    size_t (*put)(struct tty *y, const uint8_t *bytes, size_t n);    // how many the device took
    void   (*drained)(struct tty *y);        // a reader made room for input
    bool   polled;                           // the device does not tell when it has room again
};

struct tty {
    const struct tty_driver *driver;         // I
    struct termios termios;                  // g
    struct winsize window;                   // g
    int      sid, pgrp;                      // g  controlled session, foreground group; 0: none
    unsigned number;                         // I  pseudo-terminals: N of /dev/pts/N
    uint32_t tail, canon, head;              // g  modulo TTY_INPUT
    bool     literal;                        // g  the next byte is not special
    bool     stopped;                        // g  by ^S
    bool     hung;                           // g  the other side is gone: reads give the end
    bool     writing;                        // g  one writer at a time, as they sleep
    unsigned column;                         // g  of the cursor
    unsigned line_column;                    // g  where the line being typed began
    uint32_t out_tail, out_head;             // g  modulo TTY_OUTPUT
    struct waitq read_wait, write_wait;
    struct waitq master_wait;                // pseudo-terminals: readers of the other side
    unsigned slaves;                         // g  open files of /dev/pts/N
    bool     master;                         // g  the other side is open
    bool     opened;                         // g  the slave side was ever open
    bool     locked;                         // g  the slave cannot be opened yet
    uint64_t mark[TTY_INPUT / 64];           // g
    uint64_t end[TTY_INPUT / 64];            // g
    uint8_t  input[TTY_INPUT];               // g
    uint8_t  output[TTY_OUTPUT];             // g
};

// tty.c: input
struct tty *tty_create(const struct tty_driver *driver);     // NULL: no memory
void     tty_destroy(struct tty *y);
void     tty_input(struct tty *y, uint8_t byte);
unsigned tty_room(const struct tty *y);      // bytes that tty_input takes without losing one
bool     tty_is_signal(const struct tty *y, uint8_t byte);   // acted on at once, even without room
void     tty_flush_input(struct tty *y);
void     tty_set_termios(struct tty *y, const struct termios *wanted);

// tty_output.c
void     tty_put(struct tty *y, uint8_t byte);               // processed; flushes when the ring is full
void     tty_echo(struct tty *y, uint8_t byte);              // as ECHO and ECHOCTL have it
bool     tty_output_room(struct tty *y);                     // for one byte, processed
bool     tty_flush_output(struct tty *y);                    // true: all is out
unsigned tty_width(const struct tty *y, uint8_t byte, unsigned column);      // columns that its echo takes

// tty_calls.c
long     tty_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position);
long     tty_write(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position);
unsigned tty_poll(struct file *f, struct poller *p);
long     tty_ioctl(struct task *t, struct file *f, unsigned request, uint64_t argument);
extern const struct file_ops tty_ops;        // of the machine's terminal
void     tty_opened(struct task *t, struct file *f, struct tty *y);          // may make it the controlling one
void     tty_forget(struct tty *y);          // no session has it any more
void     tty_attach(struct tty *y, struct task *t);
void     tty_hangup(struct tty *y);
void     tty_resize(struct tty *y, const struct winsize *w);
unsigned tty_input_ready(const struct tty *y);               // bytes a reader would get now

// console.c
struct tty *console_terminal(void);          // NULL: no stream of the host is a terminal
int      console_open_stream(struct task *t, struct inode *i, struct file *f);

// pty.c
int      pty_open_master(struct task *t, struct inode *i, struct file *f);
int      pty_open_slave(struct task *t, unsigned number, struct file *f);
int      pty_open_again(struct task *t, struct tty *y, struct file *f);      // by /dev/tty
void     pty_init(struct inode *pts);
