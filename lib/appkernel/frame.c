// frame.c - the frames of the granted memory.
//
// Each range has an array of records at its beginning (in the first range: behind what the starter used), one
// for each frame behind the array.  A free frame is on a doubly linked list, so that a frame in the middle can
// be taken for a run; frames that were never used are not: `fresh` counts up through them.
// A range that was removed has no frames, so only frames that are none of ours are looked for in it; frame_find()
// takes no lock, and looks at `count` before and after for the case that its place is used again.
// Locking: one spin lock.  Never used by the service thread.
#include "appkernel_impl.h"

#include <base.h>

enum { MAX_RANGES = 48, NONE = UINT32_MAX };

struct frame_record {                    // l  all fields: frame_lock; users is also changed atomically
    uint32_t users;                      // 0: free
    uint32_t next, prev;                 // while free and below `fresh`
};

struct frame_range {
    pa_t     start;                      // l  where it begins
    pa_t     base;                       // l  of the first frame that has a record
    uint64_t count;                      // l  0: the range has been removed
    uint64_t used;                       // l  frames with users
    uint64_t fresh;                      // l  frames from here on were never given
    uint32_t cluster;                    // l  AK_CLUSTER_ANY: not known
    uint32_t free;                       // l  first of the list, NONE
    uint64_t search;                     // l  where the last run was found
    struct frame_record *record;         // I
    const uint8_t *state;                // I  of the first frame in the frame-state table; NULL: not there
};

static struct frame_range range[MAX_RANGES];
static unsigned ranges;
static uint64_t frames_free;             // l
static uint32_t frame_lock;

// A place for a range, with the lock or before there are threads; NULL: there is none.
static struct frame_range *range_place(void)
{
    for (unsigned i = 0; i < ranges; i++) {
        if (range[i].count == 0) {
            return &range[i];
        }
    }
    return ranges < MAX_RANGES ? &range[ranges] : NULL;
}

static bool range_add(struct frame_range *r, pa_t base, pa_t end, uint32_t cluster)
{
    pa_t start = base;

    base = (base + ABI_PAGE - 1) & ~(pa_t)(ABI_PAGE - 1);
    if (r == NULL || end <= base + 2 * ABI_PAGE) {
        return false;
    }
    uint64_t frames = (end - base) >> ABI_PAGE_SHIFT;
    uint64_t table = (frames * sizeof(struct frame_record) + ABI_PAGE - 1) >> ABI_PAGE_SHIFT;
    r->record = ak_window(base);
    memset(r->record, 0, (frames - table) * sizeof(struct frame_record));
    r->start = start;
    r->base = base + (table << ABI_PAGE_SHIFT);
    r->cluster = cluster;
    r->free = NONE;
    r->fresh = r->search = r->used = 0;
    uint64_t first = (r->base >> ABI_PAGE_SHIFT) - ak_info->first_frame;
    bool covered = first < ak_info->frame_count && frames - table <= ak_info->frame_count - first;
    r->state = covered ? (const uint8_t *)ak_window(ak_info->frame_states) + first : NULL;
    __atomic_store_n(&r->count, frames - table, __ATOMIC_RELEASE);       // pairs with frame_find()
    frames_free += r->count;
    if (r == &range[ranges]) {
        __atomic_store_n(&ranges, ranges + 1, __ATOMIC_RELEASE);
    }
    return true;
}

void ak_frames_init(void)
{
    for (uint32_t i = 0; i < ak_info->ranges && i < MAX_RANGES; i++) {
        const struct memory_range *m = &ak_info->range[i];
        (void)range_add(range_place(), i == 0 && ak_info->free != 0 ? ak_info->free : m->base, m->base + m->length,
                        m->cluster);
    }
}

bool ak_frames_add(pa_t base, uint64_t length)
{
    ak_spin_lock(&frame_lock);
    bool added = range_add(range_place(), base, base + length, AK_CLUSTER_ANY);
    ak_spin_unlock(&frame_lock);
    return added;
}

bool ak_frames_remove(pa_t base)
{
    bool removed = false;

    ak_spin_lock(&frame_lock);
    for (unsigned i = 0; i < ranges && !removed; i++) {
        struct frame_range *r = &range[i];
        if (r->count == 0 || r->start != base || r->used != 0) {
            continue;
        }
        frames_free -= r->count;
        __atomic_store_n(&r->count, 0, __ATOMIC_RELEASE);
        r->free = NONE;
        r->fresh = 0;
        removed = true;
    }
    ak_spin_unlock(&frame_lock);
    return removed;
}

// The record of a frame, or NULL if it is none of ours.
static struct frame_record *frame_find(pa_t frame, struct frame_range **in)
{
    for (unsigned i = 0; i < ranges; i++) {
        struct frame_range *r = &range[i];
        uint64_t count = __atomic_load_n(&r->count, __ATOMIC_ACQUIRE);
        uint64_t index = (frame - r->base) >> ABI_PAGE_SHIFT;
        if (frame >= r->base && index < count && count == __atomic_load_n(&r->count, __ATOMIC_ACQUIRE)) {
            *in = r;
            return &r->record[index];
        }
    }
    return NULL;
}

static void list_push(struct frame_range *r, uint32_t index)
{
    struct frame_record *f = &r->record[index];

    f->next = r->free;
    f->prev = NONE;
    if (r->free != NONE) {
        r->record[r->free].prev = index;
    }
    r->free = index;
}

static void list_remove(struct frame_range *r, uint32_t index)
{
    struct frame_record *f = &r->record[index];

    if (f->next != NONE) {
        r->record[f->next].prev = f->prev;
    }
    if (f->prev != NONE) {
        r->record[f->prev].next = f->next;
    } else {
        r->free = f->next;
    }
}

// Has the memory of a frame failed?  Such a frame may be freed, and is not given again.
static bool is_lost(const struct frame_range *r, uint64_t index)
{
    return r->state != NULL && (*(const volatile uint8_t *)&r->state[index] & FRAME_LOST);
}

static bool range_take(struct frame_range *r, pa_t *frame)
{
    uint64_t index;

    for (;;) {
        index = r->free;
        if (r->free != NONE) {
            list_remove(r, r->free);
        } else if (r->fresh < r->count) {
            index = r->fresh++;
        } else {
            return false;
        }
        r->record[index].users = 1;
        if (__builtin_expect(!is_lost(r, index), 1)) {
            break;
        }
        frames_free--;                   // it stays in use for ever
    }
    r->used++;
    *frame = r->base + (index << ABI_PAGE_SHIFT);
    return true;
}

// Is it one of those that are asked first?
static bool range_near(const struct frame_range *r, uint32_t cluster)
{
    return cluster == AK_CLUSTER_ANY || r->cluster == cluster;
}

static inline bool take(uint32_t cluster, bool near, pa_t *frame)
{
    for (unsigned i = 0; i < ranges; i++) {
        if (range_near(&range[i], cluster) == near && range_take(&range[i], frame)) {
            frames_free--;
            return true;
        }
    }
    return false;
}

pa_t ak_frame_alloc_in(uint32_t cluster)
{
    pa_t frame = 0;

    ak_spin_lock(&frame_lock);
    if (!take(cluster, true, &frame) && cluster != AK_CLUSTER_ANY) {
        (void)take(cluster, false, &frame);
    }
    ak_spin_unlock(&frame_lock);
    return frame;
}

pa_t ak_frame_alloc(void)
{
    return ak_frame_alloc_in(AK_CLUSTER_ANY);
}

// Take `count` frames from `index` on; the ones that were never used before them go to the list.
static void run_take(struct frame_range *r, uint64_t index, unsigned count)
{
    while (r->fresh < index) {
        list_push(r, (uint32_t)r->fresh++);
    }
    for (uint64_t i = index; i < index + count; i++) {
        if (i < r->fresh) {
            list_remove(r, (uint32_t)i);
        } else {
            r->fresh = i + 1;
        }
        r->record[i].users = 1;
    }
    frames_free -= count;
    r->used += count;
    r->search = index + count;
}

// The first of `count` free frames in a row in [from, to), or `to`.
static uint64_t run_search(const struct frame_range *r, uint64_t from, uint64_t to, unsigned count)
{
    unsigned found = 0;

    for (uint64_t i = from; i < to; i++) {
        found = r->record[i].users == 0 && !is_lost(r, i) ? found + 1 : 0;
        if (found == count) {
            return i + 1 - count;
        }
    }
    return to;
}

static bool range_take_run(struct frame_range *r, unsigned count, pa_t *frame)
{
    uint64_t index = r->fresh, end = r->count;

    if (end - index < count || run_search(r, index, index + count, count) != index) {
        uint64_t from = r->search < end ? r->search : 0;
        index = run_search(r, from, end, count);
        if (index == end) {
            index = run_search(r, 0, end, count);
        }
        if (index == end) {
            return false;
        }
    }
    run_take(r, index, count);
    *frame = r->base + (index << ABI_PAGE_SHIFT);
    return true;
}

pa_t ak_frame_alloc_run(unsigned count)
{
    pa_t frame = 0;

    if (count <= 1) {
        return count == 1 ? ak_frame_alloc() : 0;
    }
    ak_spin_lock(&frame_lock);
    for (unsigned i = 0; i < ranges && frames_free >= count; i++) {
        if (range_take_run(&range[i], count, &frame)) {
            break;
        }
    }
    ak_spin_unlock(&frame_lock);
    return frame;
}

// The first aligned `count` (a power of two) of free frames, or r->count.
static uint64_t block_search(const struct frame_range *r, uint64_t count)
{
    uint64_t index = (-r->base >> ABI_PAGE_SHIFT) & (count - 1), free = 0;

    while (free < count && index + count <= r->count) {
        if (r->record[index + free].users == 0 && !is_lost(r, index + free)) {
            free++;
        } else {
            index += count;
            free = 0;
        }
    }
    return free == count ? index : r->count;
}

static pa_t block_alloc(uint32_t cluster, unsigned count)
{
    pa_t frame = 0;

    ak_spin_lock(&frame_lock);
    for (unsigned i = 0; frame == 0 && i < 2 * ranges && frames_free >= count; i++) {
        struct frame_range *r = &range[i % ranges];
        uint64_t index = range_near(r, cluster) == (i < ranges) ? block_search(r, count) : r->count;
        if (index < r->count) {
            run_take(r, index, count);
            frame = r->base + (index << ABI_PAGE_SHIFT);
        }
    }
    ak_spin_unlock(&frame_lock);
    return frame;
}

pa_t ak_frame_alloc_large(void)
{
    return block_alloc(AK_CLUSTER_ANY, ABI_LARGE / ABI_PAGE);
}

pa_t ak_group_alloc(uint32_t cluster)
{
    return block_alloc(cluster, ABI_GROUP / ABI_PAGE);
}

void ak_frame_get(pa_t frame)
{
    struct frame_range *r;
    struct frame_record *f = frame_find(frame, &r);

    if (f != NULL) {
        __atomic_fetch_add(&f->users, 1, __ATOMIC_RELAXED);
    }
}

void ak_frame_put(pa_t frame)
{
    struct frame_range *r;
    struct frame_record *f = frame_find(frame, &r);

    if (f == NULL) {
        return;
    }
    // Under the lock, because a frame without users is on the list at any moment that the lock is free.
    ak_spin_lock(&frame_lock);
    uint32_t left = __atomic_sub_fetch(&f->users, 1, __ATOMIC_RELAXED);
    if (left == 0) {
        list_push(r, (uint32_t)(f - r->record));
        frames_free++;
        r->used--;
    }
    ak_spin_unlock(&frame_lock);
    if (left == UINT32_MAX) {
        ak_panic("frame %lx freed twice", (unsigned long)frame);
    }
}

unsigned ak_frame_users(pa_t frame)
{
    struct frame_range *r;
    const struct frame_record *f = frame_find(frame, &r);

    return f == NULL ? 2 : __atomic_load_n(&f->users, __ATOMIC_RELAXED);
}

uint64_t ak_frames_free(void)
{
    return __atomic_load_n(&frames_free, __ATOMIC_RELAXED);
}
