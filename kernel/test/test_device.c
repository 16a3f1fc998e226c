// test_device.c - the drivers of the serial ports and the clock on the host machine.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "arch/host/host.h"

static uint64_t value;

static void *page(enum device d, unsigned number)
{
    return host_at(device_page(host_instance()->info->devices, d, number));
}

static int64_t call(uint32_t n, uint64_t number, uint64_t a)
{
    const uint64_t args[6] = {a};
    int64_t result = host_call(n, number, args, &value);
    host_check();
    return result;
}

static void map(enum device_place place, enum device d, unsigned number, uint64_t flags, oid_t receiver)
{
    const struct system_info *s = host_instance()->info;
    const uint64_t args[6] = {s->space, DEVICE_PLACE(place), device_page(s->devices, d, number), flags | MAP_LOCKED,
                              receiver};

    assert_int_equal(host_call(0, SYS_mapping_load, args, &value), ERR_OK);
}

// As lib/appkernel does it for the first kernel.
static void boot(uint32_t cpus, uint64_t memory, const char *cmdline)
{
    host_boot(cpus, memory, cmdline);
    oid_t thread = host_instance()->info->thread;
    for (enum device d = 0; d < DEVICES; d++) {
        map(PLACE_SEND + d, d, d == DEVICE_CLOCK ? 0 : 1, MAP_WRITE | MAP_MESSAGE, 0);
    }
    map(PLACE_SIGNALS, DEVICE_TERMINAL, 0, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, thread);
    map(PLACE_SIGNALS + 1, DEVICE_CLOCK, 1, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, thread);
}

static int64_t send(uint32_t n, enum device d, unsigned offset)
{
    return call(n, SYS_signal_at, DEVICE_PLACE(PLACE_SEND + d) + offset);
}

static va_t wait_for_signal(void)
{
    return call(0, SYS_wait, host.clock + 1) == ERR_OK ? value : 0;
}

// ---- ports --------------------------------------------------------------------------------------------------

static void test_output(void **state)
{
    (void)state;
    boot(1, 64 << 20, "");
    struct port_message *m = page(DEVICE_ERRORS, 1);
    memcpy(m[3].bytes, "hello", 5);
    m[3].length = 5;
    assert_int_equal(send(0, DEVICE_ERRORS, 3 * sizeof(*m)), ERR_OK);
    assert_int_equal(m[3].taken, 5);
    assert_string_equal(host.output, "hello");
    host.output_room = 3;
    assert_int_equal(send(0, DEVICE_ERRORS, 3 * sizeof(*m)), ERR_OK);
    assert_int_equal(m[3].taken, 2);
    assert_string_equal(host.output, "hellohe");
    m[3].length = PORT_BYTES + 1;
    assert_int_equal(send(0, DEVICE_ERRORS, 3 * sizeof(*m)), ERR_INVAL);
    assert_int_equal(send(0, DEVICE_ERRORS, 100), ERR_INVAL);
    assert_int_equal(m[3].taken, 2);
    host_shutdown();
}

static uint32_t read_all(uint8_t *to)
{
    struct port_input *p = page(DEVICE_TERMINAL, 0);
    uint32_t n = 0;

    for (; p->tail != p->head; p->tail++) {
        to[n++] = p->bytes[p->tail % PORT_RING];
    }
    return n;
}

// All of a long input arrives, in order, by interrupts and by the reader's asking for more; and each event that brings
// some is signalled with the address of the first byte.
static void test_input(void **state)
{
    enum { LENGTH = 3 * PORT_RING + 77 };
    static uint8_t text[LENGTH], got[LENGTH + PORT_RING];
    uint32_t n = 0;
    struct port_input *p;

    (void)state;
    boot(1, 64 << 20, "");
    p = page(DEVICE_TERMINAL, 0);
    for (unsigned i = 0; i < LENGTH; i++) {
        text[i] = (uint8_t)(i * 7 + i / 256);
    }
    host.input = text;
    host.input_length = LENGTH;
    host_interrupt(0, ARCH_IRQ_CONSOLE);
    assert_int_equal(wait_for_signal(), DEVICE_PLACE(PLACE_SIGNALS) + offsetof(struct port_input, bytes));
    assert_true(p->waiting == 1 && p->head != 0);
    for (unsigned round = 0; n < LENGTH && round < 1000; round++) {
        if (round % 23 > 12) {                                   // else let the ring fill
            n += read_all(got + n);
        }
        uint32_t before = p->head;
        assert_int_equal(send(0, DEVICE_TERMINAL, 0), ERR_OK);
        assert_true(p->head - p->tail <= PORT_RING);
        va_t expected = DEVICE_PLACE(PLACE_SIGNALS) + offsetof(struct port_input, bytes) + before % PORT_RING;
        assert_int_equal(wait_for_signal(), p->head == before ? 0 : expected);
    }
    assert_int_equal(n, LENGTH);
    assert_memory_equal(got, text, LENGTH);
    assert_int_equal(p->waiting, 0);
    host_shutdown();
}

// A reader that writes nonsense gets nothing, or garbage of his own; what the driver knows is right.
static void test_hostile_reader(void **state)
{
    static uint8_t text[64];
    struct port_input *p;

    (void)state;
    boot(1, 64 << 20, "");
    p = page(DEVICE_TERMINAL, 0);
    host.input = text;
    host.input_length = sizeof(text);
    p->tail = 12345;
    p->head = 99;
    host_interrupt(0, ARCH_IRQ_CONSOLE);
    assert_int_equal(host.input_length, sizeof(text));           // none was lost
    assert_int_equal(p->waiting, 1);
    p->tail = 0;
    assert_int_equal(send(0, DEVICE_TERMINAL, 0), ERR_OK);
    assert_int_equal(p->head, sizeof(text));
    assert_int_equal(host.input_length, 0);
    host_shutdown();
}

// ---- the clock ----------------------------------------------------------------------------------------------

static void set(uint64_t when, uint64_t period, err_t expected)
{
    struct clock_set *s = page(DEVICE_CLOCK, 0);

    *s = (struct clock_set){when, period};
    assert_int_equal(send(0, DEVICE_CLOCK, 0), expected);
}

static void pass(uint64_t ticks)
{
    host_advance(ticks);
    host_deliver_all();
    host_check();
}

static void test_alarm(void **state)
{
    struct clock_alarm *a;

    (void)state;
    boot(2, 64 << 20, "");
    a = page(DEVICE_CLOCK, 1);
    uint64_t start = host.clock, slice = host_instance()->slice;
    set(start + 100000, 0, ERR_OK);
    pass(50000);
    assert_int_equal(wait_for_signal(), 0);
    pass(50000);
    assert_int_equal(wait_for_signal(), DEVICE_PLACE(PLACE_SIGNALS + 1));
    assert_true(a->fired == 1 && a->due == start + 100000);
    pass(1 << 20);
    assert_int_equal(a->fired, 1);
    set(host.clock + 1, slice / 32 - 1, ERR_INVAL);
    set(0, slice, ERR_INVAL);
    set(host.clock, ~0ull, ERR_INVAL);                           // the sum would be before now, for ever
    set(host.clock, (1ull << 62) + 1, ERR_INVAL);
    set(host.clock, 1ull << 62, ERR_OK);
    pass(10);
    assert_int_equal(a->fired, 2);
    pass(1 << 20);
    assert_int_equal(a->fired, 2);
    set(0, 0, ERR_OK);
    assert_int_equal(send(0, DEVICE_CLOCK, 16), ERR_INVAL);
    assert_int_equal(host_instance()->devices.soonest, 0);
    host_shutdown();
}

static void test_periods(void **state)
{
    struct clock_alarm *a;

    (void)state;
    boot(2, 64 << 20, "");
    a = page(DEVICE_CLOCK, 1);
    uint64_t slice = host_instance()->slice, first = host.clock + 10;
    set(first, slice, ERR_OK);
    for (unsigned i = 0; i < 20; i++) {
        pass(first + i * slice + 1 - host.clock);
        assert_true(a->fired == 1 + i && a->due == first + i * slice);
    }
    pass(10 * slice + slice / 2);                                // it was late: the moments between are left out
    assert_true(a->fired == 21 && a->due == first + 20 * slice);
    pass(slice / 2);
    assert_true(a->fired == 22 && a->due == first + 30 * slice);
    set(0, 0, ERR_OK);
    pass(10 * slice);
    assert_int_equal(a->fired, 22);
    assert_int_equal(host_instance()->devices.soonest, 0);
    host_shutdown();
}

// More alarms at one moment than one interrupt lets ring: all ring.  The last one is nobody's (allocation.h).
static void test_many_alarms(void **state)
{
    (void)state;
    boot(1, 64 << 20, "");
    struct instance *in = host_instance();
    uint64_t when = host.clock + 1000;
    for (unsigned i = 1; i < CLOCK_ALARMS - 1; i++) {
        in->devices.alarm[i] = (struct clock_set){when + i % 3, 0};
    }
    set(when, 0, ERR_OK);
    pass(2000);
    for (unsigned i = 0; i < CLOCK_ALARMS - 1; i++) {
        host_deliver_all();
    }
    for (unsigned i = 0; i < CLOCK_ALARMS - 1; i++) {
        assert_int_equal(((struct clock_alarm *)page(DEVICE_CLOCK, 2 * i + 1))->fired, 1);
    }
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),   cmocka_unit_test(test_input),       cmocka_unit_test(test_hostile_reader),
        cmocka_unit_test(test_alarm),    cmocka_unit_test(test_periods),     cmocka_unit_test(test_many_alarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
