# linux.py - a Linux guest to compare with: Debian's cloud kernel, a file tree in memory, the same QEMU flags.
#
# The kernel's package is fetched once into build/dl by `apt-get download` and unpacked there, not installed.  The
# guest's first program (bench/linux/init.c) runs one command and tells its status.
import glob
import os
import re
import subprocess

import boot
import newc

META = 'linux-image-cloud-amd64'
APT = ['-o', 'APT::Sandbox::User=root']
# Linux at its best: no mitigations; without ERMS it moves memory by eight bytes, and a byte of `rep movsb` counts one.
COMMAND_LINE = ('console=ttyS0 quiet mitigations=off clearcpuid=erms,fsrm panic=-1 random.trust_cpu=on '
                'tsc=reliable')


class Failed(Exception):
    pass


def kernel(build):
    """The path of the kernel's image; fetched if it is not there."""
    folder = os.path.join(build, 'dl')
    os.makedirs(folder, exist_ok=True)
    images = sorted(glob.glob(os.path.join(folder, 'boot/vmlinuz-*-cloud-amd64')))
    if images:
        return images[-1]
    depends = subprocess.run(['apt-cache', 'depends', META], capture_output=True, text=True)
    match = re.search(r'Depends: (linux-image-[^\s]+)', depends.stdout)
    if not match:
        raise Failed('apt-cache knows no %s: run apt-get update' % META)
    packages = glob.glob(os.path.join(folder, match[1] + '_*.deb'))
    if not packages:
        got = subprocess.run(['apt-get'] + APT + ['download', match[1]], cwd=folder, capture_output=True, text=True)
        packages = glob.glob(os.path.join(folder, match[1] + '_*.deb'))
        if got.returncode or not packages:
            raise Failed('apt-get download %s failed: %s' % (match[1], got.stderr.strip()[-300:]))
    tree = subprocess.run(['dpkg-deb', '--fsys-tarfile', packages[-1]], capture_output=True)
    subprocess.run(['tar', '-x', '-C', folder, '--wildcards', './boot/vmlinuz-*'], input=tree.stdout, check=True)
    images = sorted(glob.glob(os.path.join(folder, 'boot/vmlinuz-*-cloud-amd64')))
    if not images:
        raise Failed('%s holds no kernel' % packages[-1])
    return images[-1]


def archive(build, files):
    """The guest's file tree: init and files, as (path of the host, path in the guest)."""
    a = newc.Archive()
    for folder in ('dev', 'proc', 'tmp', 'root'):
        a.folder(folder)
    a.node('dev/console', 0o020600, os.makedev(5, 1))
    a.node('dev/null', 0o020666, os.makedev(1, 3))
    a.file('init', boot.read(os.path.join(build, 'bench/init')), 0o755)
    for path, name in files:
        a.file(name.lstrip('/'), boot.read(path), 0o755)
    return a.finish()


def run(build, files, program, smp=1, mem='512M', icount=True, timeout=300):
    """(status, what was printed) of the program in a Linux guest."""
    image = kernel(build)
    tree = os.path.join(build, 'linux-guest.cpio')
    with open(tree, 'wb') as file:
        file.write(archive(build, files))
    accel = ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-seed', '1',
             '-rtc', 'base=2024-01-01,clock=vm'] if icount else ['-accel', 'tcg,thread=multi']
    command = ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max'] + accel + [
        '-smp', str(smp), '-m', mem, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
        '-kernel', image, '-initrd', tree, '-append', COMMAND_LINE + ' -- ' + ' '.join(program),
        '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-serial', 'stdio']
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failed('the Linux guest did not end in %d s' % timeout)
    out = done.stdout.replace(b'\r\n', b'\n').decode('utf-8', 'replace')
    match = re.search(r'guest: status (\d+)\n', out)
    if not match:
        raise Failed('the Linux guest told no status:\n' + out[-1500:] + done.stderr.decode()[-500:])
    return int(match[1]), out[:match.start()]
