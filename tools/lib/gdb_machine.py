# gdb_machine.py - what the supervisor's tables say, seen by gdb: spaces, their memory, threads and their registers.
#
# The machine is the inferior of quoin.elf: live, through the emulator's stub, or a dump of its memory.  The supervisor
# has all memory mapped at MAP_BASE in every space, so whatever a processor runs, all spaces can be read.  Everything is
# copied here before gdb looks at another inferior.
import struct

import gdb

MAP_BASE = 0xffff800000000000            # these two: kernel/arch/x86_64/layout.h
AREA_TABLES = 0xffffffffd0012000         # of processor 0
PAGE = 4096
FRAME = ('rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
         'rip', 'rflags')                # of abi/frame.h
OBJECT_LOADED = 1
THREAD_READY, THREAD_RUNNING = 0, 1      # enum thread_status
ACT_NONE, ACT_FRESH, ACT_CLAIM, ACT_BLOCKED, ACT_STOPPED = range(5)
STATES = {ACT_CLAIM: 'stopped by the supervisor', ACT_STOPPED: 'stopped, an event that has not been told',
          ACT_BLOCKED: 'blocked in the kernel'}


class Context:
    """A kernel thread of a space: the registers of its program, and what it does."""

    def __init__(self, registers, state, kernel):
        self.registers, self.state, self.kernel = registers, state, kernel


class Space:
    def __init__(self, slot, pages, contexts):
        self.slot, self.pages, self.contexts = slot, pages, contexts

    def read(self, va, length, otherwise=None):
        """Bytes of the space; gdb.MemoryError if they are not mapped now, or another page instead."""
        data = b''
        while len(data) < length:
            page, offset = va & -PAGE, va % PAGE
            bytes_there = self.pages.get(page, otherwise)
            if bytes_there is None:
                raise gdb.MemoryError('page %#x is not mapped' % page)
            part = bytes_there[offset:offset + length - len(data)]
            data += part
            va += len(part)
        return data

    def word(self, va):
        return struct.unpack('<Q', self.read(va, 8))[0]


def find_inferior():
    for inferior in gdb.inferiors():
        if (inferior.progspace.filename or '').endswith('quoin.elf') and inferior.threads():
            return inferior
    raise gdb.GdbError('no machine: gdb quoin.elf, and a target or a dump of its memory')


def elements(cache, kind):
    """The loaded objects of a cache, as values."""
    count = int(cache['size'])
    every = cache['objects'].cast(kind.array(count - 1).pointer()).dereference()
    every.fetch_lazy()
    return [(n, every[n]) for n in range(count) if int(every[n]['o']['state']) == OBJECT_LOADED]


class Machine:
    def __init__(self):
        self.inferior = find_inferior()
        gdb.execute('inferior %d' % self.inferior.num, to_string=True)
        gdb.execute('set max-value-size unlimited')
        cpu = gdb.lookup_global_symbol('kernel_syscall').type.fields()[0].type
        try:
            tables = gdb.Value(AREA_TABLES).cast(gdb.lookup_type('struct cpu_tables').pointer())
            self.instance = tables['cpu'].cast(cpu)['instance'].dereference()
            self.cpus = int(self.instance['cpus'])
        except gdb.MemoryError:
            raise gdb.GdbError('the supervisor has not begun yet')
        self.space_type = cpu.target()['thread'].type.target()['home'].type.target()
        self.thread_type = cpu.target()['thread'].type.target()

    def physical(self, pa, length):
        return bytes(self.inferior.read_memory(MAP_BASE + pa, length))

    def processors(self):
        """By thread descriptor that runs: the number of its processor, and what that has in its registers."""
        found, before = {}, gdb.selected_thread()
        threads = {t.num: t for t in self.inferior.threads()}
        for n in range(self.cpus):
            cpu = self.instance['cpu'][n]
            thread = threads.get(int(cpu['arch'][0]) + 1)        # ARCH_APIC_ID: the emulator's number
            if int(cpu['thread']) == 0 or thread is None:
                continue
            thread.switch()
            frame = gdb.newest_frame()
            names = {'rflags': 'eflags'}
            found[int(cpu['thread'])] = n, {name: int(frame.read_register(names.get(name, name))) & (1 << 64) - 1
                                            for name in FRAME + ('cs', 'fs_base')}
        before.switch()
        return found

    def context(self, thread, processors):
        """What a thread descriptor has of its program; None: nothing."""
        state, at = thread['state'].dereference(), int(thread.address)
        depth, act = int(thread['depth']), int(thread['act'])
        registers = {name: int(state['frame'][0][name]) for name in FRAME}
        if at in processors:
            n, now = processors[at]
            where = 'running on processor %d' % n
            if depth > 0 or now['cs'] & 3 == 0:
                where += ', in the kernel'
            else:
                registers = now
            registers['fs_base'] = now['fs_base']
            return Context(registers, where, at)
        if act == ACT_FRESH or bool(thread['fresh']):
            return None
        registers['fs_base'] = int(state['fs_base'])
        status = 'stopped by the supervisor' if int(thread['status']) == THREAD_READY else 'waits in the kernel'
        return Context(registers, STATES.get(act, status), at)

    def spaces(self):
        """(slot, root, contexts) of each loaded space."""
        processors, of = self.processors(), {}
        for _, thread in elements(self.instance['threads'], self.thread_type):
            home = int(thread['home']) or int(thread['space'])
            context = self.context(thread, processors)
            if home and context:
                of.setdefault(home, []).append(context)
        return [(slot, int(space['root']), of.get(int(space.address), []))
                for slot, space in elements(self.instance['spaces'], self.space_type)]

    def page_of(self, root, va):
        """The physical address of one page, or None."""
        table = root
        for level in (3, 2, 1, 0):
            entry = struct.unpack('<Q', self.physical(table + (va >> 12 + 9 * level) % 512 * 8, 8))[0]
            table = entry & 0x000ffffffffff000
            if not entry & 1:
                return None
            if level > 0 and entry & 0x80:
                size = 1 << 12 + 9 * level
                return (table & -size) + (va % size & -PAGE)
        return table

    def map_of(self, root):
        """Physical addresses of the pages that a space has mapped now, by their addresses in it."""
        found = {}

        def walk(table, level, va):
            size = 1 << 12 + 9 * level
            for n, entry in enumerate(struct.unpack('<512Q', self.physical(table, PAGE))[:256 if level == 3 else 512]):
                at, pa = va + n * size, entry & 0x000ffffffffff000
                if not entry & 1:
                    continue
                if level > 0 and not entry & 0x80:
                    walk(pa, level - 1, at)
                    continue
                for offset in range(0, size, PAGE):
                    found[at + offset] = (pa & -size) + offset

        walk(root, 3, 0)
        return found

    def copy(self, slot, mapped, contexts):
        """The space, with all that it has mapped; pages that are registers of devices are left out."""
        pages = {}
        for va, pa in mapped.items():
            try:
                pages[va] = self.physical(pa, PAGE)
            except gdb.MemoryError:
                pass
        return Space(slot, pages, contexts)
