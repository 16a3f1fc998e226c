#!/usr/bin/python3
# terminal.py - sits at a terminal in front of `quoin run` and checks what a user would see there.
#
#   terminal.py QUOIN [OPTIONS of quoin run]
#
# The command runs on a pseudo-terminal, in a session of its own; expect() waits for text, send() types.  Each check
# prints a line, ok or not ok; the status is the number of failures.
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import fcntl

SLOW = 40.0


class Terminal:
    def __init__(self, command, rows=24, cols=80):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.seen = b''
        self.all = b''
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for descriptor in range(3):
                os.dup2(self.slave, descriptor)
            os.closerange(3, 256)
            os.environ['TERM'] = 'dumb'
            os.execvp(command[0], command)

    def send(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], max(0.0, seconds))
        if ready:
            data = os.read(self.master, 4096)
            self.seen += data
            self.all += data
        return bool(ready)

    def expect(self, pattern, seconds=SLOW):
        """True once the output since the last match holds the pattern."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern.encode(), self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return True
            if time.monotonic() >= end:
                return False
            self.read(end - time.monotonic())

    def prompt(self, seconds=SLOW):
        """True once the shell has asked for a command; it sets its terminal up around that moment."""
        seen = self.expect('[#$] ', seconds)
        time.sleep(0.3)
        return seen

    def run(self, program):
        """Type a command that becomes this program; True once it is about to: the terminal is the program's then."""
        self.send('sh -c \'echo run"ning"; exec %s\'\r' % program)
        seen = self.expect(r'\nrunning\r\n')
        time.sleep(0.3)
        return seen

    def finish(self, seconds=SLOW):
        """The exit status, or None if it does not end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            self.read(0.05)
        os.kill(self.pid, signal.SIGTERM)        # the launcher ends its machine; it gets a moment for that
        for _ in range(50):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return None
            self.read(0.1)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def resize(self, rows, cols):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, good, what, terminal=None):
        print('%s %s' % ('ok' if good else 'not ok', what), flush=True)
        if not good:
            self.failed += 1
            if terminal:
                print('   seen: %r' % terminal.all[-600:], flush=True)


def shell_session(command, check):
    """An interactive shell: prompt, echo, ^C, job control, ^D."""
    t = Terminal(command)
    check(t.prompt(), 'a prompt appears', t)
    check(not t.restored(), 'the terminal is raw meanwhile')
    t.send('echo $((6 * 7))\r')
    check(t.expect(r'echo \$\(\(6 \* 7\)\)\r\n'), 'typing is echoed', t)
    check(t.expect(r'42\r\n'), 'the command prints', t)
    t.prompt()
    check(t.run('sleep 100'), 'a program runs', t)
    t.send('\x03')
    check(t.prompt(), '^C interrupts', t)
    t.send('echo status=$?\r')
    check(t.expect(r'status=130\r\n'), 'status is 130', t)
    t.prompt()
    check(t.run('cat'), 'another one', t)
    t.send('one line\r')
    check(t.expect(r'one line\r\none line\r\n'), 'cat gets a line at its end', t)
    t.send('\x04')
    check(t.prompt(), '^D ends cat', t)
    t.send('echo abcX\x7f\r')
    check(t.expect(r'\nabc\r\n'), 'rubout erases', t)
    t.prompt()
    check(t.run('sleep 100'), 'a program runs', t)
    t.send('\x1a')
    check(t.expect('(?i)stopped'), '^Z stops', t)
    t.prompt()
    t.send('kill -9 %1; wait; echo go=on\r')
    check(t.expect(r'\ngo=on'), 'the shell goes on', t)
    t.prompt()
    t.send('stty size\r')
    check(t.expect(r'24 80\r\n'), 'the size of the window is known', t)
    t.prompt()
    t.resize(33, 99)
    os.kill(t.pid, signal.SIGWINCH)
    changed = False
    for _ in range(20):                      # the launcher hears of it, and then the machine
        time.sleep(0.5)
        t.send('stty size\r')
        changed = t.expect(r'[0-9]+ [0-9]+\r\n') and re.search(rb'33 99\r\n', t.all) is not None
        t.prompt()
        if changed:
            break
    check(changed, 'and when it changes', t)
    t.send('tty; test -t 0 && test -t 1 && test -t 2 && echo all=three\r')
    check(t.expect(r'\nall=three\r\n'), 'the descriptors are a terminal', t)
    t.prompt()
    t.send('\x04')
    status = t.finish()
    check(status is not None, '^D ends the shell')
    check(status == 0, 'with status 0 (%s)' % status, t)
    check(t.restored(), 'the terminal is as it was')


def killed_session(command, check):
    """The launcher is told to end: the terminal is restored all the same."""
    t = Terminal(command)
    check(t.prompt(), 'a prompt appears', t)
    os.kill(t.pid, signal.SIGTERM)
    check(t.finish() is not None, 'SIGTERM ends it')
    check(t.restored(), 'the terminal is as it was')


def program_session(command, check):
    t = Terminal(command + ['--', 'sh', '-c', 'echo ready; sleep 100; echo no'])
    check(t.expect(r'ready\r\n'), 'a program runs', t)
    time.sleep(0.5)
    t.send('\x03')
    status = t.finish()
    check(status == 130, '^C ends it with 130 (%s)' % status, t)
    check(t.restored(), 'the terminal is as it was')
    t = Terminal(command + ['--', 'sh', '-c', 'stty -echo raw; echo set; head -c 3 | od -c'])
    t.expect('set')
    time.sleep(0.5)
    t.send('\x03\x04z')
    check(t.expect(r'003 +004 +z'), 'a raw terminal gives every byte', t)
    check(t.finish() == 0, 'and ends')


def main():
    if len(sys.argv) < 2:
        print('usage: terminal.py QUOIN [OPTIONS]')
        return 2
    command = [sys.argv[1], 'run'] + sys.argv[2:]
    check = Checks()
    shell_session(command, check)
    killed_session(command, check)
    program_session(command, check)
    return min(check.failed, 100)


sys.exit(main())
