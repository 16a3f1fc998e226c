// timeshare.c - usage that decays, nice values, and the levels that follow.  See timeshare.h.
#include "timeshare.h"

enum {
    STEP = TIMESHARE_INTERVAL / 2,       // usage of one level
    USAGE_LEVELS = 7,                    // more of it does not lower a thread further
    RAN_MOST = 4 * TIMESHARE_INTERVAL,   // counted at a time: what came before that is forgiven
    USAGE_MOST = 64 * TIMESHARE_INTERVAL,
    DECAY_MOST = 64,                     // intervals; then little is left in any case
    BATCH_NICE = 5,
    NICE_PER_LEVEL = 5,
    LAST = TIMESHARE_LEVELS - 1,
};

void timeshare_set(struct timeshare *t, enum timeshare_kind kind, int nice)
{
    __atomic_store_n(&t->setting, (uint32_t)kind << 8 | (uint8_t)nice, __ATOMIC_RELAXED);
}

enum timeshare_kind timeshare_kind(const struct timeshare *t)
{
    return (enum timeshare_kind)(__atomic_load_n(&t->setting, __ATOMIC_RELAXED) >> 8);
}

int timeshare_nice(const struct timeshare *t)
{
    return (int8_t)__atomic_load_n(&t->setting, __ATOMIC_RELAXED);
}

void timeshare_inherit(struct timeshare *child, const struct timeshare *parent)
{
    *child = (struct timeshare){.setting = __atomic_load_n(&parent->setting, __ATOMIC_RELAXED),
                                .level = parent->level, .usage = parent->usage};
}

// What `ran` counts at this nice value.
static uint64_t weigh(uint64_t ran, int nice)
{
    for (; nice > 0; nice--) {
        ran += ran / 4;
    }
    for (; nice < 0; nice++) {
        ran -= ran / 5;
    }
    return ran;
}

static uint64_t decay(uint64_t usage, unsigned load, unsigned intervals)
{
    for (unsigned i = 0; usage != 0 && i < intervals && i < DECAY_MOST; i++) {
        usage = usage * 2 * load / (2 * load + 1);
    }
    return intervals > DECAY_MOST * load ? 0 : usage;
}

// Five steps are a level; one that is begun counts for those who are nicer.
static int nice_levels(int nice)
{
    return nice > 0 ? (nice + NICE_PER_LEVEL - 1) / NICE_PER_LEVEL : nice / NICE_PER_LEVEL;
}

static uint32_t level_of(uint32_t usage, int nice)
{
    uint32_t used = usage / STEP;
    int level = (int)(used < USAGE_LEVELS ? used : USAGE_LEVELS) + nice_levels(nice);

    return level < 0 ? 0 : level < LAST ? (uint32_t)level : LAST - 1;
}

uint32_t timeshare_renew(struct timeshare *t, uint64_t ran, bool ready, unsigned load, unsigned intervals)
{
    enum timeshare_kind kind = timeshare_kind(t);
    int nice = timeshare_nice(t) + (kind == TIMESHARE_BATCH ? BATCH_NICE : 0);

    uint64_t usage = decay(t->usage, load, intervals) + weigh(ran < RAN_MOST ? ran : RAN_MOST, nice);
    t->usage = usage < USAGE_MOST ? (uint32_t)usage : USAGE_MOST;
    t->waited = ran != 0 || !ready ? 0 : t->waited + 1;
    t->level = t->waited >= TIMESHARE_AGING ? 0 : kind == TIMESHARE_IDLE ? LAST : level_of(t->usage, nice);
    return t->level;
}

uint32_t timeshare_priority(uint32_t level, uint32_t highest)
{
    uint32_t below = highest < LAST ? level * highest / LAST : level;

    return highest - below;
}
