// mapping_quick.c - the usual loads of a batch.  See mapping_quick.h.
#include "mapping_quick.h"

bool mapping_load_quick(struct instance *in, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags)
{
    return load_quick(in, k, s, va, pa, flags);
}

// What entries of a batch that are alike share: their leaf table, their page group and their flags; and what follows
// from these.
struct alike {
    va_t      va;                 // the first address of the table
    pa_t      pa;                 // the first one of the group
    uint64_t  flags;
    pte_t    *entries;            // of the table
    pte_t     bits;               // of an entry, but for its frame
    uint64_t  second;             // word of a record, but for its page
    uint32_t *buckets;            // of the group
    char     *records;            // the place of link 0
    uint64_t  link;               // the list of free records
};

// All of load_quick()'s checks for as much as they share.  Gives how many entries and records may be used.
static uint64_t alike_begin(struct instance *in, struct appkernel *k, struct space *s, const struct map_entry *e,
                            uint64_t count, struct alike *a)
{
    enum { FRAMES = ABI_GROUP / ABI_PAGE };
    uint32_t held = k->held[OBJECT_MAPPING], most = k->limits.range[OBJECT_MAPPING].most;
    uint64_t free = in->stats->free_mappings, flags = load_relaxed(&e->flags);
    va_t va = load_relaxed(&e->va) & ~(va_t)(ABI_LARGE - 1);
    pa_t pa = load_relaxed(&e->pa) & ~(pa_t)(ABI_GROUP - 1);
    uint64_t group = pa >> ABI_GROUP_SHIFT, frame = (pa >> ABI_PAGE_SHIFT) - k->first_frame;
    const struct table *t = table_last(s, va);

    if (t == NULL || s->owner != k || !usual_flags(flags) || held >= most || group >= in->groups ||
        !rights_of_page(k, group, (flags & MAP_WRITE) != 0) || frame >= k->frame_count ||
        k->frame_count - frame < FRAMES) {
        return 0;
    }
    *a = (struct alike){.va = va, .pa = pa, .flags = flags, .entries = t->entries,
                        .bits = arch_pte_leaf(0, (uint32_t)flags), .second = va >> ABI_PAGE_SHIFT | s->tag,
                        .buckets = bucket_of(in, pa >> ABI_PAGE_SHIFT), .link = in->free_record,
                        .records = (char *)in->records - sizeof(struct record)};
    count = count < free ? count : free;
    return count < most - held ? count : most - held;
}

// The number of the page at this offset; not a number of a page at all if it is not aligned.
static inline uint64_t page_number(uint64_t offset)
{
    return offset >> ABI_PAGE_SHIFT | offset << (64 - ABI_PAGE_SHIFT);
}

// Load entries from e on, while they are alike and usual; gives the first that is not.  The words of an entry are the
// user's, who may change them at any time: each is read once, here, and compared with what alike_begin() has checked.
static __attribute__((noinline)) const struct map_entry *load_alike(struct alike *a, const struct map_entry *e,
                                                                    const struct map_entry *end)
{
    enum { SIZE = sizeof(struct record) };
    pte_t *entries = a->entries;                  // in registers; the rest of *a is near
    const pte_t bits = a->bits;
    const uint64_t second = a->second;
    char *records = a->records;
    uint64_t link = a->link;

    for (; e != end; e++) {
        uint64_t page = page_number(load_relaxed(&e->va) ^ a->va), frame = load_relaxed(&e->pa);
        uint64_t in_group = page_number(frame ^ a->pa);
        if (load_relaxed(&e->flags) != a->flags || page >= PT_ENTRIES || in_group >= ABI_GROUP / ABI_PAGE ||
            arch_pte_present(entries[page])) {
            break;
        }
        uint64_t chain = a->buckets[in_group];
        if (__builtin_expect(chain != 0, 0)) {
            if (((struct record *)(void *)(records + chain * SIZE))->link != 0) {
                break;                            // not nearly empty
            }
            chain <<= RECORD_LINK;
        }
        record_word *word = (record_word *)(void *)(records + link * SIZE);
        a->buckets[in_group] = (uint32_t)link;
        link = word[0] >> RECORD_LINK;
        word[1] = second + page;
        store_relaxed(&entries[page], frame + bits);
        word[0] = frame >> ABI_PAGE_SHIFT | chain;
    }
    a->link = link;
    return e;
}

uint64_t mapping_load_some(struct instance *in, struct appkernel *k, struct space *s, const struct map_entry *entry,
                           uint64_t count)
{
    const struct map_entry *e = entry, *end = entry + count, *begin;
    struct alike a;

    do {
        uint64_t room = e != end ? alike_begin(in, k, s, e, (uint64_t)(end - e), &a) : 0;
        if (room == 0) {
            break;
        }
        begin = e;
        e = load_alike(&a, begin, begin + room);
        uint32_t n = (uint32_t)(e - begin);
        in->free_record = (uint32_t)a.link;
        s->last->used = (uint16_t)(s->last->used + n);
        k->held[OBJECT_MAPPING] += n;
        in->stats->free_mappings -= n;
        in->stats->loads[OBJECT_MAPPING] += n;
    } while (e != begin);
    return (uint64_t)(e - entry);
}
