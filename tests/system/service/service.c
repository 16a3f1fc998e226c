// service.c - a kernel that calls srm: what it is answered, memory that grows and shrinks, and nobody can stall it.
//
// Beside it runs service_hostile, which misuses the same service; its value is looked at in the end.
#include "client.h"
#include "multicast.h"

enum { CALLS = 300, UNITS = 8, HOSTILE_GOOD = 77, PATIENCE = 60000 };        // PATIENCE: milliseconds
static const va_t elsewhere = 0x200000000000;

static uint64_t account;

static void check_answer(uint32_t got, uint32_t expected, const char *name)
{
    check(got == expected, name, "the answer is \"%s\"", rpc_error_text(got));
}

// ---- binding, status ----------------------------------------------------------------------------------------

static struct account_status_out status(void)
{
    struct account_status_out s = {0};

    uint32_t e = account_status(&srm_client, account, &s);
    if (e != ERR_OK) {
        check_answer(e, ERR_OK, "status");
    }
    return s;
}

static void binding(void)
{
    uint64_t none = 1;

    check_answer(rpc_bind(&srm_client, ACCOUNT_SIGNATURE + 1, &none), RPC_VERSION, "another version is refused");
    check_answer(rpc_bind(&srm_client, ACCOUNT_SIGNATURE, &account), ERR_OK, "bind");
    check_answer(account_null(&srm_client, account + (1ull << 16)), ERR_STALE, "an object that never was");
    struct account_status_out s = status();
    check(s.units == 4 && s.granted == 0 && s.most == 12 && s.priority == 16 && s.priority_most == 16 &&
          s.share_most == 80 && s.share_count == machine->cpus && s.share[0] == 80,
          "status says what the policy says", "units %lu granted %lu most %lu share %u", (unsigned long)s.units,
          (unsigned long)s.granted, (unsigned long)s.most, s.share[0]);
}

// ---- memory -------------------------------------------------------------------------------------------------

static uint64_t sum_of(pa_t base, uint64_t length)
{
    uint64_t sum = 0;

    for (uint64_t at = 0; at < length; at += 8) {
        sum |= *(volatile uint64_t *)window(base + at);
    }
    return sum;
}

static bool more(uint32_t units, struct account_more_out *m)
{
    uint64_t until = now() + milliseconds(PATIENCE);
    uint32_t e;

    while ((e = account_more(&srm_client, account, &(struct account_more_in){units}, m)) == ERR_AGAIN &&
           now() < until) {
        sleep_for(machine->slice);
    }
    if (e != ERR_OK) {
        check_answer(e, ERR_OK, "more memory");
    }
    return e == ERR_OK;
}

// srm answers AGAIN while this kernel is being written back, or loaded again: with two kernels that is often.
static uint32_t give(oid_t grant)
{
    uint64_t until = now() + milliseconds(PATIENCE);
    uint32_t e;

    while ((e = grant_give(&srm_client, grant)) == ERR_AGAIN && now() < until) {
        sleep_for(machine->slice);
    }
    return e;
}

static void refused(void)
{
    struct account_more_out m;

    check_answer(account_more(&srm_client, account, &(struct account_more_in){0}, &m), ERR_INVAL, "no memory at all");
    check_answer(account_more(&srm_client, account, &(struct account_more_in){9}, &m), ERR_INVAL, "too much at once");
}

// The kernel may be written back and loaded again at any moment when the caches are tiny: its ids change then.
static oid_t own_space(void)
{
    return *(volatile const oid_t *)&info->space;
}

static err_t map_here(pa_t page, uint64_t flags)
{
    err_t e;

    while ((e = sys_mapping_load(own_space(), elsewhere, page, flags)) == ERR_STALE || e == ERR_AGAIN) {
        sleep_for(machine->slice / 4);
    }
    return e;
}

static void use(const struct account_more_out *m)
{
    pa_t page = m->base + m->length - ABI_PAGE;

    check(m->base % ABI_LARGE == 0 && m->length == UNITS * (uint64_t)ABI_LARGE && sum_of(m->base, m->length) == 0,
          "it is whole units, and cleared", "base 0x%lx length 0x%lx", (unsigned long)m->base,
          (unsigned long)m->length);
    memset(window(m->base), 0xa5, m->length);
    check_error(map_here(page, MAP_READ | MAP_WRITE), ERR_OK, "a page of it can be mapped");
    check(machine->kernels == 2 || *(volatile uint64_t *)elsewhere == 0xa5a5a5a5a5a5a5a5, "and is that page",
          "it reads differently");
}

static void gone(const struct account_more_out *m)
{
    uint64_t at = (uint64_t)window(m->base);

    check_error(map_here(m->base, MAP_READ), ERR_DENIED, "no page of it can be mapped any more");
    check(raw(SYS_space_load, at, 0, 0, 0) == (err_t)FAULTED, "the window shows it no more", "it does");
    check(raw(SYS_space_load, elsewhere, 0, 0, 0) == (err_t)FAULTED, "nor does a mapping of before",
          "it does");
}

static void memory(void)
{
    struct account_more_out m = {0}, again = {0};
    struct grant_where_out where = {0};

    refused();
    if (!more(UNITS, &m)) {
        return;
    }
    use(&m);
    check_answer(account_more(&srm_client, account, &(struct account_more_in){1}, &again), ERR_LIMIT,
                 "no more than the policy allows");
    check_answer(grant_where(&srm_client, m.grant, &where), ERR_OK, "a grant can be asked");
    check(where.base == m.base && where.length == m.length, "and says where it is", "0x%lx", (unsigned long)where.base);
    check(status().granted == UNITS, "status counts it", "%lu", (unsigned long)status().granted);
    check_answer(give(m.grant), ERR_OK, "give it back");
    gone(&m);
    check_answer(give(m.grant), ERR_STALE, "a grant ends once");
    check(status().granted == 0, "status counts it no more", "%lu", (unsigned long)status().granted);
    for (unsigned i = 0; i < 20 && more(UNITS, &again); i++) {           // what comes back is cleared
        uint64_t sum = sum_of(again.base, again.length);
        uint32_t e = give(again.grant);
        if (sum != 0 || e != ERR_OK) {
            check(false, "again and again", "time %u: the sum of it is %lu, giving it back answers %u", i,
                  (unsigned long)sum, e);
            break;
        }
    }
}

// ---- processors ---------------------------------------------------------------------------------------------

static uint32_t share_now(void)
{
    const struct kernel_usage *u = window(info->system + SYSTEM_USAGE_PAGE * ABI_PAGE);
    oid_t kernel = *(volatile const oid_t *)&info->kernel;

    return ((volatile const struct kernel_usage *)u)[OID_SLOT(kernel) * machine->cpus].share;
}

static void processors(void)
{
    struct test_thread t;
    err_t e;

    check_answer(account_share(&srm_client, account, &(struct account_share_in){0, 81}), ERR_DENIED,
                 "too large a share");
    check_answer(account_share(&srm_client, account, &(struct account_share_in){machine->cpus, 1}), ERR_INVAL,
                 "no such processor");
    check_answer(account_share(&srm_client, account, &(struct account_share_in){0, 50}), ERR_OK, "a smaller share");
    check(share_now() == 50 && status().share[0] == 50, "it is in force", "%u", share_now());
    check_answer(account_priority(&srm_client, account, &(struct account_priority_in){17}), ERR_DENIED,
                 "too high a priority");
    check_answer(account_priority(&srm_client, account, &(struct account_priority_in){9}), ERR_OK, "a lower priority");
    thread_make(&t, NULL);
    t.desc.priority = 10;
    while ((e = thread_start(&t)) == ERR_STALE) {
        t.desc.space = own_space();
    }
    check_error(e, ERR_LIMIT, "it is in force too");
    thread_free(&t);
    check_answer(account_priority(&srm_client, account, &(struct account_priority_in){16}), ERR_OK,
                 "the old one again");
}

// ---- beside the hostile kernel ------------------------------------------------------------------------------

static uint64_t made, bad, longest;

static void calls(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        uint64_t begin = now();
        bad += account_null(&srm_client, account) != ERR_OK;
        longest = now() - begin > longest ? now() - begin : longest;
    }
    made += CALLS;
}

static bool hostile_ended(struct account_kernel_out *k)
{
    calls();
    return account_kernel(&srm_client, account, &(struct account_kernel_in){0}, k) == ERR_OK && k->state == 2;
}

static void others(void)
{
    struct account_kernel_out k = {.state = 0};
    uint64_t until = now() + milliseconds(60000);

    while (!hostile_ended(&k) && now() < until) {
        sleep_for(milliseconds(20));
    }
    check(bad == 0, "every call is answered", "%lu of %lu are not", (unsigned long)bad, (unsigned long)made);
    note("%lu calls, the longest took %lu us", (unsigned long)made,
         (unsigned long)(longest / (machine->tsc_hz / 1000000)));
    check(k.state == 2 && k.value == HOSTILE_GOOD && strcmp(k.name, "service_hostile") == 0,
          "the hostile kernel did all that it wanted, and ended", "state %u value %lu name %s", k.state,
          (unsigned long)k.value, k.name);
    check_answer(account_kernel(&srm_client, account, &(struct account_kernel_in){2}, &k), ERR_INVAL,
                 "no third kernel");
}

unsigned test_main(void)
{
    client_open();
    binding();
    memory();
    processors();
    if (machine->mappings > 1000) {              // they stay loaded
        multicast();
    }
    others();
    memory();
    return failures();
}
