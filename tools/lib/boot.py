# boot.py - what is booted: the options of `quoin run`, the boot archive they make, and the QEMU command line.
import os
import re
import sys

import newc
import turns

TOOLS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ROOT = os.path.dirname(TOOLS)
CACHES = ('kernels', 'spaces', 'threads', 'mappings', 'tables')
MAX_CPUS = 64
SLICE = 2000                 # microseconds, the supervisor's own default
LAUNCHER_FAILED = 125        # exit status: not the program's fault

# name, argument, explanation; a line of --help each.  Those without explanation are for tools/.
OPTIONS = (
    ('smp', 'N', 'processors, 1 to 64 (default 1)'),
    ('mem', 'SIZE', 'memory, as 512M or 2G (default 512M)'),
    ('numa', 'N', 'split processors and memory into N nodes (default 1)'),
    ('rootfs', 'DIR', 'boot this folder of the host as the root file tree, instead of the one with busybox'),
    ('add', 'FILE[:PATH]', 'put a file or folder of the host into the tree, at PATH or under its name in /; may be repeated'),
    ('env', 'NAME=VALUE', 'set a variable of the program\'s environment; may be repeated'),
    ('cwd', 'PATH', 'folder that the program starts in (default /)'),
    ('cache', 'kernels=N,spaces=N,threads=N,mappings=N', 'sizes of the supervisor\'s caches; any of the four'),
    ('slice', 'US', 'length of a time slice in microseconds'),
    ('jitter', 'SEED', 'slices of random length, for tests'),
    ('policy', 'FILE', 'policy file: which kernels run, with what (default tools/policy/unix)'),
    ('first', 'NAME', 'the kernel that boots first (default srm); any other runs alone, without a policy'),
    ('icount', None, 'one tick per instruction: slower, but every run is the same'),
    ('turn', '838|419|209', 'as --icount; each processor has turns of so many instructions, busy or not (docs/native.md)'),
    ('timeout', 'S', 'end everything after S seconds, with status 124'),
    ('gdb', None, 'wait for gdb before the first instruction, and print what to type'),
    ('dump', 'FILE', 'if it is ended early (--timeout, a signal, ^]), first write its memory to FILE, for gdb'),
    ('verbose', None, 'show the QEMU command line and the system\'s log on stderr'),
    ('help', None, 'show this'),
    ('append', 'WORDS', None),           # more words for the supervisor's command line
    ('build', 'DIR', None),
    ('kernels', 'A,B', None),            # more kernels in the archive
    ('log', 'FILE', None),               # keep the system's log there
    ('machine', 'pvh|bios|uefi', None),  # how it is started; bios and uefi boot an ISO
    ('iso', 'FILE', None),
    ('monitor', 'FILE', None),           # a socket to talk to the emulator
    ('plugin', 'FILE,NAME=VALUE...', None),      # of the emulator (tools/plugin)
)
REPEATED = ('add', 'env')

HELP = '''usage: quoin run [OPTIONS] [--] [PROGRAM ARGUMENTS...]

Boots Quoin in QEMU, runs a Linux program on it, and ends with its exit status (128+n if signal n killed it,
124 after --timeout, 125 if the system failed).  Without a program: a shell on the terminal.
Typing ^] three times ends the machine at once.
'''


class Options:
    pass


def fail(text):
    sys.stderr.write('quoin: %s\n' % text)
    sys.exit(LAUNCHER_FAILED)


def show_help():
    print(HELP)
    for name, argument, text in OPTIONS:
        if text:
            word = '--' + name + (' ' + argument if argument else '')
            print('  %-26s %s' % (word, text) if len(word) <= 26 else '  %s\n  %-26s %s' % (word, '', text))


def split(arguments):
    """Options as a dictionary, and the program."""
    takes = {name: argument for name, argument, _ in OPTIONS}
    found = {name: [] for name in REPEATED}
    at = 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == '--':
            break
        if word == '-h':
            word = '--help'
        if not word.startswith('--'):
            at -= 1
            break
        name, equals, value = word[2:].partition('=')
        if name not in takes:
            fail('unknown option --%s (try --help)' % name)
        if takes[name] is None:
            if equals:
                fail('--%s takes no value' % name)
            value = True
        elif not equals:
            if at == len(arguments):
                fail('--%s needs %s' % (name, takes[name]))
            value = arguments[at]
            at += 1
        if name in REPEATED:
            found[name].append(value)
        else:
            found[name] = value
    return found, arguments[at:]


def number(found, name, low, high, default):
    value = found.get(name)
    if value is None:
        return default
    if not re.fullmatch('[0-9]{1,9}', value) or not low <= int(value) <= high:
        fail('--%s: %r is not a number from %d to %d' % (name, value, low, high))
    return int(value)


def size(value):
    """MiB in a size such as 512M, 2G or 512."""
    match = re.fullmatch('([0-9]{1,7})([MmGg]?)i?[Bb]?', value)
    mib = int(match[1]) * (1024 if match[2] in ('G', 'g') else 1) if match else 0
    if not 16 <= mib <= 1 << 20:
        fail('--mem: %r is not a size from 16M to 1024G' % value)
    return mib


def caches(value):
    words = []
    for part in value.split(','):
        match = re.fullmatch('([a-z]+)=([0-9]{1,9})', part)
        if not match or match[1] not in CACHES:
            fail('--cache: %r is not %s=N' % (part, '|'.join(CACHES[:4])))
        words.append(part)
    return words


def parse(arguments):
    found, program = split(arguments)
    if 'help' in found:
        show_help()
        sys.exit(0)
    o = Options()
    o.program = program
    o.smp = number(found, 'smp', 1, MAX_CPUS, 1)
    o.numa = number(found, 'numa', 1, 16, 1)
    o.mem = size(found.get('mem', '512M'))
    if o.numa > o.smp:
        fail('--numa %d needs as many processors: add --smp %d' % (o.numa, o.numa))
    o.rootfs = found.get('rootfs')
    if o.rootfs is not None and not os.path.isdir(o.rootfs):
        fail('--rootfs: %s is not a folder' % o.rootfs)
    o.add = [addition(value) for value in found['add']]
    for value in found['env']:
        if not re.match('[^=]+=', value):
            fail('--env: %r is not NAME=VALUE' % value)
    o.env = found['env']
    o.cwd = found.get('cwd', '/')
    o.words = caches(found['cache']) if 'cache' in found else []
    o.turn = found.get('turn')
    o.shift, unit = turns.clock(o.turn, o.smp) if o.turn else (0, 1)
    if o.turn:
        o.words.append('turns=%d' % unit)
    if 'slice' in found or o.turn:
        o.words.append('slice=%d' % (number(found, 'slice', 1, 10**9, SLICE) * unit))
    if 'jitter' in found:
        o.words.append('jitter=%d' % number(found, 'jitter', 1, 10**9, 0))
    o.words += found.get('append', '').split()
    o.first = found.get('first', 'srm')
    o.policy = found.get('policy')
    if o.policy is None and o.first == 'srm':
        o.policy = os.path.join(TOOLS, 'policy/unix')
    o.kernels = [name for name in found.get('kernels', '').split(',') if name]
    o.icount = 'icount' in found or 'turn' in found
    o.gdb = 'gdb' in found
    o.verbose = 'verbose' in found
    o.timeout = seconds(found['timeout']) if 'timeout' in found else None
    o.build = os.path.abspath(found.get('build', os.path.join(ROOT, 'build')))
    o.log = found.get('log')
    o.machine = found.get('machine', 'pvh')
    if o.turn and (o.turn not in turns.SHIFT or o.machine != 'pvh'):
        fail('--turn: %s' % ('only without --machine' if o.turn in turns.SHIFT else '838, 419 or 209 instructions'))
    o.iso = found.get('iso')
    o.monitor = found.get('monitor')
    o.dump = found.get('dump')
    o.plugin = found.get('plugin')
    o.tty, o.rows, o.cols = 0, 0, 0
    o.no_input = False               # said at boot: a byte sent later would come at a time of its own
    return o


def seconds(value):
    if not re.fullmatch('[0-9]+(\\.[0-9]+)?', value) or float(value) <= 0:
        fail('--timeout: %r is not a number of seconds' % value)
    return float(value)


def addition(value):
    """(host path, name in the tree) of an --add.  The last colon divides, if there is no such file."""
    path, target = value, None
    if not os.path.lexists(value) and ':' in value:
        path, _, target = value.rpartition(':')
    if not os.path.exists(path):
        fail('--add: there is no file %s' % path)
    if target is None or target.endswith('/'):
        target = (target or '') + os.path.basename(os.path.abspath(path))
    name = os.path.normpath('/' + target).lstrip('/')
    if not name:
        fail('--add: %s has no name in the tree' % value)
    return os.path.realpath(path), name


def environment(o):
    env = {'PATH': '/bin:/sbin:/usr/bin:/usr/sbin', 'HOME': '/root', 'USER': 'root', 'LOGNAME': 'root',
           'SHELL': '/bin/sh', 'TERM': os.environ.get('TERM', 'linux') if o.tty else 'dumb'}
    for value in o.env:
        name, _, text = value.partition('=')
        env[name] = text
    return env


def run_file(o):
    """boot/run: settings, an empty string, then the program and its arguments."""
    words = ['tty=%d' % o.tty, 'cwd=%s' % o.cwd]
    if o.no_input:
        words.append('input=none')
    if o.rows and o.cols:
        words += ['rows=%d' % o.rows, 'cols=%d' % o.cols]
    words += ['env=%s=%s' % pair for pair in environment(o).items()]
    words.append('')
    words += o.program if o.program else ['sh', '-l']
    return b''.join(os.fsencode(word) + b'\0' for word in words)


def policy_kernels(text):
    lines = re.findall(r'(?m)^[ \t]*kernel[ \t]+([^\s]+)(?:.*[ \t]image=([^\s]+))?', text)
    return [image or name for name, image in lines]


def archive(o):
    """The boot archive, as a list of byte strings."""
    a = newc.Archive()
    kernels = list(o.kernels)
    try:
        a.file('boot/first', program(o, os.path.join(o.build, 'kernels', o.first)), 0o755)
        if o.policy:
            text = read(o.policy)
            a.file('boot/policy', text)
            kernels = policy_kernels(text.decode('utf-8', 'replace')) + kernels
        for name in dict.fromkeys(kernels):
            a.file('kernels/' + name, program(o, os.path.join(o.build, 'kernels', name)), 0o755)
        a.file('boot/run', run_file(o))
        parts = []
        if o.rootfs:
            a.host(o.rootfs, 'root')
            a.folder('root/dev')
            a.folder('root/proc')
        else:
            parts.append(read(os.path.join(o.build, 'base.cpio')))
            a.folders.update(('root', 'root/bin', 'root/etc', 'root/tmp', 'root/root', 'root/home', 'root/usr',
                              'root/usr/bin', 'root/dev', 'root/proc', 'root/sbin', 'root/var', 'root/usr/sbin'))
        for path, name in o.add:
            if o.turn and os.path.isfile(path):
                a.file('root/' + name, program(o, path), os.stat(path).st_mode & 0o777)
            else:
                a.host(path, 'root/' + name)
    except (OSError, ValueError) as error:
        fail(str(error))
    parts.append(a.finish())
    return parts


def program(o, path):
    return turns.program(read(path)) if o.turn else read(path)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def command_line(o):
    return ' '.join(o.words)


def qemu(o, supervisor, archive_file, serial, port):
    """The command that boots the machine; serial: descriptors of the sockets of the three serial ports, and with --dump
    of the monitor."""
    c = ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max']
    if o.icount:
        c += ['-accel', 'tcg,thread=single', '-icount', 'shift=%d,sleep=off' % o.shift, '-seed', '1',
              '-rtc', 'base=2024-01-01,clock=vm']
    else:
        c += ['-accel', 'tcg,thread=multi']
    c += ['-smp', str(o.smp), '-m', '%dM' % o.mem]
    if o.numa > 1:
        c += numa(o)
    if o.monitor:
        c += ['-monitor', 'unix:%s,server=on,wait=off' % o.monitor.replace(',', ',,')]
    if o.plugin:
        c += ['-plugin', 'file=' + o.plugin]
    c += ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot']
    if o.machine == 'pvh':
        c += ['-kernel', supervisor, '-initrd', archive_file]
        if o.words:
            c += ['-append', command_line(o)]
    else:
        c += ['-drive', 'if=none,id=cd,media=cdrom,format=raw,readonly=on,file=' + o.iso.replace(',', ',,'),
              '-device', 'ide-cd,drive=cd']
    if o.machine == 'uefi':
        c += ['-drive', 'if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
              '-drive', 'if=pflash,format=raw,unit=1,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd']
    c += ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4']
    if o.dump:
        c += ['-chardev', 'socket,id=monitor,fd=%d' % serial[3], '-mon', 'chardev=monitor']
    for n, descriptor in enumerate(serial[:3]):
        c += ['-chardev', 'socket,id=serial%d,fd=%d' % (n, descriptor), '-serial', 'chardev:serial%d' % n]
    if o.gdb:
        c += ['-S', '-gdb', 'tcp:127.0.0.1:%d' % port]
    return c


def numa(o):
    c = []
    for n in range(o.numa):
        memory = o.mem // o.numa // 2 * 2
        if n == o.numa - 1:
            memory = o.mem - memory * (o.numa - 1)
        first, last = n * o.smp // o.numa, (n + 1) * o.smp // o.numa - 1
        c += ['-object', 'memory-backend-ram,id=node%d,size=%dM' % (n, memory),
              '-numa', 'node,nodeid=%d,memdev=node%d,cpus=%d-%d' % (n, n, first, last)]
    for a in range(o.numa):
        for b in range(o.numa):
            if a != b:
                c += ['-numa', 'dist,src=%d,dst=%d,val=20' % (a, b)]
    return c
