// park.c - state pages as records.  See park.h.
//
// A record: a word with a bit for each 64 bytes of the page that hold something, for each of those a byte with a bit
// for each word that is not zero (padded to a word), and these words.
#include "park.h"

#include <base.h>

enum { WORDS = ABI_PAGE / 8, GROUP = 8, GROUPS = WORDS / GROUP, RANGES = 6 };
enum { SIGNAL_WORDS = sizeof(struct signal_entry) / 8 };

struct range {                           // of words of the page
    unsigned first, end;
};

struct summary {                         // which words are kept
    uint64_t groups;
    uint8_t  mask[GROUPS];
    unsigned words;
};

static unsigned word_of(size_t offset)
{
    return (unsigned)(offset / 8);
}

static struct range field(size_t offset, size_t length)
{
    return (struct range){word_of(offset), word_of(offset + length)};
}

// The entries of the queue that have not been taken; in two ranges if they wrap.
static unsigned queue_ranges(const struct thread_state *s, struct range *r)
{
    unsigned base = word_of(offsetof(struct thread_state, signal));
    unsigned head = s->signal_head % SIGNAL_ENTRIES, tail = s->signal_tail % SIGNAL_ENTRIES;

    if (s->signal_head == s->signal_tail) {
        return 0;
    }
    if (head > tail && s->signal_head - s->signal_tail < SIGNAL_ENTRIES) {
        r[0] = (struct range){base + tail * SIGNAL_WORDS, base + head * SIGNAL_WORDS};
        return 1;
    }
    if (s->signal_head - s->signal_tail >= SIGNAL_ENTRIES) {
        head = tail = 0;                 // full, or nonsense: all of them
    }
    r[0] = (struct range){base, base + head * SIGNAL_WORDS};
    r[1] = (struct range){base + tail * SIGNAL_WORDS, base + SIGNAL_ENTRIES * SIGNAL_WORDS};
    return 2;
}

// What a load of the thread would look at, now or later.
static unsigned live_ranges(const struct thread_state *s, struct range r[RANGES])
{
    unsigned depth = s->depth < ABI_MAX_DEPTH ? s->depth : ABI_MAX_DEPTH, n = 0;

    r[n++] = field(0, offsetof(struct thread_state, frame) + (depth + 1) * sizeof(struct frame));
    r[n++] = field(offsetof(struct thread_state, xstate), XSTATE_SIZE);
    r[n++] = field(offsetof(struct thread_state, signal_head), 4 * sizeof(uint32_t));
    n += queue_ranges(s, &r[n]);
    if (s->signal_active) {
        r[n++] = field(offsetof(struct thread_state, interrupted), sizeof(struct frame));
    }
    return n;
}

static void summarize(const struct thread_state *s, struct summary *sum)
{
    const uint64_t *word = (const uint64_t *)s;
    struct range r[RANGES];
    unsigned n = live_ranges(s, r);

    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i < n; i++) {
        for (unsigned w = r[i].first; w < r[i].end; w++) {
            if (word[w] != 0) {
                sum->groups |= 1ull << w / GROUP;
                sum->mask[w / GROUP] |= (uint8_t)(1u << w % GROUP);
                sum->words++;
            }
        }
    }
}

static size_t masks_size(uint64_t groups)
{
    return ((size_t)__builtin_popcountll(groups) + 7) & ~7ull;
}

size_t ak_park(const struct thread_state *s, void *record, size_t room)
{
    const uint64_t *word = (const uint64_t *)s;
    struct summary sum;

    if (__atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE) != 0) {
        return 0;
    }
    summarize(s, &sum);
    size_t masks = masks_size(sum.groups), size = 8 + masks + 8 * (size_t)sum.words;
    if (size > room) {
        return size;
    }
    uint8_t *mask = (uint8_t *)record + 8;
    uint64_t *out = (uint64_t *)(mask + masks);
    *(uint64_t *)record = sum.groups;
    memset(mask, 0, masks);
    for (uint64_t left = sum.groups; left != 0; left &= left - 1) {
        unsigned g = (unsigned)__builtin_ctzll(left);
        *mask++ = sum.mask[g];
        for (unsigned bits = sum.mask[g]; bits != 0; bits &= bits - 1) {
            *out++ = word[g * GROUP + (unsigned)__builtin_ctz(bits)];
        }
    }
    return size;
}

size_t ak_unpark(const void *record, struct thread_state *s)
{
    uint64_t groups = *(const uint64_t *)record, *word = (uint64_t *)s;
    const uint8_t *mask = (const uint8_t *)record + 8;
    const uint64_t *in = (const uint64_t *)(mask + masks_size(groups));

    memset(s, 0, sizeof(*s));
    for (uint64_t left = groups; left != 0; left &= left - 1) {
        unsigned g = (unsigned)__builtin_ctzll(left);
        for (unsigned bits = *mask++; bits != 0; bits &= bits - 1) {
            word[g * GROUP + (unsigned)__builtin_ctz(bits)] = *in++;
        }
    }
    return (size_t)((const char *)in - (const char *)record);
}
