// grants.c - sees its share and its highest priority change, one after the other as args="SHARE/PRIORITY ... out" says;
// `out`: at last it is swapped out for a while.
//
// A share is what the supervisor shows for each processor; a priority is what a thread can be loaded with.  Nothing is
// said before all is over: whoever prints waits for the host, and what the policy says comes at its time.
#include "../harness.h"

enum { MOST = 16 };

static struct { uint32_t share, priority; bool came, may, more; } seen[MOST];

static struct test_thread probe;

static void probe_run(struct test_thread *t)
{
    (void)t;
    thread_end(5);
}

// Is this the highest priority that a thread of ours may have?
static bool loads_with(uint32_t priority)
{
    thread_make(&probe, NULL);
    thread_call(&probe, probe_run);
    probe.desc.priority = priority;
    err_t e = thread_start(&probe);
    while (e == ERR_OK && thread_loaded(&probe)) {
        (void)sys_wait(now() + machine->slice / 16);
    }
    thread_free(&probe);
    return e == ERR_OK;
}

// All processors have the same one; 101 if not.
static uint32_t share_now(void)
{
    const struct kernel_usage *usage = window(info->system + SYSTEM_USAGE_PAGE * ABI_PAGE);
    oid_t id = *(volatile const oid_t *)&info->kernel;
    const volatile struct kernel_usage *own = &usage[OID_SLOT(id) * machine->cpus];

    for (unsigned i = 1; i < machine->cpus; i++) {
        if (own[i].share != own[0].share) {
            return 101;
        }
    }
    return own[0].share;
}

static const char *words(void)
{
    const char *at = info->args;

    while (*at != '\0' && strncmp(at, "args=\"", 6) != 0) {
        at++;
    }
    return *at == '\0' ? at : at + 6;
}

static void look(unsigned i)
{
    seen[i].came = EVENTUALLY(share_now() == seen[i].share &&
                              *(volatile const uint32_t *)&info->limits.max_priority == seen[i].priority);
    seen[i].may = loads_with(seen[i].priority);
    seen[i].more = loads_with(seen[i].priority + 1);
}

static void tell(unsigned i)
{
    char name[80];

    base_format(name, sizeof(name), "a share of %u and priority %u", seen[i].share, seen[i].priority);
    check(seen[i].came, name, "it has not come");
    check(seen[i].may, "a thread may have this priority", "it is refused");
    check(!seen[i].more, "and no higher one", "it may");
}

enum { OUT_MS = 500 };

// The longest time without it, in ticks.
static uint64_t wait_out(void)
{
    oid_t id = info->kernel;
    uint64_t begin = now(), last = begin, longest = 0;

    while (*(volatile const oid_t *)&info->kernel == id && longest < milliseconds(OUT_MS) &&
           last < begin + milliseconds(60000)) {
        (void)sys_wait(now() + milliseconds(1));
        longest = now() - last > longest ? now() - last : longest;
        last = now();
    }
    return longest;
}

unsigned test_main(void)
{
    const char *at = words();
    uint64_t share, priority;
    unsigned n = 0;

    while (n < MOST && base_parse_number(&at, &share) && *at++ == '/' && base_parse_number(&at, &priority)) {
        seen[n].share = (uint32_t)share;
        seen[n].priority = (uint32_t)priority;
        look(n++);
        at += *at == ' ';
    }
    uint64_t longest = wait_out();
    for (unsigned i = 0; i < n; i++) {
        tell(i);
    }
    check(strncmp(at, "out\"", 4) == 0, "the words end", "at %s", at);
    check(longest >= milliseconds(OUT_MS), "it was out for 500 ms", "%lu ticks at most", (unsigned long)longest);
    return failures();
}
