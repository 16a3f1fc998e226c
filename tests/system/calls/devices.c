// devices.c - the serial ports and the clock as message pages: good, bad and hostile.
#include "calls.h"

enum { NOWHERE = 0x640000000000 };

static struct port_message *message(enum device port, unsigned i)
{
    return (struct port_message *)DEVICE_PLACE(PLACE_SEND + port) + i;
}

static void bad_messages(void)
{
    struct port_message *m = message(DEVICE_ERRORS, 5);
    uint64_t n = 0;

    m->length = 0;
    m->taken = 77;
    check_error(sys_signal_at((va_t)m, &n), ERR_OK, "a message of no bytes");
    CHECK(n == 1 && m->taken == 0, "is received, and nothing is taken");
    m->taken = 77;
    m->length = PORT_BYTES + 1;
    check_error(sys_signal_at((va_t)m, &n), ERR_INVAL, "a message that is too long");
    m->length = ~0u;
    check_error(sys_signal_at((va_t)m, &n), ERR_INVAL, "a message of 4 GiB");
    CHECK(m->taken == 77, "nothing was taken of either");
    m->length = 0;
    check_error(sys_signal_at((va_t)m + 1, &n), ERR_INVAL, "a message that begins at an odd address");
    check_error(sys_signal_at(DEVICE_PLACE(PLACE_INPUT), &n), ERR_DENIED, "the input page is not in message mode");
    check_error(sys_signal_at(DEVICE_PLACE(PLACE_SIGNALS), &n), (err_t)FAULTED, "the page of its signals is read-only");
    pa_t log = device_page(machine->devices, DEVICE_LOG, 2);
    check_error(sys_mapping_load(info->space, NOWHERE, log, MAP_READ), ERR_DENIED,
                "a device's page is mapped by nobody but the first kernel");
}

static void output(void)
{
    static const char text[] = "the error stream\n";
    uint64_t n = 99;

    check_error(device_write(info, DEVICE_CLOCK, text, 1, &n), ERR_INVAL, "device_write: not a port");
    check_error(device_write(info, DEVICE_ERRORS, text, 0, &n), ERR_OK, "device_write: nothing");
    CHECK(n == 0, "nothing was taken");
    for (unsigned i = 1; i < PORT_MESSAGES; i++) {
        message(DEVICE_ERRORS, i)->claimed = 1;
    }
    check_error(device_write(info, DEVICE_ERRORS, text, 1, &n), ERR_OK, "all messages are claimed");
    CHECK(n == 0, "nothing was taken");
    for (unsigned i = 1; i < PORT_MESSAGES; i++) {
        message(DEVICE_ERRORS, i)->claimed = 0;
    }
    for (size_t length = sizeof(text) - 1, done = 0; done < length; done += n) {
        check_error(device_write(info, DEVICE_ERRORS, text + done, length - done, &n), ERR_OK, "device_write");
    }
    CHECK(message(DEVICE_ERRORS, 1)->claimed == 0, "the message is free again");
}

// What somebody who shares the page writes there hurts only himself.
static void hostile_input(void)
{
    struct port_input *p = (struct port_input *)DEVICE_PLACE(PLACE_INPUT);
    static uint8_t bytes[8];
    uint64_t n = 99;
    uint32_t tail = p->tail;

    p->tail = tail - 12345;
    p->head = 99;
    check_error(sys_signal_at((va_t)message(DEVICE_TERMINAL, 0), &n), ERR_OK, "a reader that says nonsense");
    CHECK(p->waiting <= 1, "is not believed");
    p->tail = p->head = tail;
    check_error(device_read(info, bytes, sizeof(bytes), &n), ERR_OK, "device_read");
    CHECK(n == 0, "nothing was there");
    CHECK(!device_ready(info), "and nothing is to come");
}

static const struct clock_alarm *alarm(void)
{
    return (const struct clock_alarm *)DEVICE_PLACE(PLACE_ALARM);
}

static uint64_t fired(void)
{
    return __atomic_load_n(&alarm()->fired, __ATOMIC_ACQUIRE);
}

// Wait until the clock has rung `count` times since it had rung `before` times; true if a signal said so each time.
static bool rings(uint64_t before, uint64_t count)
{
    va_t expected = DEVICE_PLACE(PLACE_SIGNALS + 1), va = 0;
    uint64_t signals = 0;

    while (fired() - before < count || signals < count) {
        if (sys_wait_signal(0, &va) == ERR_OK && va != 0) {
            if (va != expected) {
                return false;
            }
            signals++;
        }
    }
    return true;
}

static void the_clock(void)
{
    uint64_t before = fired(), when = now() + milliseconds(3), n;

    check_error(device_alarm(info, when, 0), ERR_OK, "an alarm");
    CHECK(rings(before, 1), "the first thread is signalled");
    CHECK(now() >= when, "not too early");
    CHECK(alarm()->due == when, "the page says for when it was set");
    check_error(device_alarm(info, now() + milliseconds(1), milliseconds(1)), ERR_OK, "an alarm that repeats");
    before = fired();
    CHECK(rings(before, 5), "rings again and again");
    check_error(device_alarm(info, 0, 0), ERR_OK, "no alarm");
    before = fired();
    (void)sys_wait(now() + milliseconds(5));
    CHECK(fired() == before, "is silence");
    check_error(device_alarm(info, now() - 1000, 0), ERR_OK, "an alarm in the past");
    CHECK(rings(before, 1), "rings at once");
    check_error(device_alarm(info, now() + milliseconds(1), 1), ERR_INVAL, "a period of one tick");
    check_error(device_alarm(info, 0, milliseconds(1)), ERR_INVAL, "a period without a beginning");
    check_error(device_alarm(info, now(), ~0ull), ERR_INVAL, "a period for ever");
    check_error(device_alarm(info, ~0ull, 0), ERR_OK, "an alarm at the end of time");
    check_error(device_alarm(info, 0, 0), ERR_OK, "and none");
    check_error(sys_signal_at(DEVICE_PLACE(PLACE_SEND + DEVICE_CLOCK) + 8, &n), ERR_INVAL, "elsewhere in its page");
}

void test_devices(void)
{
    bad_messages();
    output();
    hostile_input();
    the_clock();
}
