# tests.py - finds the tests of tests/ and reads their `test:` lines; tests/README.md is the contract.
import glob
import os
import re
import shlex

import boot

TESTS = os.path.join(boot.ROOT, 'tests')
CACHES = {'default': '', 'tiny': 'kernels=2,spaces=3,threads=4,mappings=64',
          'small': 'kernels=4,spaces=8,threads=16,mappings=256'}
LINE = re.compile(r'^\s*(?://|#|/\*|\*)\s*test:\s+(.*?)(?:\*/)?\s*$')
KEYS = {'smp': '1', 'cache': 'default', 'timeout': '60', 'libc': 'musl', 'mem': '512M', 'numa': '1', 'args': '',
        'stdin': '', 'status': '', 'host': 'yes', 'match': '', 'icount': 'no', 'slice': '', 'add': '',
        'jitter': '', 'policy': '', 'first': 'srm', 'kernels': '', 'label': '', 'skip': '', 'shell': 'busybox',
        'cores': ''}


class Test:
    """One run: a description and the values chosen from its lists."""

    def __init__(self, kind, name, source, options, smp, cache, libc, jitter):
        self.kind, self.source, self.options = kind, source, options
        self.stem = name
        self.smp, self.cache, self.libc, self.jitter = smp, cache, libc, jitter
        self.name = '.'.join([kind, name] + ([libc] if libc == 'glibc' else []) +
                             (['smp%d' % smp] if kind != 'command' else []) +
                             ([re.sub('/', '-', cache)] if cache != 'default' else []) +
                             (['jitter' + jitter] if jitter else []))

    def beside(self, name):
        """A file named in a test line."""
        return os.path.join(os.path.dirname(self.source), name)

    def cores(self):
        """How many processors of the host it can keep busy; more than two are not waited for."""
        if self.options['cores']:
            return int(self.options['cores'])
        return 1 if self.options['icount'] == 'yes' else min(self.smp, 2)

    def cache_option(self):
        words = CACHES.get(self.cache)
        if words is None:
            sizes = self.cache.split('/')
            words = ','.join('%s=%s' % pair for pair in zip(boot.CACHES, sizes))
        return ['--cache', words] if words else []


def read_options(files):
    options = dict(KEYS)
    for path in files:
        if not os.path.exists(path):
            continue
        with open(path, encoding='utf-8', errors='replace') as file:
            for line, _ in zip(file, range(40)):
                match = LINE.match(line)
                for word in shlex.split(match[1]) if match else ():
                    key, equals, value = word.partition('=')
                    if key not in KEYS or not equals:
                        raise SystemExit('%s: unknown test option %r' % (path, word))
                    options[key] = value
    return options


def expand(kind, name, source, files):
    options = read_options(files)
    libcs = options['libc'].split(',') if source.endswith('.c') and kind == 'linux' else ['musl']
    return [Test(kind, name, source, options, int(smp), cache, libc, jitter)
            for libc in libcs for smp in options['smp'].split(',') for cache in options['cache'].split(',')
            for jitter in [''] + [seed for seed in options['jitter'].split(',') if seed and cache == 'default']]


def all_tests():
    found = []
    for source in sorted(glob.glob(TESTS + '/linux/*.c') + glob.glob(TESTS + '/linux/sh/*.sh')):
        name = os.path.splitext(os.path.basename(source))[0]
        found += expand('linux', name, source, [source])
    for folder in sorted(glob.glob(TESTS + '/system/*/')):
        name = os.path.basename(folder.rstrip('/'))
        policy = os.path.join(folder, 'policy')
        files = [policy] + sorted(glob.glob(folder + '*.c'))
        options = read_options(files)
        if os.path.exists(policy) or options['first'] != 'srm':
            found += expand('system', name, policy, files)
    for source in sorted(glob.glob(TESTS + '/command/*.sh')):
        name = os.path.splitext(os.path.basename(source))[0]
        found += expand('command', name, source, [source])
    return found
