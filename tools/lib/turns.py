# turns.py - a machine in the emulator whose processors take turns, each of the same length, whatever they do.
#
# Something happens every 838 ns of the emulator's clock (kernel/arch/x86_64/clock.c), which ends a turn; an instruction
# takes 1, 2 or 4 ns.  A turn would also end at a PAUSE or a HLT: a processor that waits would have less than its part
# of the clock, and all others more.  So these become NOPs of the same length, and nothing else is changed: who waits or
# idles takes all of its turn, as it takes its time on a machine.  (The HLT is the one behind STI, in a loop.)
import re
import struct
import subprocess
import tempfile

NOPS = {'pause': b'\x66\x90', 'hlt': b'\x90'}
WAITS = re.compile(r'(?m)^ *([0-9a-f]+):\t.*\t(pause) *$|\tsti *\n *([0-9a-f]+):\t.*\t(hlt) *$')


SHIFT = {'838': 0, '419': 1, '209': 2}   # instructions in a turn: how long one takes, as a power of 2, in ns


def clock(turn, processors):
    """That power, and how many ticks of the clock pass while each processor executes one instruction."""
    shift = SHIFT.get(turn, 0)
    return shift, processors << shift


def segments(data):
    """(address, offset, length) of what an ELF file has loaded."""
    at, size, count = struct.unpack_from('<Q', data, 32)[0], *struct.unpack_from('<HH', data, 54)
    for n in range(count):
        kind, _, offset, address, _, length = struct.unpack_from('<IIQQQQ', data, at + n * size)
        if kind == 1:
            yield address, offset, length


def program(data):
    """The bytes of a file; if it is an ELF file, without PAUSE and HLT."""
    if data[:6] != b'\x7fELF\x02\x01':
        return data
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        text = subprocess.run(['objdump', '-d', '-w', file.name], check=True, capture_output=True, text=True).stdout
    changed = bytearray(data)
    for found in WAITS.finditer(text):
        address, name = (word for word in found.groups() if word)
        for base, offset, length in segments(data):
            if base <= int(address, 16) < base + length:
                begin = offset + int(address, 16) - base
                changed[begin:begin + len(NOPS[name])] = NOPS[name]
    return bytes(changed)
