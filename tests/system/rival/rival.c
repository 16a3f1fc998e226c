// rival.c - a kernel that is after the descriptors and the memory of the others.
//
// Ids are slots and generations, so they can be guessed: it tries every slot with many generations in every
// call. What exists must answer `denied`, and what does not `stale`.  Then it tries to map all physical
// memory. The other kernel, victim, keeps running and checks that nothing of its own has changed.
#include "../harness.h"

enum { GENERATIONS = 64, OWN = 0x600000000000 };

static struct tally {
    uint64_t stale, denied, other;
} tally;

static void count(err_t e)
{
    tally.stale += e == ERR_STALE;
    tally.denied += e == ERR_DENIED;
    tally.other += e != ERR_STALE && e != ERR_DENIED;
}

static void tally_check(const char *name, unsigned least)
{
    check(tally.other == 0, name, "%lu calls were neither denied nor stale", (unsigned long)tally.other);
    if (tally.denied < least) {
        check(false, name, "only %lu calls met an object of somebody else's", (unsigned long)tally.denied);
    }
    tally = (struct tally){0};
}

static void try_space(oid_t id, pa_t page)
{
    struct map_entry entry = {OWN, page, MAP_READ | MAP_WRITE};
    struct thread_desc d = {.space = id, .priority = 1, .state = page, .state_va = ABI_WINDOW + page,
                            .xstack = ABI_WINDOW + page + ABI_PAGE};
    uint64_t n;

    if (id == info->space) {
        return;
    }
    count(sys_mapping_load(id, OWN, page, MAP_READ));
    count(sys_mapping_load(id, ABI_WINDOW, page, MAP_READ | MAP_WRITE | MAP_LOCKED));
    count(sys_mapping_load_batch(id, &entry, 1, &n));
    count(sys_mapping_unload(id, 0, ABI_USER_END, &n));
    count(sys_mapping_protect(id, 0, ABI_USER_END, MAP_READ, &n));
    count(sys_space_unload(id));
    if (id != 0) {                       // 0 would be no space at all
        count(sys_thread_load(&d, &n));
    }
}

static void try_thread(oid_t id)
{
    if (id == info->thread || id == 0) {
        return;
    }
    count(sys_thread_unload(id, 1));
    count(sys_thread_priority(id, 0));
    count(sys_signal(id));
    count(sys_listen(id));
}

static void guess_all(pa_t page)
{
    for (uint64_t slot = 0; slot < machine->spaces; slot++) {
        for (uint64_t g = 0; g < GENERATIONS; g++) {
            try_space(g << 16 | slot, page);
        }
    }
    tally_check("no call touches a foreign space", 7);
    for (uint64_t slot = 0; slot < machine->threads; slot++) {
        for (uint64_t g = 0; g < GENERATIONS; g++) {
            try_thread(g << 16 | slot);
        }
    }
    tally_check("no call touches a foreign thread", 4);
}

static bool is_ours(pa_t pa)
{
    for (unsigned i = 0; i < info->ranges; i++) {
        if (pa >= info->range[i].base && pa < info->range[i].base + info->range[i].length) {
            return true;
        }
    }
    return false;
}

// Its image is its own too, and not in its ranges: such units are few.
static void map_everything(void)
{
    pa_t end = 0;
    unsigned own = 0;

    for (unsigned i = 0; i < machine->ranges; i++) {
        pa_t e = machine->range[i].base + machine->range[i].length;
        end = e > end ? e : end;
    }
    for (pa_t pa = 0; pa < end + 4 * ABI_LARGE; pa += ABI_PAGE) {
        if (pa % ABI_GROUP != 0 && pa > 4 * ABI_LARGE) {
            continue;                    // one frame of each group is enough
        }
        uint64_t n;
        err_t e = sys_mapping_load(info->space, OWN, pa, MAP_READ | MAP_WRITE);
        if (e == ERR_OK) {
            own += !is_ours(pa);
            check_error(sys_mapping_unload(info->space, OWN, ABI_PAGE, &n), ERR_OK, "unload");
        } else if (e != ERR_DENIED) {
            check(false, "memory of others", "%lx: %s", (unsigned long)pa, error_name(e));
        }
    }
    check(own <= 2 * ABI_LARGE / ABI_GROUP, "memory of others cannot be written", "%u groups can", own);
    static const pa_t device[] = {0xfee00000, 0xfec00000, 0xfed00000, 0xb0000000,
                                  0xe0000000, 0xa0000,    0xf0000};
    for (unsigned i = 0; i < sizeof(device) / sizeof(device[0]); i++) {
        check_error(sys_mapping_load(info->space, OWN, device[i], MAP_READ), ERR_DENIED,
                    "a device cannot be mapped");
    }
}

// A thread whose handlers would be another kernel's, and places in other kernels' memory.
static void places(void)
{
    const struct memory_range *r = &machine->range[0];
    unsigned wrong = 0;

    for (unsigned i = 0; i < machine->ranges; i++, r++) {
        for (pa_t pa = r->base; pa < r->base + r->length; pa += ABI_GROUP) {
            pa_t end = pa + ABI_GROUP;                       // where nothing of its own image is
            struct space_desc s = {.place = end - sizeof(struct place)};
            struct thread_desc t = {.space = info->space, .state = end - ABI_PAGE, .state_va = 0x1000,
                                    .xstack = 0x1000};
            oid_t id;
            if (is_ours(pa)) {
                continue;
            }
            err_t e = sys_space_load(&s, &id);
            if (e == ERR_OK) {
                (void)sys_space_unload(id);              // its own image
            }
            wrong += e != ERR_DENIED && e != ERR_OK;
            e = sys_thread_load(&t, &id);
            if (e == ERR_OK) {
                (void)sys_thread_unload(id, 0);
            }
            wrong += e != ERR_DENIED && e != ERR_OK && e != ERR_INVAL;
        }
    }
    check(wrong == 0, "no place in memory of others", "%u answers", wrong);
}

unsigned test_main(void)
{
    pa_t page = page_take();

    for (unsigned round = 0; round < 3; round++) {
        guess_all(page);
        map_everything();
    }
    places();
    sleep_for(milliseconds(400));        // the other has time to end
    return failures();
}
