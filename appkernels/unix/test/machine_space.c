// machine_space.c - the supervisor's part of the machine: spaces and mappings.  See machine.h.
#include "machine.h"

#include <sys.h>

enum { SPACES = 64, SPACE_MAPPINGS = 512 };

struct mapping {
    va_t     va;
    pa_t     pa;
    uint64_t flags;                      // 0: free
};
struct space {
    oid_t  id;                           // 0: free
    struct place *place;
    struct mapping mapping[SPACE_MAPPINGS];
};

static struct space spaces[SPACES];
static uint64_t generation = 1;

static bool chaos(void)
{
    return machine_chaos != 0 && machine_random(machine_chaos) == 0;
}

static struct space *space_find(oid_t id)
{
    for (unsigned i = 0; id != 0 && i < SPACES; i++) {
        if (spaces[i].id == id) {
            return &spaces[i];
        }
    }
    return NULL;
}

static void mapping_drop(struct mapping *m)
{
    if (m->flags != 0) {
        machine_mapped(m->pa, -1);
    }
    m->flags = 0;
}

// A stale space: the id names nothing any more, but until ak_space_finish processors may still use it.
static struct space *space_gone(struct space *s)
{
    s->id |= 1ull << 63;
    s->place->loaded = 0;
    return NULL;
}

static struct space *space_use(oid_t id)
{
    struct space *s = space_find(id);

    return s != NULL && chaos() ? space_gone(s) : s;
}

static void space_free(struct space *s)
{
    for (unsigned i = 0; i < SPACE_MAPPINGS; i++) {
        mapping_drop(&s->mapping[i]);
    }
    s->place->loaded = 0;
    s->id = 0;
}

void ak_space_finish(oid_t id)
{
    struct space *s = space_find(id | 1ull << 63);

    assert_null(space_find(id));
    if (s != NULL) {
        space_free(s);
    }
}

err_t sys_space_load(const struct space_desc *desc, oid_t *id)
{
    for (unsigned i = 0; i < SPACES; i++) {
        if (spaces[i].id == 0) {
            spaces[i].id = *id = generation++ << 16 | i;
            spaces[i].place = ak_window(desc->place);
            assert_int_equal(spaces[i].place->loaded, 0);
            spaces[i].place->loaded = 1;
            return ERR_OK;
        }
    }
    fail_msg("too many spaces");
    return ERR_AGAIN;
}

err_t sys_space_unload(oid_t id)
{
    struct space *s = space_use(id);

    if (s == NULL) {
        return ERR_STALE;
    }
    space_free(s);
    return ERR_OK;
}

static struct mapping *mapping_find(struct space *s, va_t va)
{
    for (unsigned i = 0; i < SPACE_MAPPINGS; i++) {
        if (s->mapping[i].flags != 0 && s->mapping[i].va == va) {
            return &s->mapping[i];
        }
    }
    return NULL;
}

static struct mapping *mapping_place(struct space *s, va_t va)
{
    struct mapping *m = mapping_find(s, va);

    for (unsigned i = 0; m == NULL && i < SPACE_MAPPINGS; i++) {
        m = s->mapping[i].flags == 0 ? &s->mapping[i] : NULL;
    }
    return m != NULL ? m : &s->mapping[machine_random(SPACE_MAPPINGS)];
}

err_t sys_mapping_load(oid_t id, va_t va, pa_t pa, uint64_t flags)
{
    struct space *s = space_use(id);

    if (s == NULL) {
        return ERR_STALE;
    }
    assert_true(flags == MAP_READ || flags == (MAP_READ | MAP_WRITE) || flags == (MAP_READ | MAP_EXEC));
    assert_true(va % ABI_PAGE == 0 && va < ABI_USER_END);
    struct mapping *m = mapping_place(s, va);
    mapping_drop(m);
    if (chaos()) {                       // written back at once
        return ERR_OK;
    }
    *m = (struct mapping){va, pa, flags};
    machine_mapped(pa, 1);
    return ERR_OK;
}

err_t sys_mapping_load_batch(oid_t space, const struct map_entry *array, uint64_t count, uint64_t *loaded)
{
    err_t e = ERR_OK;

    for (*loaded = 0; *loaded < count && e == ERR_OK; *loaded += e == ERR_OK) {
        e = sys_mapping_load(space, array[*loaded].va, array[*loaded].pa, array[*loaded].flags);
    }
    return e;
}

err_t sys_mapping_unload(oid_t id, va_t va, uint64_t length, uint64_t *unloaded)
{
    struct space *s = space_use(id);

    *unloaded = 0;
    if (s == NULL) {
        return ERR_STALE;
    }
    assert_true(va % ABI_PAGE == 0 && length % ABI_PAGE == 0 && length > 0);
    for (unsigned i = 0; i < SPACE_MAPPINGS; i++) {
        if (s->mapping[i].flags != 0 && s->mapping[i].va >= va && s->mapping[i].va - va < length) {
            mapping_drop(&s->mapping[i]);
            ++*unloaded;
        }
    }
    return ERR_OK;
}

err_t sys_mapping_protect(oid_t id, va_t va, uint64_t length, uint64_t access, uint64_t *modified)
{
    struct space *s = space_use(id);

    *modified = 0;
    if (s == NULL) {
        return ERR_STALE;
    }
    for (unsigned i = 0; i < SPACE_MAPPINGS; i++) {
        if (s->mapping[i].flags != 0 && s->mapping[i].va >= va && s->mapping[i].va - va < length) {
            s->mapping[i].flags &= access;
        }
    }
    return ERR_OK;
}

err_t sys_yield(void)
{
    return ERR_OK;
}

// The program goes on.  Comes back if its space is stale.
err_t ak_resume(struct ak_thread *t)
{
    assert_int_equal(giant.state, 0);
    if (space_use(t->space) == NULL) {
        return ERR_STALE;
    }
    longjmp(*machine_leave, MACHINE_LEFT_RESUMED);
}

err_t ak_map_and_resume(struct ak_thread *t, va_t va, pa_t pa, uint64_t flags)
{
    err_t e = sys_mapping_load(t->space, va, pa, flags);
    return e == ERR_OK ? ak_resume(t) : e;
}

// What the processor would find for an access: the byte in the window, or NULL, which is a fault.
uint8_t *machine_translate(oid_t space, va_t va, uint64_t need, uint64_t *error)
{
    struct space *s = space_use(space);
    struct mapping *m = s != NULL ? mapping_find(s, va & ~(va_t)(ABI_PAGE - 1)) : NULL;

    *error = m != NULL ? FAULT_PRESENT : 0;
    return m != NULL && (m->flags & need) == need ? (uint8_t *)ak_window(m->pa) + va % ABI_PAGE : NULL;
}
