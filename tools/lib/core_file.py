# core_file.py - writes an ELF core file: memory and threads that gdb looks at as those of a process that has ended.
import struct

# The order of the registers in a note NT_PRSTATUS.
ORDER = ('r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi', 'orig_rax',
         'rip', 'cs', 'rflags', 'rsp', 'ss', 'fs_base', 'gs_base', 'ds', 'es', 'fs', 'gs')
PAGE = 4096


def runs(pages):
    """(address, how many pages) of each stretch of adjacent pages."""
    found = []
    for va in sorted(pages):
        if found and found[-1][0] + found[-1][1] * PAGE == va:
            found[-1][1] += 1
        else:
            found.append([va, 1])
    return found


def note(number, registers):
    status = bytearray(336)
    struct.pack_into('<I', status, 32, number)
    struct.pack_into('<27Q', status, 112, *(registers.get(name, 0) & (1 << 64) - 1 for name in ORDER))
    return struct.pack('<III8s', 5, len(status), 1, b'CORE') + bytes(status)


def write(path, pages, threads):
    """pages: bytes of each page by its address; threads: registers by name, of each."""
    notes = b''.join(note(n + 1, registers) for n, registers in enumerate(threads))
    stretches = runs(pages)
    at = 64 + 56 * (1 + len(stretches))
    heads = [struct.pack('<IIQQQQQQ', 4, 0, at, 0, 0, len(notes), 0, 4)]
    at = (at + len(notes) + PAGE - 1) // PAGE * PAGE
    begin = at
    for va, count in stretches:
        heads.append(struct.pack('<IIQQQQQQ', 1, 7, at, va, 0, count * PAGE, count * PAGE, PAGE))
        at += count * PAGE
    with open(path, 'wb') as file:
        file.write(struct.pack('<16sHHIQQQIHHHHHH', b'\x7fELF\2\1\1', 4, 62, 1, 0, 64, 0, 0, 64, 56, len(heads), 0, 0, 0))
        file.write(b''.join(heads))
        file.write(notes)
        file.seek(begin)
        for va, count in stretches:
            for n in range(count):
                file.write(pages[va + n * PAGE])
