// clock.c - how fast the clock and the APIC's timer run, and what time it was when the clock read 0.
//
// The clock is the processor's time-stamp counter.  Both rates are measured once against a counter of known
// rate: HPET, else ACPI's power-management timer, else the old interval timer.  Under emulation any two
// readings can be far apart, so of several tries the closest pair counts.
#include "arch_impl.h"

enum { MEASURE_US = 4000, PAIRS = 8, SPIN = 2000 };

// ---- counters of known rate -------------------------------------------------------------------------------

struct reference {
    uint64_t (*read)(void);
    uint64_t hz;
    uint64_t mask;
};

enum { HPET_PERIOD = 4, HPET_CONFIGURATION = 0x10, HPET_COUNTER = 0xf0 };

static volatile uint32_t *hpet_at(uint32_t offset)
{
    return chip_at(CHIP_HPET, (uint32_t)(machine.acpi.hpet & (ABI_PAGE - 1)) + offset);
}

static uint64_t hpet_read(void)
{
    return *hpet_at(HPET_COUNTER);
}

static uint64_t pm_timer_read(void)
{
    return port_read32(machine.acpi.pm_timer);
}

enum { PIT_CHANNEL_0 = 0x40, PIT_CHANNEL_2 = 0x42, PIT_COMMAND = 0x43, PIT_GATE = 0x61 };

static uint64_t pit_read(void)
{
    port_write8(PIT_COMMAND, 0x80);                // latch channel 2
    uint32_t low = port_read8(PIT_CHANNEL_2);
    return 0xffff - (low | (uint32_t)port_read8(PIT_CHANNEL_2) << 8);
}

static void reference_find(struct reference *r)
{
    uint32_t period = machine.acpi.hpet != 0 ? *hpet_at(HPET_PERIOD) : 0;      // in femtoseconds

    if (period >= 1000 && period <= 100000000) {
        *hpet_at(HPET_CONFIGURATION) |= 1;
        *r = (struct reference){hpet_read, 1000000000000000ull / period, 0xffffffff};
    } else if (machine.acpi.pm_timer != 0) {
        *r = (struct reference){pm_timer_read, 3579545, machine.acpi.pm_timer_32 ? 0xffffffff : 0xffffff};
    } else {
        port_write8(PIT_GATE, (port_read8(PIT_GATE) & ~2u) | 1);               // gate on, speaker off
        port_write8(PIT_COMMAND, 0xb0);            // channel 2, both bytes, count down once
        port_write8(PIT_CHANNEL_2, 0xff);
        port_write8(PIT_CHANNEL_2, 0xff);
        *r = (struct reference){pit_read, 1193182, 0xffff};
    }
}

// ---- measuring --------------------------------------------------------------------------------------------

struct reading {
    uint64_t reference, tsc;
    uint32_t apic;
};

static struct reading reading_take(const struct reference *r)
{
    struct reading best = {0};
    uint64_t closest = UINT64_MAX;

    for (uint32_t i = 0; i < PAIRS; i++) {
        uint64_t before = arch_now();
        uint64_t reference = r->read();
        uint32_t apic = apic_timer_count();
        uint64_t after = arch_now();
        if (after - before < closest) {
            closest = after - before;
            best = (struct reading){reference, before + (after - before) / 2, apic};
        }
    }
    return best;
}

// Reading a device is slow under emulation, and slower when instructions are counted: look rarely.
static void spin(void)
{
    for (uint32_t i = 0; i < SPIN; i++) {
        __asm__ volatile("");
    }
}

void clock_calibrate(void)
{
    struct reference r;

    apic_timer_free_run();
    reference_find(&r);
    struct reading a = reading_take(&r);
    uint64_t wanted = r.hz * MEASURE_US / 1000000, begin = arch_now();
    while (((r.read() - a.reference) & r.mask) < wanted) {
        spin();
        if (arch_now() - begin > 1ull << 36) {     // half a minute at least
            boot_refuse("the clock of reference stands still");
        }
    }
    struct reading b = reading_take(&r);
    uint64_t elapsed = (b.reference - a.reference) & r.mask;
    machine.info.tsc_hz = (b.tsc - a.tsc) * r.hz / elapsed;
    uint64_t apic_hz = (uint64_t)(a.apic - b.apic) * r.hz / elapsed;
    if (machine.info.tsc_hz < 1000000 || apic_hz < 1000000) {
        boot_refuse("the clock or the timer stands still");
    }
    machine.apic_factor = (apic_hz << 32) / machine.info.tsc_hz;
    apic_init();
}

// Pulses of channel 0, whose line is masked: it falls at one tick of the old interval timer and rises at the next.
void arch_turns(void)
{
    port_write8(PIT_COMMAND, 0x34);                // channel 0, both bytes, a pulse for each so many ticks
    port_write8(PIT_CHANNEL_0, 2);
    port_write8(PIT_CHANNEL_0, 0);
}

void clock_delay(uint64_t microseconds)
{
    uint64_t begin = arch_now(), ticks = machine.info.tsc_hz * microseconds / 1000000;

    while (arch_now() - begin < ticks) {
        arch_relax();
    }
}

// ---- wall clock -------------------------------------------------------------------------------------------

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71, CMOS_TRIES = 100 };
enum cmos_register {
    SECONDS = 0, MINUTES = 2, HOURS = 4, DAY = 7, MONTH = 8, YEAR = 9, STATUS_A = 10, STATUS_B = 11,
};
enum { UPDATING = 0x80, BINARY = 4, HOURS_24 = 2, AFTERNOON = 0x80 };

struct date {                                  // bytes, so that two can be compared at once
    uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t cmos_read(uint8_t r)
{
    port_write8(CMOS_INDEX, r);
    return port_read8(CMOS_DATA);
}

static struct date date_read(void)
{
    for (uint32_t i = 0; i < CMOS_TRIES && (cmos_read(STATUS_A) & UPDATING); i++) {
        clock_delay(50);                           // an update takes 2 ms at most
    }
    return (struct date){
        cmos_read(SECONDS), cmos_read(MINUTES), cmos_read(HOURS), cmos_read(DAY), cmos_read(MONTH),
        cmos_read(YEAR), machine.acpi.century != 0 ? cmos_read(machine.acpi.century) : 0,
    };
}

static uint32_t number_of(uint8_t v, uint8_t mode)
{
    return mode & BINARY ? v : (v >> 4) * 10u + (v & 15);
}

// Days from 1970-01-01 to a date of the Gregorian calendar; years begin in March here, so that leap days
// end them.
static uint64_t days_to(uint64_t year, uint64_t month, uint64_t day)
{
    uint64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

void clock_wall_read(void)
{
    struct date d = date_read(), again = date_read();

    for (uint32_t i = 0; i < CMOS_TRIES && memcmp(&d, &again, sizeof(d)) != 0; i++) {
        d = again;
        again = date_read();
    }
    uint64_t now = arch_now();
    uint8_t mode = cmos_read(STATUS_B);
    uint32_t hour = number_of(mode & HOURS_24 ? d.hour : d.hour & (uint8_t)~AFTERNOON, mode);
    if (!(mode & HOURS_24)) {
        hour = hour % 12 + (d.hour & AFTERNOON ? 12 : 0);
    }
    uint32_t year = number_of(d.year, mode), century = number_of(d.century, mode);
    year += century >= 19 && century <= 29 ? century * 100 : 2000;
    uint64_t days = days_to(year, number_of(d.month, mode), number_of(d.day, mode));
    uint64_t seconds = ((days * 24 + hour) * 60 + number_of(d.minute, mode)) * 60 + number_of(d.second, mode);
    // Ticks to nanoseconds in two steps: the product would not fit.
    uint64_t hz = machine.info.tsc_hz, since = now / hz * 1000000000 + now % hz * 1000000000 / hz;
    machine.info.wall_ns = seconds * 1000000000 - since;
}
