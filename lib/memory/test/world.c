// world.c - see world.h.
#include "world.h"

#include <stdio.h>
#include <sys/mman.h>

#include <sys.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p))
#endif

// The window begins where the sanitizer keeps its shadow: so the memory begins at 1 TiB.
enum { FRAMES = ABI_PAGE, SPACES = 16, MAPPINGS = 96, LARGE_FRAMES = ABI_LARGE / ABI_PAGE };
#define MEMORY (1ull << 40)
#define STALE (1ull << 63)

struct mapping {
    va_t     va;
    pa_t     pa;
    uint64_t flags;                      // 0: free
};

long world_allow = -1;
unsigned world_chaos;
uint32_t world_cluster;
unsigned world_most = FRAMES - 1;
unsigned world_larges;
static unsigned users[FRAMES], mapped[FRAMES], used;
static size_t objects;
static uint64_t seed = 1, generation = 1;
static struct space { oid_t id; struct mapping mapping[MAPPINGS]; } spaces[SPACES];

// The last frame holds the table: a byte for each.
static const struct kernel_info info = {.frame_states = MEMORY + (FRAMES - 1ull) * ABI_PAGE,
                                        .first_frame = MEMORY >> ABI_PAGE_SHIFT, .frame_count = FRAMES};
static const struct system_info system_info = {.cpus = 2, .mappings = 4096};
const struct kernel_info *ak_info = &info;
const struct system_info *ak_system = &system_info;

unsigned world_random(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 32) % below);
}

void world_seed(const char *name)
{
    const char *given = getenv("QUOIN_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : 0x9e3779b97f4a7c15ull;
    seed += seed == 0;
    print_message("%s: QUOIN_SEED=%#llx\n", name, (unsigned long long)seed);
}

void world_begin(void)
{
    void *at = ak_window(MEMORY);

    assert_ptr_equal(mmap(at, (size_t)FRAMES * ABI_PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), at);
    ASAN_POISON_MEMORY_REGION(at, (FRAMES - 1ull) * ABI_PAGE);
}

static bool chaos(void)
{
    return world_chaos != 0 && world_random(world_chaos) == 0;
}

// ---- frames and objects -----------------------------------------------------------------------------------

unsigned world_frames(void)
{
    return used;
}

size_t world_objects(void)
{
    return objects;
}

static bool allowed(void)
{
    return world_allow < 0 || world_allow-- > 0 || ((world_allow = 0), false);
}

static unsigned frame_index(pa_t frame)
{
    assert_true(frame % ABI_PAGE == 0 && frame >= MEMORY && frame < info.frame_states);
    return (unsigned)((frame - MEMORY) / ABI_PAGE);
}

// What the last page of a frame left in the table stays there, as on the machine.
pa_t ak_frame_alloc_in(uint32_t cluster)
{
    world_cluster = cluster;
    for (unsigned k = 0; used < world_most && allowed() && k < FRAMES - 1; k++, world_allow += world_allow >= 0) {
        if (users[k] == 0) {
            pa_t frame = MEMORY + (pa_t)k * ABI_PAGE;
            ASAN_UNPOISON_MEMORY_REGION(ak_window(frame), ABI_PAGE);
            memset(ak_window(frame), 0xa5, ABI_PAGE);
            users[k] = 1;
            used++;
            return frame;
        }
    }
    return 0;
}

static bool all_free(unsigned k)
{
    for (unsigned i = k; i < k + LARGE_FRAMES; i++) {
        if (users[i] != 0) {
            return false;
        }
    }
    return true;
}

pa_t world_large(struct manager *m, const struct region *r)
{
    (void)m, (void)r;
    for (unsigned k = 0; used + LARGE_FRAMES <= world_most && k + LARGE_FRAMES < FRAMES; k += LARGE_FRAMES) {
        if (all_free(k) && allowed()) {
            pa_t frame = MEMORY + (pa_t)k * ABI_PAGE;
            ASAN_UNPOISON_MEMORY_REGION(ak_window(frame), ABI_LARGE);
            memset(ak_window(frame), 0xa5, ABI_LARGE);
            for (unsigned i = k; i < k + LARGE_FRAMES; i++) {
                users[i] = 1;
            }
            used += LARGE_FRAMES;
            return frame;
        }
    }
    return 0;
}

void ak_frame_get(pa_t frame)
{
    assert_true(users[frame_index(frame)]++ > 0);
}

void ak_frame_put(pa_t frame)
{
    unsigned k = frame_index(frame);

    assert_true(users[k] > 0);
    if (--users[k] == 0) {
        assert_int_equal(mapped[k], 0);  // a program could still reach it
        used--;
        ASAN_POISON_MEMORY_REGION(ak_window(frame), ABI_PAGE);
    }
}

unsigned ak_frame_users(pa_t frame)
{
    return users[frame_index(frame)];
}

void *ak_alloc(size_t size)
{
    if (!allowed()) {
        return NULL;
    }
    objects++;
    return calloc(1, size);
}

void ak_free(void *p, size_t size)
{
    (void)size;
    objects -= p != NULL;
    free(p);
}

// ---- spaces -----------------------------------------------------------------------------------------------

static struct space *space_find(oid_t id)
{
    for (unsigned i = 0; id != 0 && i < SPACES; i++) {
        if (spaces[i].id == id) {
            return &spaces[i];
        }
    }
    return NULL;
}

// A space may turn out to be stale whenever it is used; until ak_space_finish processors may still use it.
static struct space *space_use(oid_t id)
{
    struct space *s = space_find(id);

    if (s != NULL && chaos()) {
        s->id |= STALE;
        return NULL;
    }
    return s;
}

static uint64_t size_of(uint64_t flags)
{
    return flags & MAP_LARGE ? ABI_LARGE : ABI_PAGE;
}

static void count(const struct mapping *m, unsigned by)
{
    for (uint64_t i = 0; i < size_of(m->flags); i += ABI_PAGE) {
        mapped[frame_index(m->pa + i)] += by;
    }
}

static void drop(struct mapping *m)
{
    if (m->flags != 0) {
        count(m, -1u);
        m->flags = 0;
    }
}

static void space_free(struct space *s)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        if (s->mapping[i].flags != 0) {
            drop(&s->mapping[i]);
        }
    }
    s->id = 0;
}

void ak_space_finish(oid_t id)
{
    struct space *s = space_find(id | STALE);

    assert_null(space_find(id));
    assert_non_null(s);
    space_free(s);
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

// Some of it: a range takes the whole of a large mapping.
static bool inside(const struct mapping *m, va_t va, uint64_t length)
{
    return m->flags != 0 && m->va < va + length && va < m->va + size_of(m->flags);
}

static struct mapping *mapping_find(struct space *s, va_t va)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        if (inside(&s->mapping[i], va, ABI_PAGE)) {
            return &s->mapping[i];
        }
    }
    return NULL;
}

static void load(struct space *s, const struct map_entry *e)
{
    struct mapping *m = NULL;
    uint64_t rights = e->flags & ~(uint64_t)MAP_LARGE, size = size_of(e->flags);

    assert_true(rights == MAP_READ || rights == (MAP_READ | MAP_WRITE) || rights == (MAP_READ | MAP_EXEC));
    assert_true(e->va % size == 0 && e->pa % size == 0 && e->va < ABI_USER_END && users[frame_index(e->pa)] > 0);
    for (unsigned i = 0; i < MAPPINGS; i++) {
        if (inside(&s->mapping[i], e->va, size)) {
            drop(&s->mapping[i]);
        }
        m = s->mapping[i].flags == 0 ? &s->mapping[i] : m;
    }
    m = m != NULL ? m : &s->mapping[world_random(MAPPINGS)];
    drop(m);
    if (!chaos()) {                      // else it is written back at once
        *m = (struct mapping){e->va, e->pa, e->flags};
        count(m, 1);
        world_larges += size == ABI_LARGE;
    }
}

err_t sys_mapping_load_batch(oid_t id, const struct map_entry *array, uint64_t count, uint64_t *loaded)
{
    struct space *s = space_use(id);

    for (*loaded = 0; s != NULL && *loaded < count; ++*loaded) {
        load(s, &array[*loaded]);
    }
    return s != NULL ? ERR_OK : ERR_STALE;
}

err_t sys_mapping_unload(oid_t id, va_t va, uint64_t length, uint64_t *unloaded)
{
    struct space *s = space_use(id);

    assert_true(va % ABI_PAGE == 0 && length % ABI_PAGE == 0 && length > 0 && va + length <= ABI_USER_END);
    for (unsigned i = *unloaded = 0; s != NULL && i < MAPPINGS; i++) {
        if (inside(&s->mapping[i], va, length)) {
            drop(&s->mapping[i]);
            ++*unloaded;
        }
    }
    return s != NULL ? ERR_OK : ERR_STALE;
}

err_t sys_mapping_protect(oid_t id, va_t va, uint64_t length, uint64_t access, uint64_t *modified)
{
    struct space *s = space_use(id);

    *modified = 0;
    for (unsigned i = 0; s != NULL && i < MAPPINGS; i++) {
        if (inside(&s->mapping[i], va, length)) {
            s->mapping[i].flags &= access | MAP_LARGE;
        }
    }
    return s != NULL ? ERR_OK : ERR_STALE;
}

void world_space(struct aspace *a)
{
    for (unsigned i = 0; a->id == 0; i++) {
        assert_true(i < SPACES);
        if (spaces[i].id == 0) {
            spaces[i].id = a->id = generation++ << 8 | i;
        }
    }
}

// The processor sets the bits when it uses a mapping; the supervisor hands them over later, at the latest when it
// unloads the mapping.  Early is as good: the library looks only after it has unloaded.
err_t world_reach(struct aspace *a, va_t va, uint64_t error, uint8_t **byte)
{
    uint64_t need = error & FAULT_WRITE ? MAP_WRITE : error & FAULT_EXEC ? MAP_EXEC : MAP_READ;
    uint8_t *states = ak_window(info.frame_states);
    struct map_entry e;

    for (unsigned tries = 0; tries < 100; tries++) {
        struct space *s = space_use(a->id);
        if (s == NULL) {
            if (a->id != 0) {
                ak_space_finish(a->id);
                a->id = 0;
            }
            world_space(a);
            s = space_find(a->id);
        }
        const struct mapping *m = mapping_find(s, va & ~(va_t)(ABI_PAGE - 1));
        if (m != NULL && (m->flags & need)) {
            states[frame_index(m->pa)] |= FRAME_REFERENCED | (need == MAP_WRITE ? FRAME_MODIFIED : 0);
            *byte = (uint8_t *)ak_window(m->pa) + (va - m->va);
            return ERR_OK;
        }
        err_t r = aspace_fault(a, va, error | (m != NULL ? FAULT_PRESENT : 0), &e);
        if (r != ERR_OK) {
            return r;
        }
        s = space_find(a->id);
        if (s != NULL) {
            load(s, &e);
        }
    }
    fail_msg("the access never succeeds");
    return ERR_AGAIN;
}
