# terminal.py - carries bytes between the host's terminal, or its pipes, and the machine's three serial ports.
#
#   port 0   the program's terminal: stdin goes in, stdout comes out, byte for byte
#   port 1   the system's log: to the log file, with --verbose to stderr too
#   port 2   what programs print to stderr when that is not the terminal
#
# Into port 0 goes an escaped stream, so that more than bytes can be said: FF FF is the byte FF, FF 'E' the end of
# the input, FF 'W' and four bytes (rows, columns, low byte first) a new size of the window.
# Nothing is sent before the supervisor has said its first word on port 1: its port may not be set up yet, or a
# boot loader may still be listening.
#
# The host's terminal is raw while the machine runs, if it is both its stdin and its stdout: then the guest's line
# discipline does echo, ^C and ^D.  restore() is called on every way out.
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import time

ESCAPE = 0x1d            # ^], three within a second: end the machine
CHUNK = 65536
INPUT_LIMIT = 65536      # input that waits for the machine; more stays where it comes from


class Quit(Exception):
    """Leave at once, with this status."""

    def __init__(self, status):
        Exception.__init__(self)
        self.status = status


class Terminal:
    """The host's side: what is a terminal, its size, and its raw mode."""

    def __init__(self):
        self.saved = None
        self.is_terminal = [isatty(n) for n in range(3)]
        self.raw_wanted = self.is_terminal[0] and self.is_terminal[1]

    def mask(self):
        """Which of the program's streams are its terminal.  With stdout redirected none is: what the program
        sends to its terminal would end up in the redirected output."""
        if not self.is_terminal[1]:
            return 0
        return self.is_terminal[0] << 0 | 1 << 1 | self.is_terminal[2] << 2

    def size(self):
        for n in (1, 0):
            if self.is_terminal[n]:
                rows, cols, _, _ = struct.unpack('HHHH', fcntl.ioctl(n, termios.TIOCGWINSZ, bytes(8)))
                return rows, cols
        return 0, 0

    def raw(self):
        if not self.raw_wanted:
            return
        if self.saved is None:
            self.saved = termios.tcgetattr(0)
        mode = termios.tcgetattr(0)
        mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INLCR | termios.IGNCR | termios.INPCK |
                     termios.ISTRIP | termios.IXON | termios.IXOFF | termios.PARMRK)
        mode[1] &= ~termios.OPOST
        mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG)
        mode[6][termios.VMIN] = 1
        mode[6][termios.VTIME] = 0
        termios.tcsetattr(0, termios.TCSADRAIN, mode)

    def restore(self):
        if self.saved is not None:
            saved, self.saved = self.saved, None
            # A background process group may not set the terminal without being stopped; ours then has no claim to it.
            old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            try:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
            except termios.error:
                pass
            signal.signal(signal.SIGTTOU, old)

    def message(self, data):
        """Text of ours or of the log, for stderr: a raw terminal needs its carriage returns."""
        if self.saved is not None and self.is_terminal[2]:
            data = data.replace(b'\n', b'\r\n')
        write_all(2, data)


def isatty(n):
    try:
        return os.isatty(n)
    except OSError:
        return False


def write_all(descriptor, data):
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view):]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError as error:
            if error.errno == errno.EPIPE and descriptor == 1:
                raise Quit(128 + signal.SIGPIPE)
            return


def is_null(n):
    """Whether a descriptor is /dev/null, or closed: no input will ever come."""
    try:
        return os.fstat(n).st_rdev == os.stat('/dev/null').st_rdev
    except OSError:
        return True


class Pump:
    def __init__(self, terminal, ports, log, verbose, no_input=False):
        self.terminal = terminal
        self.ports = ports                       # our ends of the three serial ports
        self.log = log
        self.verbose = verbose
        self.tail = b''                          # of the log, for the status
        self.input = bytearray()                 # escaped, to be sent
        self.input_open = not no_input
        self.alive = False                       # the system has spoken
        self.escapes = []
        self.wake, self.waker = socket.socketpair()
        self.wake.setblocking(False)
        self.waker.setblocking(False)
        self.resized = False

    def signals(self):
        """Window size and stop/continue are told to the loop through a socket."""
        signal.signal(signal.SIGWINCH, self._resize)
        signal.signal(signal.SIGCONT, self._resume)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)

    def _resize(self, *_):
        self.resized = True

    def _resume(self, *_):
        if self.terminal.saved is not None:
            self.terminal.raw()
        self.resized = True

    def run(self):
        """Until the machine has closed all its ports."""
        poll = select.poll()
        for port in self.ports:
            port.setblocking(False)
            poll.register(port, select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        by_number = {port.fileno(): n for n, port in enumerate(self.ports)}
        wanted = {}
        while by_number:
            interest = {0: self.input_open and len(self.input) < INPUT_LIMIT,
                        self.ports[0].fileno(): bool(self.input) and self.alive}
            if interest != wanted:
                wanted = interest
                self._register(poll, interest, by_number)
            for descriptor, events in poll.poll():
                if descriptor == self.wake.fileno():
                    drain(self.wake)
                elif descriptor == 0 and 0 not in by_number:
                    self._take_input()
                else:
                    n = by_number[descriptor]
                    if events & select.POLLOUT:
                        self._send()
                    if events & ~select.POLLOUT and not self._receive(n):
                        poll.unregister(descriptor)
                        del by_number[descriptor]
            if self.resized:
                self.resized = False
                self._send_size()

    def _register(self, poll, interest, by_number):
        port = self.ports[0].fileno()
        if interest[0]:
            poll.register(0, select.POLLIN)
        else:
            try:
                poll.unregister(0)
            except KeyError:
                pass
        if port in by_number:
            poll.modify(port, select.POLLIN | (select.POLLOUT if interest[port] else 0))

    def _receive(self, n):
        try:
            data = self.ports[n].recv(CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b''
        if not data:
            return False
        if n == 0:
            write_all(1, data)
        elif n == 2:
            if self.terminal.is_terminal[2]:
                self.terminal.message(data)
            else:
                write_all(2, data)
        else:
            self._keep(data)
            self.alive = self.alive or b'quoin: ' in self.tail
            if self.verbose:
                self.terminal.message(data)
        return True

    def _keep(self, data):
        self.log.write(data)
        self.log.flush()
        self.tail = (self.tail + data)[-1024:]

    def last_line(self):
        return self.tail.rstrip(b'\r\n \0').rpartition(b'\n')[2].rstrip(b'\r')

    def _send(self):
        try:
            sent = self.ports[0].send(self.input[:4096])
            del self.input[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.input.clear()
            self.input_open = False

    def _take_input(self):
        try:
            data = os.read(0, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b''
        if not data:
            self.input_open = False
            self.input += b'\xffE'
            return
        if self.terminal.saved is not None and ESCAPE in data:
            now = time.monotonic()
            self.escapes = [t for t in self.escapes if now - t < 1] + [now] * data.count(ESCAPE)
            if len(self.escapes) >= 3:
                raise Quit(128 + signal.SIGTERM)
        self.input += data.replace(b'\xff', b'\xff\xff')

    def _send_size(self):
        rows, cols = self.terminal.size()
        if rows and cols:
            self.input += b'\xffW' + struct.pack('<HH', rows, cols)


def drain(sock):
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        pass
