// elf.c - mapping ELF programs.
//
// The file is hostile: every number is checked before it is used.  Segments become private regions of the file;
// what goes beyond the file's bytes is zeroed or anonymous.
#include <base.h>

#include "exec.h"

enum { HEADERS_MAX = 128, INTERP_MAX = 256 };
#define PIE_BASE 0x0000555555554000ull

static va_t page_down(va_t va)
{
    return va & ~(va_t)(ABI_PAGE - 1);
}

static va_t page_up(va_t va)
{
    return page_down(va + ABI_PAGE - 1);
}

static int read_header(struct inode *i, Elf64_Ehdr *h)
{
    long n = inode_read(i, h, 0, sizeof(*h));

    if (n < 0) {
        return (int)n;
    }
    if (n != sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64 ||
        (h->e_type != ET_EXEC && h->e_type != ET_DYN) || h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 ||
        h->e_phnum > HEADERS_MAX) {
        return -ENOEXEC;
    }
    return 0;
}

static int read_program_headers(struct inode *i, const Elf64_Ehdr *h, Elf64_Phdr **out)
{
    size_t size = h->e_phnum * sizeof(Elf64_Phdr);

    *out = ak_alloc(size);
    if (*out == NULL) {
        return -ENOMEM;
    }
    long n = inode_read(i, *out, h->e_phoff, size);
    if (n != (long)size) {
        ak_free(*out, size);
        return n < 0 ? (int)n : -ENOEXEC;
    }
    return 0;
}

static bool segment_valid(const Elf64_Phdr *p)
{
    const va_t limit = VM_STACK_TOP - VM_STACK_GAP;

    return p->p_filesz <= p->p_memsz && p->p_vaddr < limit && p->p_memsz < limit &&
           p->p_offset < 1ull << 44 && p->p_filesz < 1ull << 44 && ((p->p_vaddr ^ p->p_offset) & (ABI_PAGE - 1)) == 0;
}

// The addresses that all segments together take.
static int extent(const Elf64_Phdr *p, unsigned count, va_t *low, va_t *high)
{
    *low = VM_END;
    *high = 0;
    for (unsigned i = 0; i < count; i++) {
        if (p[i].p_type != PT_LOAD || p[i].p_memsz == 0) {
            continue;
        }
        if (!segment_valid(&p[i])) {
            return -ENOEXEC;
        }
        va_t start = page_down(p[i].p_vaddr), end = page_up(p[i].p_vaddr + p[i].p_memsz);
        *low = start < *low ? start : *low;
        *high = end > *high ? end : *high;
    }
    return *high == 0 ? -ENOEXEC : 0;
}

static uint32_t protection(uint32_t flags)
{
    return (flags & PF_R ? PROT_READ : 0u) | (flags & PF_W ? PROT_WRITE : 0u) | (flags & PF_X ? PROT_EXEC : 0u);
}

static int map_region(struct vm *vm, struct inode *inode, va_t start, va_t end, uint64_t page, uint32_t prot)
{
    struct region r = {.start = start, .end = end, .access = prot, .most = PROT_ALL, .page = page};

    int e = vm_unmap(vm, start, end);
    if (e != 0) {
        return e;
    }
    r.segment = inode != NULL ? inode_segment(inode) : NULL;
    return vm_map(vm, &r);
}

static int zero_tail(struct vm *vm, va_t from, va_t to)
{
    uint64_t entry;

    int e = vm_page(vm, from, E_WRITE, &entry);
    if (e == 0) {
        memset((uint8_t *)ak_window(entry_frame(entry)) + (from & (ABI_PAGE - 1)), 0, to - from);
    }
    return e;
}

static int map_segment(struct vm *vm, struct inode *inode, const Elf64_Phdr *p, va_t bias)
{
    va_t start = p->p_vaddr + bias, file_end = start + p->p_filesz, end = start + p->p_memsz;
    uint32_t prot = protection(p->p_flags);
    int e = 0;

    if (p->p_memsz == 0) {
        return 0;
    }
    if (p->p_filesz != 0) {
        e = map_region(vm, inode, page_down(start), page_up(file_end), p->p_offset >> ABI_PAGE_SHIFT, prot);
    }
    va_t rest = p->p_filesz != 0 ? page_up(file_end) : page_down(start);
    if (e == 0 && p->p_filesz != 0 && end > file_end && (prot & PROT_WRITE) && file_end < rest) {
        e = zero_tail(vm, file_end, rest < end ? rest : page_up(end));
    }
    if (e == 0 && page_up(end) > rest) {
        e = map_region(vm, NULL, rest, page_up(end), 0, prot);
    }
    return e;
}

struct loaded {
    va_t entry, headers, bias, end;
    unsigned count;
};

// Map one image.  base: where a movable one goes; 0: the highest place that is free.
static int map_image(struct vm *vm, struct inode *inode, const Elf64_Ehdr *h, const Elf64_Phdr *p, va_t base,
                     struct loaded *l)
{
    va_t low, high;
    int e = extent(p, h->e_phnum, &low, &high);

    if (e != 0) {
        return e;
    }
    *l = (struct loaded){.count = h->e_phnum};
    if (h->e_type == ET_DYN) {
        if (base == 0) {
            base = vm_place(vm, high - low);
        }
        l->bias = base - low;
    }
    if (low + l->bias < VM_LOW || high - low > VM_STACK_TOP - VM_STACK_GAP - (low + l->bias) ||
        low + l->bias >= VM_STACK_TOP - VM_STACK_GAP || (h->e_type == ET_DYN && base == 0)) {
        return h->e_type == ET_DYN ? -ENOMEM : -EPERM;
    }
    for (unsigned i = 0; i < h->e_phnum && e == 0; i++) {
        if (p[i].p_type != PT_LOAD) {
            continue;
        }
        e = map_segment(vm, inode, &p[i], l->bias);
        if (h->e_phoff >= p[i].p_offset && h->e_phoff - p[i].p_offset < p[i].p_filesz) {
            l->headers = p[i].p_vaddr + (h->e_phoff - p[i].p_offset) + l->bias;
        }
    }
    l->entry = h->e_entry + l->bias;
    l->end = high + l->bias;
    return e == -EIO || e == -EFAULT || e == -EACCES ? -ENOEXEC : e;
}

static int find_interpreter(struct exec *x, const Elf64_Phdr *p, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char path[INTERP_MAX], *name;
        if (p[i].p_type != PT_INTERP) {
            continue;
        }
        if (p[i].p_filesz < 2 || p[i].p_filesz > sizeof(path) ||
            inode_read(x->inode, path, p[i].p_offset, p[i].p_filesz) != (long)p[i].p_filesz ||
            path[p[i].p_filesz - 1] != 0) {
            return -ENOEXEC;
        }
        name = ak_alloc(LINUX_PATH);
        if (name == NULL) {
            return -ENOMEM;
        }
        int e = fs_open_exec(x->task, path, &x->interpreter, name, LINUX_PATH);
        ak_free(name, LINUX_PATH);
        return e;
    }
    return 0;
}

static int load_interpreter(struct exec *x)
{
    struct loaded l;
    Elf64_Ehdr h;
    Elf64_Phdr *p;

    int e = read_header(x->interpreter, &h);
    e = e != 0 ? e : read_program_headers(x->interpreter, &h, &p);
    if (e != 0) {
        return e == -ENOEXEC ? -ELIBBAD : e;
    }
    e = map_image(x->vm, x->interpreter, &h, p, 0, &l);
    ak_free(p, h.e_phnum * sizeof(*p));
    if (e == 0) {
        x->entry = l.entry;
        x->base = l.bias;
    }
    return e;
}

int elf_load(struct exec *x)
{
    struct loaded l;
    Elf64_Ehdr h;
    Elf64_Phdr *p;

    int e = read_header(x->inode, &h);
    e = e != 0 ? e : read_program_headers(x->inode, &h, &p);
    if (e != 0) {
        return e;
    }
    e = find_interpreter(x, p, h.e_phnum);
    e = e != 0 ? e : map_image(x->vm, x->inode, &h, p, PIE_BASE, &l);
    ak_free(p, h.e_phnum * sizeof(*p));
    if (e != 0) {
        return e;
    }
    x->entry = x->program_entry = l.entry;
    x->headers = l.headers;
    x->header_count = l.count;
    x->vm->brk_start = x->vm->brk = l.end;
    return x->interpreter != NULL ? load_interpreter(x) : 0;
}
