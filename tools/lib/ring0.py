# ring0.py - runs Quoin under the plug-in tools/plugin/ring0.c, and names what it found by the supervisor's symbols.
import bisect
import os
import re
import subprocess
import sys

import boot

PHASE = re.compile(r'phase (\d+) instructions (\d+) entries (\d+) switches (\d+) atomics (\d+) longest (\d+) '
                   r'way (-?\d+) processor (\d+)$')


class Symbols:
    def __init__(self, build):
        found = []
        for line in boot.read(os.path.join(build, 'quoin.elf.sym')).decode().splitlines():
            address, kind, name = line.split()
            if kind in 'tT' or name == 'image_rodata':
                found.append((int(address, 16), name))
        self.address = {name: address for address, name in found}
        self.order = sorted(found)

    def function(self, address):
        """The symbol that this instruction belongs to."""
        return self.order[bisect.bisect_right(self.order, (address, '~')) - 1][1]


class Phase:
    """What was counted in one phase; `longest` is the longest stretch with interrupts off."""

    def __init__(self, numbers):
        (self.number, self.instructions, self.entries, self.switches, self.atomics, self.longest, self.way,
         self.processor) = numbers
        self.functions = {}

    def entry(self):
        """How the longest stretch began: the call too, unless the compiler has dissolved its function."""
        if self.way != -1:
            return 'interrupt %d' % self.way if self.way >= 32 else 'exception %d' % self.way
        calls = [name[4:] for name in self.functions if name.startswith('sys_')]
        return 'call ' + calls[0] if calls else 'a call'

    def most(self, n=3):
        """The functions in which the longest stretch was for most of its instructions."""
        order = sorted(self.functions.items(), key=lambda item: -item[1])[:n]
        return ', '.join('%s %d' % pair for pair in order)


class Counts:
    def __init__(self, text, symbols):
        self.phases, self.boot = {}, []
        for line in text.splitlines():
            match = PHASE.match(line)
            word = line.split()
            if match:
                phase = Phase([int(n) for n in match.groups()])
                self.phases[phase.number] = phase
            elif word[0] == 'site':
                functions, name = self.phases[int(word[1])].functions, symbols.function(int(word[2], 16))
                functions[name] = functions.get(name, 0) + int(word[3])
            elif word[0] == 'boot':
                self.boot.append(int(word[2]))
            else:
                sys.exit('ring0: the plug-in does not understand the supervisor: ' + line)


def run(build, options, program=(), timeout=300):
    """One boot under the plug-in, counting instructions: what it printed, and the counts."""
    symbols = Symbols(build)
    out = os.path.join(build, 'ring0-%d.out' % os.getpid())
    plugin = '%s,low=%d,high=%d,syscall=%d,stubs=%d,out=%s' % (
        os.path.join(build, 'plugin/libring0.so'), symbols.address['image_start'], symbols.address['image_rodata'],
        symbols.address['entry_syscall'], symbols.address['entry_stubs'], out)
    command = [os.path.join(boot.TOOLS, 'run'), '--build', build, '--icount', '--timeout', str(timeout),
               '--plugin', plugin] + list(options) + ['--'] + list(program)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors='replace')
        if done.returncode or not os.path.exists(out):
            sys.exit('%s: the measurement ended with %d\n%s%s' % (
                os.path.basename(sys.argv[0]), done.returncode, done.stdout[-1000:], done.stderr[-1000:]))
        return done.stdout, Counts(boot.read(out).decode(), symbols)
    finally:
        if os.path.exists(out):
            os.unlink(out)


def operations(out, counts):
    """For each phase that the program names: what one operation took."""
    found = {}
    for number, name, operations in re.findall(r'(?m)^phase (\d+) (\w+) (\d+)\r?$', out):
        phase, n = counts.phases[int(number)], max(int(operations), 1)
        found[name] = {'ring 0': phase.instructions / n, 'entries': phase.entries / n, 'spaces': phase.switches / n,
                       'atomics': phase.atomics / n, 'longest': phase.longest}
    return found
