// vm_model.c - see vm_model.h.
#include "vm_model.h"

struct model models[PROCESSES];
struct object objects[OBJECTS];
int fd_write[FILES], fd_read[FILES];
unsigned fixed_pages;

struct object *object_create(void)
{
    for (struct object *o = objects + FILES; o < objects + OBJECTS; o++) {
        if (o->users == 0) {
            o->users = 1;
            o->bytes = calloc(WINDOW, ABI_PAGE);
            return o;
        }
    }
    return NULL;
}

static void object_put(struct object *o)
{
    if (o != NULL && !o->is_file && --o->users == 0) {
        free(o->bytes);
    }
}

void page_clear(struct page *p)
{
    free(p->own);
    object_put(p->object);
    *p = (struct page){0};
}

const uint8_t *page_bytes(const struct page *p)
{
    static const uint8_t zeros[ABI_PAGE];

    return p->own != NULL ? p->own : p->object != NULL ? p->object->bytes + p->index * ABI_PAGE : zeros;
}

uint8_t *page_to_write(struct page *p)
{
    if (p->is_shared) {
        return p->object->bytes + p->index * ABI_PAGE;
    }
    if (p->own == NULL) {
        uint8_t *own = malloc(ABI_PAGE);
        memcpy(own, page_bytes(p), ABI_PAGE);
        p->own = own;
    }
    return p->own;
}

void page_copy(struct page *to, const struct page *from)
{
    *to = *from;
    if (to->object != NULL && !to->object->is_file) {
        to->object->users++;
    }
    if (from->own != NULL) {
        to->own = malloc(ABI_PAGE);
        memcpy(to->own, from->own, ABI_PAGE);
    }
}

static bool beyond_file(const struct page *p)
{
    return p->object != NULL && p->object->is_file && p->own == NULL &&
           (size_t)p->index * ABI_PAGE >= p->object->size;
}

int access_error(const struct page *p, uint32_t need)
{
    if (!p->mapped) {
        return -EFAULT;
    }
    if (!(p->prot & (need == PROT_READ ? PROT_ALL : need))) {
        return -EACCES;
    }
    return beyond_file(p) ? -EIO : 0;
}

struct model *some_process(void)
{
    struct model *m;

    do {
        m = &models[machine_random(PROCESSES)];
    } while (m->task == NULL);
    return m;
}

void some_range(unsigned *at, unsigned *n)
{
    *at = machine_random(WINDOW);
    *n = 1 + machine_random(machine_random(3) == 0 ? WINDOW - *at : WINDOW - *at < 4 ? WINDOW - *at : 4);
}

uint32_t some_prot(void)
{
    static const uint8_t usual[] = {0, 1, 1, 3, 3, 3, 3, 5, 7, 2, 4};
    return usual[machine_random(sizeof(usual))];
}

// ---- what is checked --------------------------------------------------------------------------------------

static void check_lists(const struct model *m)
{
    struct vm *vm = m->task->vm;
    uint64_t total = 0, resident = 0, index = 0, mapped = 0;
    unsigned regions = 0;
    const struct region *before = NULL;

    for (const struct region *r = vm->as.first; r != NULL; before = r, r = r->next) {
        assert_ptr_equal(r->prev, before);
        assert_true(r->start < r->end && (before == NULL || before->end <= r->start));
        total += (r->end - r->start) / ABI_PAGE;
        regions++;
    }
    assert_ptr_equal(vm->as.last, before);
    for (; tree_next(&vm->as.pages, &index, TREE_END) != NULL; index++) {
        assert_non_null(aspace_find(&vm->as, index << ABI_PAGE_SHIFT));
        resident++;
    }
    for (unsigned i = 0; i < WINDOW; i++) {
        mapped += m->page[i].mapped;
    }
    assert_int_equal(vm->as.total, total);
    assert_int_equal(vm->as.regions, regions);
    assert_int_equal(vm->as.resident, resident);
    assert_int_equal(total, fixed_pages + mapped + (m->brk + ABI_PAGE - 1) / ABI_PAGE);
}

void check_page(struct model *m, struct page *p, va_t va)
{
    uint8_t bytes[ABI_PAGE];
    int e = access_error(p, PROT_READ);

    assert_int_equal(machine_read(m->task, va, bytes, ABI_PAGE), e);
    if (e == 0) {
        assert_memory_equal(bytes, page_bytes(p), ABI_PAGE);
    }
}

void check_all(void)
{
    for (struct model *m = models; m < models + PROCESSES; m++) {
        if (m->task != NULL) {
            check_lists(m);
            for (unsigned i = 0; i < WINDOW; i++) {
                check_page(m, &m->page[i], BASE + i * ABI_PAGE);
            }
            for (unsigned i = 0; i < HEAP; i++) {
                check_page(m, &m->heap[i], m->task->vm->brk_start + i * ABI_PAGE);
            }
        }
    }
}

// ---- begin ------------------------------------------------------------------------------------------------

int vm_setup(void **state)
{
    static const char *const names[FILES] = {"/one", "/two"};

    (void)state;
    machine_begin();
    fixed_pages = (unsigned)machine_first->vm->as.total;
    for (unsigned f = 0; f < FILES; f++) {
        machine_file(names[f], "", 0, 0600);
        va_t path = machine_text(machine_first, 0, names[f]);
        fd_write[f] = (int)CALL(machine_first, open, path, O_RDWR, 0);
        fd_read[f] = (int)CALL(machine_first, open, path, O_RDONLY, 0);
        assert_true(fd_write[f] >= 0 && fd_read[f] >= 0);
        objects[f] =
            (struct object){.users = 1, .is_file = true, .bytes = calloc(FILE_PAGES + WINDOW, ABI_PAGE)};
    }
    for (unsigned i = 0; i < MACHINE_PAGES; i++) {       // what stays is there from the beginning
        uint8_t byte = 1;
        assert_int_equal(machine_write(machine_first, MACHINE_DATA + i * ABI_PAGE, &byte, 1), 0);
    }
    return 0;
}
