# newc.py - writes boot archives: newc cpio in which the data of larger files begins on a page.
#
# Quoin maps file data straight out of the archive, so a file longer than a page starts at a page boundary: the
# name field is filled up with NULs until it does (namesize counts them; readers stop at the first NUL).
# Every archive is as long as a whole number of pages, so several may follow each other and keep their alignment;
# an entry of a later archive replaces one of the same name in an earlier one.
# Owners are root, times are zero: the same input gives the same bytes.  Hard links become copies.
import os
import stat

PAGE = 4096


class Archive:
    def __init__(self):
        self.parts = []
        self.length = 0
        self.inode = 0
        self.folders = set()

    def _append(self, data):
        self.parts.append(data)
        self.length += len(data)

    def _entry(self, name, mode, data=b'', rdev=0):
        field = name.encode('utf-8', 'surrogateescape') + b'\0'
        size = len(field)
        if len(data) > PAGE:
            start = self.length + 110 + size
            size += -start % PAGE
        self.inode += 1
        head = '070701' + ''.join('%08X' % v for v in (
            self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, os.major(rdev), os.minor(rdev), size, 0))
        self._append(head.encode() + field.ljust(size, b'\0'))
        self._append(bytes(-self.length % 4))
        if data:
            self._append(data)
            self._append(bytes(-len(data) % 4))

    def folder(self, name, mode=0o755):
        """The folder and those above it; each is written once."""
        if not name or name in self.folders:
            return
        self.folder(os.path.dirname(name))
        self.folders.add(name)
        self._entry(name, stat.S_IFDIR | mode)

    def file(self, name, data, mode=0o644):
        if len(data) > 0xffffffff:
            raise ValueError('%s: longer than a cpio entry can be' % name)
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))

    def node(self, name, mode, rdev=0):
        self.folder(os.path.dirname(name))
        self._entry(name, mode, rdev=rdev)

    def host(self, path, name):
        """A file, link, device or whole folder of the host, under this name.  A socket is left out."""
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            if name:
                self.folder(name, stat.S_IMODE(info.st_mode))
            for entry in sorted(os.listdir(path)):
                self.host(os.path.join(path, entry), name + '/' + entry if name else entry)
        elif stat.S_ISREG(info.st_mode):
            with open(path, 'rb') as file:
                self.file(name, file.read(), stat.S_IMODE(info.st_mode))
        elif stat.S_ISLNK(info.st_mode):
            self.link(name, os.readlink(path))
        elif not stat.S_ISSOCK(info.st_mode):
            self.node(name, info.st_mode, info.st_rdev)

    def finish(self):
        self._entry('TRAILER!!!', 0)
        self._append(bytes(-self.length % PAGE))
        return b''.join(self.parts)
