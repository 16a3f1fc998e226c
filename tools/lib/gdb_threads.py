# gdb_threads.py - quoin-threads: all user-level threads (lib/threads) of all programs, with their stacks.
#
#   quoin-threads [PROGRAM]    list them, of all programs or of those with that name; each is a thread of gdb's from
#                              then on (thread 2.5, backtrace, up, print), until the machine has run again
#
# A program is found by its text: pages of a space that are those of an ELF file in the build folder.  Its threads are
# found without any list of theirs: a record begins with its own address and the routines of its kind (waitable.h), and
# is somewhere in memory that the space has mapped.  So are workers of other packages (package.h), and tasks (tasks.h),
# which have no stack and are only said to be there.  Where a thread goes on is known by whoever has it: a processor, an
# activation in the supervisor, a ready list or an object, a slot of an upcall.  All that becomes a core file, with a
# thread of gdb's for each of the library's, so gdb unwinds the stacks.
#
# Not seen: what is in pages that are not mapped at this moment, since they were never touched (then it is zeros) or
# since the supervisor has replaced their mappings, as with small caches.  Whatever cannot be said for that reason is said
# to be so, of the thread or, if it concerns none, of the program.  A thread that another one has in hand at this moment,
# between two lists, is said to be so.
import atexit
import glob
import os
import re
import struct
import sys
import tempfile

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import core_file
from gdb_machine import Machine, PAGE

FLOW_THREAD, FLOW_HANDLER, FLOW_IDLE, FLOW_WORKER = range(4)     # these four: lib/threads/threads_impl.h
PHASE_LEFT, PHASE_EVENTS, PHASE_SCHEDULING, PHASE_LOCKS = range(4)
STOPPED_BELOW = 136
ROUTINES = (('block_this', 'unblock_that'), ('block_worker', 'unblock_worker'))
WORKER_READY, PARKED = 17, 1                             # lib/threads/package.h, critical_package.c
TASK_STATES = ('queued', 'running', 'waiting', 'running')        # lib/tasks/tasks.c
EVENT_OVER = 1
KINDS = {FLOW_HANDLER: 'upcall handler', FLOW_IDLE: 'idle'}
UPCALL_CONTEXT = 2 | 8 | 16 | 32 | 64 | 128 | 256        # these two: abi/activation.h
SLOTS_MOST = 512
SAVED = ('r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'rip')
STOPPED = ('r15', 'r14', 'r13', 'r12', 'r11', 'r10', 'r9', 'r8', 'rbp', 'rdi', 'rsi', 'rdx', 'rcx', 'rbx', 'rax')
LIGHT = ('rax', 'rcx', 'rdx', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'rsp')
ROOT_FRAME = re.compile(r'^#\d+ +0x0+ in .*\n', re.M)     # where the handler of an upcall would return to


class Image:
    """An ELF file of a program with the library."""

    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path).removesuffix('.elf')
        with open(path, 'rb') as file:
            self.data = file.read()
        self.text = []                                   # (address, bytes) of pages that are never written
        at, = struct.unpack_from('<Q', self.data, 32)
        for n in range(struct.unpack_from('<H', self.data, 56)[0]):
            kind, flags, offset, va, _, size = struct.unpack_from('<IIQQQQ', self.data, at + 56 * n)
            if kind == 1 and not flags & 2 and va % PAGE == 0:
                self.text += [(va + p, self.data[offset + p:offset + p + PAGE]) for p in range(0, size - PAGE + 1, PAGE)]

    def is_in(self, machine, root):
        same = 0
        for va, text in self.text:
            pa = machine.page_of(root, va)
            if pa is not None and machine.physical(pa, PAGE) != text:
                return False
            same += pa is not None
        return same > 0


def images(name):
    folder = os.path.join(os.path.dirname(find_elf()), 'debug')
    paths = [path for path in sorted(glob.glob(os.path.join(folder, '*.elf')))
             if not name or os.path.basename(path) in (name, name + '.elf')]
    found = []
    for path in paths:
        with open(path, 'rb') as file:
            if b'\0threads_critical\0' in file.read():
                found.append(Image(path))
    if not found:
        raise gdb.GdbError('there is no program %swith the threads library in %s' % (name and name + ' ', folder))
    return found


def find_elf():
    for inferior in gdb.inferiors():
        if (inferior.progspace.filename or '').endswith('quoin.elf'):
            return inferior.progspace.filename
    raise gdb.GdbError('quoin.elf is not on the command line')


def address(symbol):
    return int(gdb.parse_and_eval("(unsigned long) &'%s'" % symbol))


def name_of(va):
    """A name for an address of the program's, or the address."""
    text = gdb.execute('info symbol %#x' % va, to_string=True)
    return '%#x' % va if text.startswith('No symbol') else text.split(' in section')[0].replace(' + 0', '')


class Flow:
    """A record of the library's, and how it goes on."""

    def __init__(self, at, record):
        self.at, self.record = at, record
        self.kind, self.priority = int(record['kind']), int(record['priority'])
        self.state, self.registers, self.missing = None, None, None      # missing: an address that is not mapped

    def __getitem__(self, field):
        return int(self.record[field])

    def title(self):
        what = KINDS.get(self.kind)
        if what is None:
            what = 'worker of ' + name_of(self['package']) if self.kind == FLOW_WORKER else 'thread ' + name_of(self['fn'])
        hidden = '' if self.missing is None else ' (its registers are at %#x, which is not mapped)' % self.missing
        return '%s, priority %d, %s%s' % (what, self.priority, self.state, hidden)


class Task:
    """A task of lib/tasks, which has no stack."""

    def __init__(self, at, record):
        self.at, self.record, self.registers = at, record, None

    def title(self):
        return 'task %s, %s' % (name_of(int(self.record['fn'])), TASK_STATES[int(self.record['state']) % 4])


class Library:
    """The library's state in a space.  gdb is at an inferior with the program's symbols."""

    def __init__(self, space):
        self.space = space
        symbol = gdb.lookup_global_symbol('threads')
        self.state = gdb.Value(space.read(address('threads'), symbol.type.sizeof, bytes(PAGE)), symbol.type)
        self.type = symbol.type['idle'].type.target().target()
        self.critical = address('__start_threads_critical')
        self.recovery = address('__start_threads_recovery'), address('__stop_threads_recovery')
        self.resume = address('threads_resume'), address('threads_resume_end')
        self.resume_stopped, self.resume_light = address('threads_resume_stopped'), address('threads_resume_light')
        self.on_kernel = int(self.state['on_kernel']) != 0
        self.flows = {at: Flow(at, record) for of in ROUTINES for at, record in self.records(*of, 'struct thread')}
        self.missing = 0                                 # slots and other parts of the area that are not mapped

    def value(self, at, kind):
        return gdb.Value(self.space.read(at, kind.sizeof), kind)

    def records(self, block, unblock, kind):
        """All that begin with their own address and these routines, if the program has them."""
        if gdb.lookup_static_symbol(block) is None:
            return
        kind, routines = gdb.lookup_type(kind), struct.pack('<QQ', address(block), address(unblock))
        for va, page in self.space.pages.items():
            page += self.space.pages.get(va + PAGE, b'')[:len(routines)]
            at = page.find(routines)
            while at >= 0:
                if at >= 8 and struct.unpack_from('<Q', page, at - 8)[0] == va + at - 8:
                    try:
                        yield va + at - 8, self.value(va + at - 8, kind)
                    except gdb.MemoryError:
                        pass
                at = page.find(routines, at + 1)

    def tasks(self):
        """Those that have not ended."""
        found = self.records('block_task', 'unblock_task', 'struct task')
        return [Task(at, record) for at, record in found if int(record['over']['first']) != EVENT_OVER]

    def offset(self, *fields):
        """Of a field of a record."""
        kind, bits = self.type, 0
        for field in fields:
            bits += kind[field].bitpos
            kind = kind[field].type
        return bits // 8

    # ---- how a flow goes on -------------------------------------------------------------------------------------

    def saved(self, flow):
        """Registers of one that does not run: what a switch to it would load."""
        at = flow['saved']
        if at == 0:
            return None
        registers = dict(zip(SAVED, struct.unpack('<7Q', self.space.read(at, 56))), rsp=at + 56, fs_base=flow.at)
        if registers['rip'] == self.resume_stopped:
            words = struct.unpack('<18Q', self.space.read(flow.at + self.offset('stopped', 'general'), 144))
            registers.update(zip(STOPPED, words))
            registers.update(rflags=words[15], rsp=words[16] + STOPPED_BELOW, rip=words[17])
        elif registers['rip'] == self.resume_light:
            words = struct.unpack('<10Q', self.space.read(flow.at + self.offset('light'), 80))
            registers.update(zip(LIGHT, words))
            registers.update(rip=self.space.word(registers['rsp']), rsp=registers['rsp'] + 8)
        return registers

    def found(self, flow, state, registers=None):
        """The first who has a flow knows best."""
        if flow is None or flow.state is not None:
            return
        try:
            flow.registers = registers or self.saved(flow)
        except gdb.MemoryError:
            flow.missing = flow['saved']
        flow.state = state

    def context(self, registers, state):
        """A context of the program is a flow's: of the one that FS base names."""
        at = registers['fs_base'] or registers['rsp'] + 8        # a handler at its first instruction
        flow, rip = self.flows.get(at), registers['rip']
        if flow is None:
            return
        if self.resume[0] <= rip < self.resume[1]:
            registers = None                             # about to go on: as it was stopped
        elif self.recovery[0] <= rip < self.recovery[1]:
            registers = dict(registers, rip=rip - self.recovery[0] + self.critical)
        self.found(flow, state, registers)

    # ---- who has them -------------------------------------------------------------------------------------------

    def chain(self, at, field='next'):
        while at in self.flows:
            yield self.flows[at]
            at = self.flows[at][field]

    def look(self):
        contexts = sorted(self.space.contexts, key=lambda c: 'running' not in c.state)
        for c in contexts:
            flow = self.flows.get(c.registers['fs_base'])
            waits = self.waits(flow) if self.on_kernel and flow is not None and flow['list'] != 0 else None
            self.context(c.registers, waits or c.state)
        self.look_ready()
        for flow in self.flows.values():
            if flow.kind == FLOW_THREAD and flow['list'] != 0:
                self.found(flow, self.waits(flow))
        if not self.on_kernel and int(self.state['machine']['slots']) != 0:
            self.look_slots()
        for flow in list(self.flows.values()):
            if flow.state is not None and flow.kind != FLOW_THREAD:
                self.look_behind(flow)
        self.look_rest()

    def look_ready(self):
        for n in range(int(self.state['machine']['cpus'])):
            ready = self.state['ready'][n]
            for level in range(32):
                if int(ready['bits']) >> level & 1:
                    last = int(ready['last'][level])
                    for flow in self.chain(int(ready['first'][level])):
                        self.found(flow, 'ready, on the list of processor %d' % n)
                        if flow.at == last:
                            break
            self.drop(int(ready['free']))
        self.drop(int(self.state['large']))

    def drop(self, first):
        """Free records, unless a kernel thread is still on the stack."""
        for flow in list(self.chain(first)):
            if flow.state is None:
                del self.flows[flow.at]

    def waits(self, flow):
        on, where = flow['on'], flow['list']
        until = ', until %d at most' % flow['until'] if flow['until'] else ''
        done, token = self.offset('done'), self.offset('token')
        guarded = gdb.lookup_type('struct mutex')
        if where != on + guarded['waiters'].bitpos // 8:
            condition = where - gdb.lookup_type('struct condition')['waiters'].bitpos // 8
            return 'waiting for condition %s%s' % (name_of(condition), until)
        if on - done in self.flows:
            return 'waiting for the end of thread %#x%s' % (on - done, until)
        if on - token == flow.at:
            return 'waiting for an unblock%s' % until
        try:
            word = self.space.word(on)
        except gdb.MemoryError:
            word = 0
        if word & ~1 in self.flows:
            return 'waiting for mutex %s of thread %#x%s' % (name_of(on), word & ~1, until)
        if until and flow.at - flow['stack'] <= on < flow.at:
            return 'asleep%s' % until
        return 'waiting for semaphore %s%s' % (name_of(on), until)

    def look_slots(self):
        """Contexts in slots that the supervisor has filled, of upcalls that have begun and are not through."""
        machine = self.state['machine']
        user, kernel = machine['user'].type.target(), machine['kernel'].type.target()
        try:
            user, kernel = self.value(int(machine['user']), user), self.value(int(machine['kernel']), kernel)
        except gdb.MemoryError:
            self.missing = int(machine['slots'])
            return
        given, taken = int(user['slots_given']), int(kernel['slots_taken'])
        free = {int(user['slot'][n % SLOTS_MOST]) & 0xffff for n in range(taken, taken + (given - taken) % 2 ** 32)}
        kind, first = machine['slot'].type.target(), int(machine['slot'])
        for n in set(range(int(machine['slots']))) - free:
            try:
                slot = self.value(first + n * kind.sizeof, kind)
            except gdb.MemoryError:
                self.missing += 1
                continue
            handler = self.flows.get(int(slot['stack']))
            if handler is not None and handler['phase'] in (PHASE_EVENTS, PHASE_LOCKS) and int(slot['kinds']) & UPCALL_CONTEXT:
                registers = {field.name: int(slot['context'][field.name]) for field in slot['context'].type.fields()
                             if field.name in STOPPED + ('rip', 'rsp', 'rflags')}
                registers['fs_base'] = int(slot['fs_base'])
                self.context(registers, 'in slot %d of an upcall that is not through' % n)

    def look_behind(self, handler):
        """Handlers that wait for this one, and those that it is to continue."""
        waiting = [(flow, 'waits until handler %#x goes on with it') for flow in self.chain(handler['waiter'], 'waiter')]
        waiting += [(flow, 'in the hands of handler %#x') for flow in self.chain(handler['held'])]
        for flow, state in waiting:
            if flow.state is None:
                self.found(flow, state % handler.at)
                self.look_behind(flow)

    def look_rest(self):
        for flow in list(self.flows.values()):
            if flow.state is not None:
                continue
            if flow.kind == FLOW_WORKER and flow['phase'] != PHASE_LEFT:
                parked = int(flow.record['token']['word']) & PARKED
                self.found(flow, 'ready' if flow['phase'] == WORKER_READY else 'parked, waiting for an unblock' if parked else
                           'in the hands of another')
            elif flow.kind != FLOW_THREAD or flow['fn'] == 0:
                del self.flows[flow.at]                  # not in use
            elif int(flow.record['done']['word']) >= 2:
                flow.state = 'ended, and can be joined'
            else:
                self.found(flow, 'its kernel thread is not loaded, or has not begun' if self.on_kernel else
                           'in the hands of another')


# ---- as threads of gdb's ------------------------------------------------------------------------------------------

class Shown:
    """An inferior of gdb's with the threads of a space."""

    def __init__(self, image, space):
        self.image, self.space = image, space
        gdb.execute('add-inferior -no-connection -exec %s' % image.path, to_string=True)
        self.inferior = max(gdb.inferiors(), key=lambda inferior: inferior.num)
        gdb.execute('inferior %d' % self.inferior.num, to_string=True)
        self.library = Library(space)
        self.library.look()
        flows = sorted(self.library.flows.values(), key=lambda flow: flow.at)
        self.flows = [flow for flow in flows if flow.registers]
        self.others = [flow for flow in flows if not flow.registers] + self.library.tasks()
        self.file = tempfile.NamedTemporaryFile(prefix='quoin-threads-', suffix='.core')
        atexit.register(self.file.close)                 # which removes it
        self.load()
        while any([self.leave_spin(flow, thread) or self.leave_critical(flow, thread) for flow, thread in self.pairs()]):
            gdb.execute('detach', to_string=True)
            self.load()

    def load(self):
        registers = [dict(flow.registers, cs=0x2b, ss=0x23) for flow in self.flows]
        core_file.write(self.file.name, self.space.pages, registers)
        if self.flows:
            gdb.execute('core-file %s' % self.file.name, to_string=True)

    def pairs(self):
        threads = {thread.ptid[1] or thread.ptid[0]: thread for thread in self.inferior.threads()}
        return [(flow, threads[n + 1]) for n, flow in enumerate(self.flows)]

    def leave_spin(self, flow, thread):
        """Where a guard is waited for is apart from its function (guard.h), and ends with a jump back into that."""
        thread.switch()
        frame = gdb.newest_frame()
        if frame.name() is not None:
            return False
        try:
            for line in frame.architecture().disassemble(frame.pc(), count=4):
                jump = re.match(r'jmp +(0x[0-9a-f]+)', line['asm'])
                if jump:
                    flow.registers['rip'] = int(jump[1], 16)
                    return gdb.block_for_pc(flow.registers['rip']) is not None
        except gdb.MemoryError:
            pass
        return False

    def leave_critical(self, flow, thread):
        """The body of a critical function was not called, but begun with its caller's frame on the stack (guard.h)."""
        thread.switch()
        frame = gdb.newest_frame()
        while frame.type() == gdb.INLINE_FRAME:
            frame = frame.older()
        if not (frame.name() or '').startswith('body_') or frame.older() is None:
            return False
        at = int(frame.older().read_register('rsp')) - 8
        flow.state += ', in ' + frame.name()
        try:
            flow.registers = dict(zip(SAVED, struct.unpack('<7Q', self.space.read(at, 56))), rsp=at + 56)
        except gdb.MemoryError:
            flow.state += ' (its stack is at %#x, which is not mapped)' % at
            return False
        return True

    def show(self):
        print('\n%s, in the space of slot %d: %d threads in %d mapped pages, %d upcalls so far' % (
            self.image.name, self.space.slot, len(self.flows) + len(self.others), len(self.space.pages),
            int(self.library.state['count']['upcalls'])))
        if self.library.missing:
            print('(%d slots of upcalls are not mapped, and not looked at)' % self.library.missing)
        for flow, thread in self.pairs():
            thread.name = flow.title()
            thread.switch()
            print('\nThread %d.%d  %#x  %s' % (self.inferior.num, thread.num, flow.at, flow.title()))
            try:
                print(ROOT_FRAME.sub('', gdb.execute('backtrace 30', to_string=True)).rstrip())
            except gdb.MemoryError as error:
                print('#?  its stack is not mapped: %s' % error)
        for flow in self.others:
            print('\nThread -  %#x  %s' % (flow.at, flow.title()))

    def forget(self):
        gdb.execute('inferior %d' % self.inferior.num, to_string=True)
        if self.flows:
            gdb.execute('detach', to_string=True)
        self.file.close()


class QuoinThreads(gdb.Command):
    """List the user-level threads of all programs, or of those with a name, with their stacks."""

    def __init__(self):
        super().__init__('quoin-threads', gdb.COMMAND_STACK)
        self.shown = []

    def invoke(self, name, from_tty):
        known = images(name)
        old, self.shown = self.shown, []
        for shown in old:
            shown.forget()
        machine = Machine()
        for shown in old:
            gdb.execute('remove-inferiors %d' % shown.inferior.num, to_string=True)
        found = []
        for slot, root, contexts in machine.spaces():
            image = next((image for image in known if image.is_in(machine, root)), None)
            if image is not None:
                found.append((image, machine.copy(slot, machine.map_of(root), contexts)))
        print('%d programs with user-level threads' % len(found))
        for image, space in found:
            self.shown.append(Shown(image, space))
            self.shown[-1].show()
        gdb.execute('inferior %d' % machine.inferior.num, to_string=True)


QuoinThreads()
