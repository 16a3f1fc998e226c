# stack_depth.py - how deep the supervisor's stack can get: its machine code as it is, along the longest path of calls.
#
# Each function is followed from its first instruction through all of its jumps, with how far RSP is below where it was
# before the call; a jump to another function is a call that has no return address of its own.  Whom a call through a
# pointer can reach has to be said; a caller of whom it is not is an error, and so is recursion.
import re
import subprocess

LINE = re.compile(r'\s*([0-9a-f]+):\s+(?:(?:rep|repz|repnz|lock|bnd|notrack|cs|data16)\s+)*(\S+)\s*([^<#]*)')
NAME = re.compile(r'([0-9a-f]+) <(.*)>:$')
SWITCH = re.compile(r'\*-?0x[0-9a-f]+\(,')
ENDS = ('ret', 'retq', 'ud2', 'hlt', 'iretq', 'sysretq', 'int3')


class Code:
    def __init__(self, elf, pointers, again):
        """pointers: {caller: pattern of names}; again: {function: how often it can be on one path}, where functions that
        call each other only do so through these."""
        self.pointers, self.again = pointers, again
        self.at, self.names, self.starts = {}, {}, {}
        last = None
        out = subprocess.run(['objdump', '-d', '--no-show-raw-insn', elf], capture_output=True, text=True, check=True)
        for line in out.stdout.splitlines():
            name, code = NAME.match(line), LINE.match(line)
            if name:
                self.names[int(name[1], 16)] = name[2]
                self.starts[name[2]] = int(name[1], 16)
            elif code:
                address = int(code[1], 16)
                self.at[address] = [code[2], code[3].strip(), None]
                if last is not None:
                    self.at[last][2] = address
                last = address
        self.deepest, self.followed = {}, {}

    def is_function(self, address):
        return address in self.names and '.cold' not in self.names[address]

    def follow(self, start):
        """What a function uses itself, and (function, depth) of each that it calls."""
        if start in self.followed:
            return self.followed[start]
        calls, used = set(), 8
        seen, ahead = set(), [(start, 8, None)]
        while ahead:
            address, depth, frame = ahead.pop()
            if address is None or address in seen:
                continue
            seen.add(address)
            op, words, after = self.at[address]
            depth, frame = moved(op, words, depth, frame)
            used = max(used, depth)
            to = int(words, 16) if re.fullmatch('[0-9a-f]+', words) and op[0] in 'cj' else None
            if op.startswith('call') or (op[0] == 'j' and to is not None and to != start and self.is_function(to)):
                calls.update((callee, depth - (0 if op[0] == 'c' else 8)) for callee in self.reached(start, to))
            elif op[0] == 'j' and to is not None:
                ahead.append((to, depth, frame))
            elif op[0] == 'j' and SWITCH.match(words):
                ahead += [(case, depth, frame) for case in self.rest(address)]
            elif op[0] == 'j':
                calls.update((callee, depth - 8) for callee in self.reached(start, None))
            if op not in ENDS and op != 'jmp' and after not in self.names:       # nothing comes after panic()
                ahead.append((after, depth, frame))
        self.followed[start] = used, calls
        return used, calls

    def rest(self, address):
        """What of a function is behind an instruction: where the cases of a switch are."""
        while (address := self.at[address][2]) is not None and address not in self.names:
            yield address

    def reached(self, caller, to):
        if to is not None:
            return [to]
        pattern = self.pointers.get(plain(self.names[caller]), '$')
        found = [address for address, name in self.names.items() if re.fullmatch(pattern, plain(name))]
        if not found:
            raise ValueError('%s calls through a pointer: to whom?' % self.names[caller])
        return found

    def depth(self, name):
        """Bytes from before the call of this function, and the functions on the way to where that is."""
        if name not in self.starts:
            raise ValueError('no function ' + name)
        return self.deep(self.starts[name], ())

    def deep(self, start, path):
        name = plain(self.names[start])
        path += (name,)
        key = start, tuple(path.count(limited) for limited in self.again)
        if path.count(name) > 1 and not set(path[path.index(name):]) & set(self.again):
            raise ValueError('recursion: ' + ' '.join(path))
        if path.count(name) > self.again.get(name, len(path)):
            return 0, ()
        if key not in self.deepest:
            used, calls = self.follow(start)
            worst = used, ()
            for callee, at in calls:
                below, names = self.deep(callee, path)
                worst = max(worst, (at + below, names))
            self.deepest[key] = worst[0], ('%s %d' % (name, used),) + worst[1]
        return self.deepest[key]


def plain(name):
    """Without what the compiler adds to names of copies."""
    return name.split('.')[0]


def moved(op, words, depth, frame):
    """RSP, and where RBP is, after an instruction; both as bytes below where RSP was before the call."""
    number = re.match(r'\$(0x[0-9a-f]+|-0x[0-9a-f]+),%rsp$', words)
    if op.startswith('push'):
        depth += 8
    elif op.startswith('pop'):
        depth -= 8
    elif op == 'sub' and number:
        depth += int(number[1], 16)
    elif op == 'add' and number:
        depth -= int(number[1], 16)
    elif op == 'and' and number:
        depth += -int(number[1], 16) % 2 ** 64 - 8 if int(number[1], 16) < 0 else 2 ** 64 - int(number[1], 16) - 8
    elif op == 'mov' and words == '%rsp,%rbp':
        frame = depth
    elif op.startswith('leave') and frame is not None:
        depth, frame = frame - 8, None
    elif op == 'lea' and words.endswith(',%rsp') and frame is not None:
        offset = re.match(r'(-?0x[0-9a-f]+)\(%rbp\)', words)
        depth = frame - int(offset[1], 16) if offset else depth
    return depth, frame
