// test_vm.c - memory of programs against a model of every byte, by seed: mmap, fork, files, stale spaces.
// In the end everything is back.
#include "vm_model.h"

enum { STEPS = 100000 };
static struct object *const files = objects;

// ---- steps ------------------------------------------------------------------------------------------------

static void do_access(struct model *m)
{
    bool in_heap = machine_random(6) == 0;
    unsigned i = machine_random(in_heap ? HEAP : WINDOW), n = 1 + machine_random(40);
    struct page *p = in_heap ? &m->heap[i] : &m->page[i];
    unsigned at = machine_random(ABI_PAGE - n);
    va_t page = (in_heap ? m->task->vm->brk_start : BASE) + i * ABI_PAGE;
    uint8_t bytes[64];
    int e;

    switch (machine_random(8)) {
    case 0:
        check_page(m, p, page);
        break;
    case 1:
        assert_int_equal(machine_fetch(m->task, page + at), access_error(p, PROT_EXEC));
        break;
    case 2:
        e = access_error(p, PROT_READ);
        assert_int_equal(ux_copy_in(m->task, bytes, page + at, n), e != 0 ? -EFAULT : 0);
        if (e == 0) {
            assert_memory_equal(bytes, page_bytes(p) + at, n);
        }
        break;
    default:
        e = access_error(p, PROT_WRITE);
        if (e == 0 && p->is_shared && p->object->is_file &&
            (size_t)p->index * ABI_PAGE + at + n > p->object->size) {
            break;                       // what is there behind the end of a file nobody says
        }
        memset(bytes, 1 + (int)machine_random(255), n);
        if (machine_random(3) == 0) {
            assert_int_equal(ux_copy_out(m->task, page + at, bytes, n), e != 0 ? -EFAULT : 0);
        } else {
            assert_int_equal(machine_write(m->task, page + at, bytes, n), e);
        }
        if (e == 0) {
            memcpy(page_to_write(p) + at, bytes, n);
        }
        break;
    }
}

static void model_map(struct model *m, unsigned at, unsigned n, uint32_t prot, bool is_shared, int file,
                      unsigned index, bool may_write)
{
    struct object *o = file >= 0 ? &files[file] : is_shared ? object_create() : NULL;

    for (unsigned i = 0; i < n; i++) {
        page_clear(&m->page[at + i]);
        m->page[at + i] = (struct page){.mapped = true, .prot = prot, .is_shared = is_shared, .object = o,
                                        .index = index + i, .may_write = may_write};
        if (o != NULL && !o->is_file && i > 0) {
            o->users++;
        }
    }
}

static bool is_free(const struct model *m, unsigned at, unsigned n)
{
    for (unsigned i = at; i < at + n; i++) {
        if (m->page[i].mapped) {
            return false;
        }
    }
    return true;
}

static void do_map(struct model *m)
{
    unsigned at, n, way = machine_random(6), index = machine_random(FILE_PAGES);
    int file = machine_random(2) == 0 ? (int)machine_random(FILES) : -1;
    bool is_shared = machine_random(3) == 0, writable = machine_random(3) != 0;
    uint32_t prot = some_prot(), flags = is_shared ? LINUX_MAP_SHARED : LINUX_MAP_PRIVATE;
    long want;

    some_range(&at, &n);
    flags |= way == 0 ? LINUX_MAP_FIXED_NOREPLACE : way == 1 ? 0 : LINUX_MAP_FIXED;
    flags |= (file < 0 ? LINUX_MAP_ANONYMOUS : 0) | (machine_random(8) == 0 ? LINUX_MAP_POPULATE : 0);
    va_t va = BASE + at * ABI_PAGE;
    int fd = file < 0 ? -1 : writable ? fd_write[file] : fd_read[file];
    bool may_write = file < 0 || !is_shared || writable;
    want = way == 0 && !is_free(m, at, n) ? -EEXIST : !may_write && (prot & PROT_WRITE) ? -EACCES : (long)va;
    long got = CALL(m->task, mmap, va, n * ABI_PAGE - machine_random(100), prot, flags, fd, index * ABI_PAGE);
    if (way == 1 && want == (long)va && !is_free(m, at, n)) {
        assert_true(got > 0 && got != (long)va);         // elsewhere, where nothing is
        assert_int_equal(CALL(m->task, munmap, got, n * ABI_PAGE), 0);
        return;
    }
    assert_int_equal(got, want);
    if (want > 0) {
        model_map(m, at, n, prot, is_shared, file, file >= 0 ? index : 0, may_write);
        // Pages that are made ready for writing are copied then, up to the end of the file.
        for (unsigned i = at; (flags & LINUX_MAP_POPULATE) && !is_shared && (prot & PROT_WRITE) && i < at + n;
             i++) {
            if (access_error(&m->page[i], PROT_WRITE) != 0) {
                break;
            }
            (void)page_to_write(&m->page[i]);
        }
    }
}

static void do_unmap(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    assert_int_equal(CALL(m->task, munmap, BASE + at * ABI_PAGE, n * ABI_PAGE), 0);
    for (unsigned i = at; i < at + n; i++) {
        page_clear(&m->page[i]);
    }
}

static void do_protect(struct model *m)
{
    unsigned at, n;
    uint32_t prot = some_prot();
    long want = 0;

    some_range(&at, &n);
    long got = CALL(m->task, mprotect, BASE + at * ABI_PAGE, n * ABI_PAGE, prot);
    for (unsigned i = at; i < at + n && want == 0; i++) {
        struct page *p = &m->page[i];
        want = !p->mapped ? -ENOMEM : (prot & PROT_WRITE) && !p->may_write ? -EACCES : 0;
        p->prot = want == 0 ? prot : p->prot;
    }
    assert_int_equal(got, want);
}

static void do_advise(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    for (unsigned i = at; i < at + n; i++) {
        if (!m->page[i].mapped) {
            return;
        }
    }
    assert_int_equal(CALL(m->task, madvise, BASE + at * ABI_PAGE, n * ABI_PAGE, LINUX_MADV_DONTNEED), 0);
    for (unsigned i = at; i < at + n; i++) {
        free(m->page[i].own);
        m->page[i].own = NULL;
    }
}

// One page moves and perhaps grows; or it grows where it is, if there is room.
static void do_remap(struct model *m)
{
    unsigned at, n, from = machine_random(WINDOW - 8);
    struct page *p = &m->page[from], old;

    some_range(&at, &n);
    n = p->object != NULL && !p->object->is_file ? 1 : n < 4 ? n : 4;
    if (from >= at && from < at + n) {
        return;
    }
    bool fixed = machine_random(2) == 0, room = n == 1 || is_free(m, from + 1, n - 1);
    uint64_t flags = fixed ? LINUX_MREMAP_MAYMOVE | LINUX_MREMAP_FIXED : 0;
    va_t to = fixed ? BASE + at * ABI_PAGE : BASE + from * ABI_PAGE;
    long want = !p->mapped ? -EFAULT : fixed || room ? (long)to : -ENOMEM;
    assert_int_equal(CALL(m->task, mremap, BASE + from * ABI_PAGE, ABI_PAGE, n * ABI_PAGE, flags, to), want);
    if (want < 0) {
        return;
    }
    old = *p;
    *p = (struct page){0};
    at = fixed ? at : from;
    for (unsigned i = at; i < at + n; i++) {
        page_clear(&m->page[i]);
        m->page[i] = old;
        m->page[i].index = old.object != NULL ? old.index + i - at : 0;
        m->page[i].own = i == at ? old.own : NULL;
    }
}

static void do_brk(struct model *m)
{
    uint64_t new = machine_random(HEAP * ABI_PAGE), start = m->task->vm->brk_start;
    unsigned old = (unsigned)((m->brk + ABI_PAGE - 1) / ABI_PAGE),
             pages = (unsigned)((new + ABI_PAGE - 1) / ABI_PAGE);

    assert_int_equal(CALL(m->task, brk, start - 1 - machine_random(9999)), start + m->brk);
    assert_int_equal(CALL(m->task, brk, start + new), start + new);
    for (unsigned i = pages; i < old; i++) {
        page_clear(&m->heap[i]);
    }
    for (unsigned i = old; i < pages; i++) {
        m->heap[i] = (struct page){.mapped = true, .prot = PROT_READ | PROT_WRITE, .may_write = true};
    }
    m->brk = new;
}

static void do_fork(struct model *m)
{
    struct model *child = models;

    while (child < models + PROCESSES && child->task != NULL) {
        child++;
    }
    if (child == models + PROCESSES) {
        return;
    }
    child->task = machine_fork(m->task);
    child->brk = m->brk;
    for (unsigned i = 0; i < WINDOW; i++) {
        page_copy(&child->page[i], &m->page[i]);
    }
    for (unsigned i = 0; i < HEAP; i++) {
        page_copy(&child->heap[i], &m->heap[i]);
    }
}

// Those that have children stay.
static void end_process(struct model *m)
{
    struct task *parent = m->task->process->parent->leader;
    int pid = m->task->tgid;

    if (m->task->process->children != NULL) {
        return;
    }
    machine_end(m->task, 0);
    assert_int_equal(CALL(parent, wait4, pid, 0, 0, 0), pid);
    m->task = NULL;
    m->brk = 0;
    for (unsigned i = 0; i < WINDOW; i++) {
        page_clear(&m->page[i]);
    }
    for (unsigned i = 0; i < HEAP; i++) {
        page_clear(&m->heap[i]);
    }
    machine_settle();
}

static void do_exit(struct model *m)
{
    if (m != models) {
        end_process(m);
    }
}

static void do_file_write(struct model *m)
{
    unsigned f = machine_random(FILES), n = 1 + machine_random(3000),
             at = machine_random(FILE_PAGES * ABI_PAGE - n);
    uint8_t bytes[3000];

    memset(bytes, 1 + (int)machine_random(255), n);
    assert_int_equal(ux_copy_out(machine_first, MACHINE_DATA, bytes, n), 0);
    (void)m;
    assert_int_equal(CALL(machine_first, pwrite64, fd_write[f], MACHINE_DATA, n, at), n);
    memcpy(files[f].bytes + at, bytes, n);
    files[f].size = at + n > files[f].size ? at + n : files[f].size;
}

// Also private copies beyond the end go.
static void do_truncate(struct model *m)
{
    unsigned f = machine_random(FILES);
    size_t size = machine_random(FILE_PAGES * ABI_PAGE), first = (size + ABI_PAGE - 1) / ABI_PAGE;

    (void)m;
    assert_int_equal(CALL(machine_first, ftruncate, fd_write[f], size), 0);
    if (size < files[f].size) {
        memset(files[f].bytes + size, 0, files[f].size - size);
    }
    for (unsigned i = 0; i < PROCESSES * WINDOW && size < files[f].size; i++) {
        struct page *p = &models[i / WINDOW].page[i % WINDOW];
        if (p->object == &files[f] && p->index >= first) {
            free(p->own);
            p->own = NULL;
        }
    }
    files[f].size = size;
}

static void step(void)
{
    static void (*const rare[])(struct model * m) = {do_fork,     do_exit,  do_brk,   do_file_write,
                                                     do_truncate, do_remap, do_advise};
    struct model *m = some_process();

    switch (machine_random(12)) {
    case 0: case 1:
        do_map(m);
        break;
    case 2:
        do_unmap(m);
        break;
    case 3:
        do_protect(m);
        break;
    case 4: case 5:
        rare[machine_random(sizeof(rare) / sizeof(rare[0]))](m);
        break;
    default:
        do_access(m);
        break;
    }
}

static void end_all(void)
{
    for (unsigned i = 0; i < PROCESSES * PROCESSES; i++) {
        struct model *m = &models[PROCESSES - 1 - i % PROCESSES];
        if (m->task != NULL) {
            end_process(m);
        }
    }
    assert_null(models->task);
}

static void empty_files(void)
{
    for (unsigned f = 0; f < FILES; f++) {
        assert_int_equal(CALL(machine_first, ftruncate, fd_write[f], 0), 0);
        memset(files[f].bytes, 0, files[f].size);
        files[f].size = 0;
    }
}

static void random_steps(void **state)
{
    unsigned frames = machine_frames();
    size_t before = machine_objects();

    (void)state;
    models->task = machine_fork(machine_first);
    for (unsigned i = 0; i < STEPS; i++) {
        machine_chaos = i / 1000 % 2 != 0 ? 60 : 0;
        step();
        if (i % 200 == 0) {
            check_all();
        }
    }
    check_all();
    machine_chaos = 0;
    end_all();
    empty_files();
    assert_int_equal(machine_frames(), frames);
    assert_int_equal(machine_objects(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_steps)};

    machine_seed("vm");
    return cmocka_run_group_tests(tests, vm_setup, NULL);
}
