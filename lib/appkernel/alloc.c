// alloc.c - small objects on frames.
//
// Sizes are rounded up to a power of two from 16 to 1024.  Objects of one size share a frame: a header of 64
// bytes (16 for the smallest sizes would not keep them aligned), then objects, each aligned to its size up to
// 64.  Frames with room are on the list of their size; an empty one goes back, unless it is the only one with
// room.  Larger objects are runs of frames.
// Locking: one spin lock, taken before that of the frames.
#include "appkernel_impl.h"

#include <base.h>

enum { SMALLEST = 16, LARGEST = 1024, SIZES = 7, HEADER = 64 };

struct object {
    struct object *next;
};
struct slab {                            // l  all fields: alloc_lock
    struct slab   *next, *prev;          // among those with room
    struct object *free;
    uint32_t       size;                 // I  of an object
    uint32_t       used;
    uint32_t       fresh;                // offset of the first object that was never given
};

static struct slab *room[SIZES];
static uint32_t alloc_lock;

static unsigned size_class(size_t size)
{
    return size <= SMALLEST ? 0 : 60 - (unsigned)__builtin_clzll(size - 1);
}

static void slab_link(unsigned class, struct slab *s)
{
    s->next = room[class];
    s->prev = NULL;
    if (s->next != NULL) {
        s->next->prev = s;
    }
    room[class] = s;
}

static void slab_unlink(unsigned class, struct slab *s)
{
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    if (s->prev != NULL) {
        s->prev->next = s->next;
    } else {
        room[class] = s->next;
    }
}

static bool slab_full(const struct slab *s)
{
    return s->free == NULL && s->fresh + s->size > ABI_PAGE;
}

static struct slab *slab_create(unsigned class)
{
    pa_t frame = ak_frame_alloc();

    if (frame == 0) {
        return NULL;
    }
    struct slab *s = ak_window(frame);
    s->free = NULL;
    s->size = SMALLEST << class;
    s->used = 0;
    s->fresh = s->size > HEADER ? s->size : HEADER;
    slab_link(class, s);
    return s;
}

static void *slab_take(unsigned class)
{
    struct slab *s = room[class] != NULL ? room[class] : slab_create(class);

    if (s == NULL) {
        return NULL;
    }
    void *p = s->free;
    if (p != NULL) {
        s->free = s->free->next;
    } else {
        p = (uint8_t *)s + s->fresh;
        s->fresh += s->size;
    }
    s->used++;
    if (slab_full(s)) {
        slab_unlink(class, s);
    }
    return p;
}

static unsigned frames_of(size_t size)
{
    return (unsigned)((size + ABI_PAGE - 1) >> ABI_PAGE_SHIFT);
}

void *ak_alloc(size_t size)
{
    void *p;

    if (size > LARGEST) {
        pa_t frame = size >> 32 == 0 ? ak_frame_alloc_run(frames_of(size)) : 0;
        p = frame == 0 ? NULL : ak_window(frame);
    } else {
        ak_spin_lock(&alloc_lock);
        p = slab_take(size_class(size));
        ak_spin_unlock(&alloc_lock);
    }
    if (p != NULL) {
        memset(p, 0, size);
    }
    return p;
}

static void slab_give(struct slab *s, struct object *o)
{
    unsigned class = size_class(s->size);
    bool was_full = slab_full(s);

    o->next = s->free;
    s->free = o;
    s->used--;
    if (was_full) {
        slab_link(class, s);
    }
    if (s->used == 0 && (s->next != NULL || s->prev != NULL)) {
        slab_unlink(class, s);
        ak_frame_put(ak_window_pa(s));
    }
}

void ak_free(void *p, size_t size)
{
    if (p == NULL) {
        return;
    }
    if (size > LARGEST) {
        for (unsigned i = 0; i < frames_of(size); i++) {
            ak_frame_put(ak_window_pa(p) + (pa_t)i * ABI_PAGE);
        }
        return;
    }
    ak_spin_lock(&alloc_lock);
    slab_give((struct slab *)((uintptr_t)p & ~(uintptr_t)(ABI_PAGE - 1)), p);
    ak_spin_unlock(&alloc_lock);
}
