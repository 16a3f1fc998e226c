// messages.c - signal_at, signal_return, mappings with a receiver, deferred copies: good, bad, stale and hostile.
#include "calls.h"

enum { OUT = 0x610000000000, IN = 0x620000000000, COPY = 0x630000000000 };

static pa_t page, source;

static err_t receive(va_t va, uint64_t flags, oid_t receiver)
{
    return sys_mapping_load_signal(info->space, va, page, flags, receiver);
}

static void gone(va_t va)
{
    uint64_t count;
    check_error(sys_mapping_unload(info->space, va, ABI_PAGE, &count), ERR_OK, "unload it");
}

static void bad_receivers(void)
{
    struct test_space s = {0};
    struct test_thread t;

    check_error(receive(IN, MAP_READ, 0), ERR_STALE, "a receiver that is none");
    check_error(receive(IN, MAP_READ, ~0ull), ERR_STALE, "a receiver whose id is nonsense");
    check_error(receive(IN, MAP_READ, info->space), ERR_STALE, "a receiver that is a space");
    check_error(receive(IN, MAP_READ, machine->thread), ERR_DENIED, "srm's thread as a receiver");
    check_error(receive(IN, MAP_READ | MAP_LARGE, info->thread), ERR_INVAL, "a large message page");
    struct raw r = {SYS_mapping_load, info->space, IN, page, MAP_READ | MAP_SIGNAL, info->thread, 0, 0, 0};
    raw_call(&r);
    check_error((err_t)r.error, ERR_INVAL, "a receiver without message mode");
    check_error(space_open(&s, TRAP_FORWARD, 0), ERR_OK, "a space");
    thread_make(&t, &s);
    check_error(thread_start(&t), ERR_OK, "a thread");
    oid_t stale = t.id;
    (void)sys_thread_unload(stale, 0);               // or it has ended itself: it has no text
    check_error(receive(IN, MAP_READ, stale), ERR_STALE, "a receiver that is not loaded any more");
    thread_free(&t);
    space_close(&s);
}

static void bad_addresses(void)
{
    uint64_t count = 77;

    check_error(sys_signal_at(OUT, &count), (err_t)FAULTED, "signal_at: nothing is mapped");
    check_error(sys_signal_at(0, &count), (err_t)FAULTED, "signal_at: address 0");
    check_error(sys_signal_at(ABI_USER_END, &count), (err_t)FAULTED, "signal_at: the end of user space");
    check_error(sys_signal_at(0xffffffff80000000, &count), (err_t)FAULTED, "signal_at: the supervisor");
    check_error(sys_signal_at((va_t)window(page), &count), ERR_DENIED, "signal_at: not in message mode");
    check_error(receive(IN, MAP_READ, info->thread), ERR_OK, "a receiver");
    check_error(sys_signal_at(IN, &count), (err_t)FAULTED, "signal_at: message mode, not writable");
    gone(IN);
    check_error(sys_signal_return(), ERR_DEPTH, "signal_return: no signal function runs");
}

static void to_itself(void)
{
    uint64_t count = 0;
    va_t va = 0;

    check_error(receive(IN, MAP_READ, info->thread), ERR_OK, "a receiver");
    check_error(sys_mapping_load(info->space, OUT, page, MAP_WRITE | MAP_MESSAGE), ERR_OK, "a sender");
    check_error(sys_signal_at(OUT + 123, &count), ERR_OK, "signal_at");
    CHECK(count == 1, "one receiver");
    for (unsigned i = 0; i < 10 && va == 0; i++) {
        check_error(sys_wait_signal(now() + milliseconds(1000), &va), ERR_OK, "wait");
    }
    CHECK(va == IN + 123, "the address, translated");
    check_error(sys_signal_wait(OUT + 77, 0, &va), ERR_OK, "signal_wait, to itself");
    CHECK(va == IN + 77, "the wait ends with what it sent");
    gone(IN);
    check_error(sys_signal_wait(OUT, 0, &va), (err_t)FAULTED, "signal_wait: it cannot be sent");
    check_error(sys_signal_at(OUT, &count), (err_t)FAULTED, "the sender's mapping went with the receiver's");
}

static void copies(void)
{
    volatile uint64_t *at = (uint64_t *)COPY, *from = window(source), *to = window(page);
    uint64_t made = stats->copies;

    *from = 1111;
    *to = 2222;
    check_error(sys_mapping_load_copy(info->space, COPY, page, 0, source + 8), ERR_INVAL, "a misaligned source");
    check_error(sys_mapping_load_copy(info->space, COPY, page, 0, info->archive + (1ull << 40)), ERR_DENIED,
                "a foreign source");
    check_error(sys_mapping_load_copy(info->space, COPY, page, MAP_MESSAGE, source), ERR_INVAL,
                "a copy in message mode");
    check_error(sys_mapping_load_copy(info->space, COPY, page, 0, source), ERR_OK, "a deferred copy");
    CHECK(*at == 1111 && *to == 2222, "it reads as its source");
    at[1] = 3333;
    CHECK(*at == 1111 && to[0] == 1111 && to[1] == 3333 && from[1] != 3333, "a write makes the copy");
    CHECK(stats->copies == made + 1, "once");
    gone(COPY);
}

void test_messages(void)
{
    page = page_take();
    source = page_take();
    bad_receivers();
    bad_addresses();
    to_itself();
    copies();
    page_give(page);
    page_give(source);
}
