// unloading.c - kernel_unload, and the replacement of whole kernels.
#include "first.h"

enum { MOST = 24 };

static struct channel *channel;

static bool take_entry(uint32_t type, oid_t id, struct channel_entry *out)
{
    bool found = false;

    for (; channel->tail != __atomic_load_n(&channel->head, __ATOMIC_ACQUIRE); channel->tail++) {
        struct channel_entry e = channel->entry[channel->tail % CHANNEL_ENTRIES];
        if (e.type == type && e.id == id) {
            *out = e;
            found = true;
        }
    }
    return found;
}

static void bad_ids(void)
{
    check_error(sys_kernel_unload(0), ERR_STALE, "kernel_unload: no kernel");
    check_error(sys_kernel_unload(~0ull), ERR_STALE, "kernel_unload: all ones");
    check_error(sys_kernel_unload(info->kernel + (1ull << 30)), ERR_STALE,
                "kernel_unload: a wrong generation");
    check_error(sys_kernel_unload(info->kernel), ERR_DENIED, "kernel_unload: itself");
    check_error(sys_space_unload(info->space), ERR_DENIED, "space_unload: its own");
}

// A kernel with threads that run, in its own space, goes with all that depends on it.
static void with_dependents(void)
{
    struct child c;
    struct test_thread t[3];
    struct channel_entry e = {0};

    child_make(&c);
    memcpy(window(c.text), program_spin, (size_t)(program_spin_end - program_spin));
    check_error(child_load(&c), ERR_OK, "kernel_load");
    for (unsigned i = 0; i < 3; i++) {
        thread_make(&t[i], &c.space);
        check_error(thread_start(&t[i]), ERR_OK, "a thread of it that runs for ever");
    }
    sleep_for(2 * machine->slice);
    check_error(sys_kernel_unload(c.kernel), ERR_OK, "kernel_unload");
    CHECK(c.place->loaded == 0 && c.place->reason == REASON_UNLOADED, "its place says so");
    CHECK(c.space.place->loaded == 0, "its space has gone with it");
    CHECK(take_entry(OBJECT_KERNEL, c.kernel, &e) && e.cookie == (uint64_t)&c, "the channel says so");
    for (unsigned i = 0; i < 3; i++) {
        CHECK(!thread_loaded(&t[i]) && t[i].state->frame[0].rip >= TEXT &&
                  t[i].state->frame[0].rip < TEXT + 8,
              "its thread has gone too, with its registers");
        thread_free(&t[i]);
    }
    check_error(sys_kernel_unload(c.kernel), ERR_STALE, "kernel_unload again");
    child_free(&c);
}

// Its space unloaded by the first kernel: the kernel goes with it.
static void by_its_space(void)
{
    struct child c;

    child_make(&c);
    check_error(child_load(&c), ERR_OK, "kernel_load");
    check_error(sys_space_unload(c.space.id), ERR_OK, "space_unload of a kernel's own space");
    CHECK(c.place->loaded == 0, "the kernel has gone with it");
    check_error(sys_kernel_unload(c.kernel), ERR_STALE, "kernel_unload");
    child_free(&c);
}

// More kernels than there are slots, again and again.
static void replacement(void)
{
    static struct child c[MOST];
    unsigned count = machine->kernels + 3 < MOST ? machine->kernels + 3 : MOST;
    unsigned evicted = 0, wrong = 0;

    for (unsigned i = 0; i < count; i++) {
        struct channel_entry e;
        child_make(&c[i]);
        err_t error = child_load(&c[i]);
        if (error != ERR_OK && error != ERR_STALE) {
            check_error(error, ERR_OK, "more kernels than there are slots");
        }
        (void)take_entry(0, 0, &e);
    }
    for (unsigned i = 0; i < count; i++) {
        evicted += c[i].place->loaded == 0;
        wrong += c[i].place->loaded == 0 &&
                 (c[i].space.place->loaded != 0 || c[i].place->reason != REASON_EVICTED);
        wrong += c[i].place->loaded != 0 && c[i].space.place->loaded == 0;
    }
    check(evicted >= 3, "kernels: some were written back", "%u", evicted);
    check(wrong == 0, "kernels: each with its space", "%u were not", wrong);
    for (unsigned i = 0; i < count; i++) {
        child_free(&c[i]);
    }
}

void test_unloading(void)
{
    channel = window(info->channel);
    bad_ids();
    for (unsigned i = 0; i < 5; i++) {
        with_dependents();
    }
    by_its_space();
    replacement();
}
