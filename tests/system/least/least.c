// least.c - the minimum and the maximum of descriptors, beside a kernel that loads as much as it can.
//
// The policy says by `args` what a kernel does.  `least` loads no more than its minimum, of things that nobody uses:
// they would be the first victims.  It watches until hundreds of each type were written back, none of them its own.
// `most` loads more than its maximum: at no time are more loaded.  `thrash` loads on and on.
#include "../harness.h"

enum {
    SPACES = 2, THREADS = 3, MAPPINGS = 50,
    MOST_SPACES = 2, MOST_THREADS = 4, MOST_MAPPINGS = 64,
    OWN = 0x600000000000,
};

static struct test_space space[12];
static struct test_thread thread[16];
static struct channel *channel;
static uint64_t entries[OBJECT_MAPPING + 1];

static bool is_called(const char *name)
{
    size_t n = strlen(name);

    for (const char *at = info->args; *at != '\0'; at++) {
        if (strncmp(at, "args=\"", 6) == 0) {
            return strncmp(at + 6, name, n) == 0 && at[6 + n] == '"';
        }
    }
    return false;
}

static void read_channel(void)
{
    for (; channel->tail != __atomic_load_n(&channel->head, __ATOMIC_ACQUIRE);) {
        struct channel_entry e = channel->entry[channel->tail % CHANNEL_ENTRIES];
        __atomic_store_n(&channel->tail, channel->tail + 1, __ATOMIC_RELEASE);
        entries[e.type]++;
    }
}

static void sleeper(struct test_thread *t)
{
    (void)t;
    for (;;) {
        (void)sys_wait(0);
    }
}

// ---- loading ----------------------------------------------------------------------------------------------

static bool is_loaded(const struct test_space *s)
{
    return s->place != NULL && *(volatile uint32_t *)&s->place->loaded;
}

static unsigned spaces_loaded(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof(space) / sizeof(space[0]); i++) {
        count += is_loaded(&space[i]);
    }
    return count;
}

static unsigned threads_loaded(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof(thread) / sizeof(thread[0]); i++) {
        count += thread[i].state != NULL && thread_loaded(&thread[i]);
    }
    return count;
}

// Load each that is not; gives how many could not be.
static unsigned load_spaces(unsigned count)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < count; i++) {
        refused += !is_loaded(&space[i]) && space_open(&space[i], TRAP_FORWARD, 0) != ERR_OK;
        read_channel();
    }
    return refused;
}

static unsigned load_threads(unsigned count)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < count; i++) {
        struct test_thread *t = &thread[i];
        if (t->state == NULL) {
            thread_make(t, NULL);
            thread_call(t, sleeper);
        }
        refused += !thread_loaded(t) && thread_start(t) != ERR_OK;
        read_channel();
    }
    return refused;
}

// In its own space, which goes with nobody.
static unsigned load_mappings(unsigned count)
{
    struct test_space own = {.id = info->space};
    unsigned refused = 0;

    for (unsigned i = 0; i < count; i++) {
        pa_t page = info->range[0].base + i * (pa_t)ABI_PAGE;
        refused += map_page(&own, OWN + i * (va_t)ABI_PAGE, page, MAP_READ) != ERR_OK;
    }
    return refused;
}

static uint64_t unload_mappings(void)
{
    uint64_t count = 0;

    check_error(sys_mapping_unload(info->space, OWN, ABI_LARGE, &count), ERR_OK, "unload the mappings");
    return count;
}

// ---- the three --------------------------------------------------------------------------------------------

static bool pressed(const uint64_t before[])
{
    read_channel();
    return stats->writebacks[OBJECT_SPACE] >= before[OBJECT_SPACE] + 200 &&
           stats->writebacks[OBJECT_THREAD] >= before[OBJECT_THREAD] + 200 &&
           stats->writebacks[OBJECT_MAPPING] >= before[OBJECT_MAPPING] + 1000;
}

static void least(void)
{
    uint64_t before[OBJECT_MAPPING + 1], until;
    uint32_t lost = channel->lost;

    (void)EVENTUALLY(stats->loads[OBJECT_KERNEL] >= 4);
    CHECK(load_spaces(SPACES) + load_threads(THREADS) + load_mappings(MAPPINGS) == 0, "the minimum can be loaded");
    for (unsigned type = 0; type <= OBJECT_MAPPING; type++) {
        before[type] = stats->writebacks[type];
    }
    for (until = now() + milliseconds(60000); !pressed(before) && now() < until;) {
        (void)sys_wait(now() + milliseconds(1));
    }
    check(pressed(before), "others write back", "spaces %lu, threads %lu, mappings %lu",
          (unsigned long)(stats->writebacks[OBJECT_SPACE] - before[OBJECT_SPACE]),
          (unsigned long)(stats->writebacks[OBJECT_THREAD] - before[OBJECT_THREAD]),
          (unsigned long)(stats->writebacks[OBJECT_MAPPING] - before[OBJECT_MAPPING]));
    check(entries[OBJECT_SPACE] == 0 && spaces_loaded() == SPACES, "no space of its own", "%lu were",
          (unsigned long)entries[OBJECT_SPACE]);
    check(entries[OBJECT_THREAD] == 0 && threads_loaded() == THREADS, "no thread", "%lu were",
          (unsigned long)entries[OBJECT_THREAD]);
    uint64_t left = unload_mappings();
    check(entries[OBJECT_MAPPING] == 0 && left == MAPPINGS, "no mapping", "%lu were, %lu are left",
          (unsigned long)entries[OBJECT_MAPPING], (unsigned long)left);
    check(channel->lost == lost, "and the channel has lost nothing", "%u entries", channel->lost - lost);
}

static void most(void)
{
    unsigned refused = 0, spaces = 0, threads = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i <= 6; i++) {
            refused += load_spaces(i) + load_threads(i);
            spaces = spaces_loaded() > spaces ? spaces_loaded() : spaces;
            threads = threads_loaded() > threads ? threads_loaded() : threads;
        }
    }
    refused += load_mappings(200);
    uint64_t mappings = unload_mappings();
    check(refused == 0, "more than the maximum can be loaded, one after the other", "%u loads failed", refused);
    check(spaces <= MOST_SPACES && threads <= MOST_THREADS && mappings <= MOST_MAPPINGS, "no more at a time",
          "%u spaces, %u threads, %lu mappings", spaces, threads, (unsigned long)mappings);
}

static void thrash(void)
{
    unsigned refused = 0;

    while (refused == 0) {
        refused += load_spaces(sizeof(space) / sizeof(space[0])) + load_threads(sizeof(thread) / sizeof(thread[0])) +
                   load_mappings(400);
    }
    check(false, "the thrasher can always load", "%u loads failed", refused);
}

unsigned test_main(void)
{
    channel = window(info->channel);
    check_error(sys_listen(info->thread), ERR_OK, "listen");
    if (is_called("least")) {
        least();
    } else if (is_called("most")) {
        most();
    } else {
        thrash();
    }
    return failures();
}
