// device.c - the drivers of the serial ports and the clock.  See device.h.
#include "supervisor.h"

enum {
    INPUT_BYTES = 256, // read from a port before its reader is asked whether to go on
    STEP_ALARMS = 8,   // that ring in one interrupt
};
#define LONGEST_PERIOD (1ull << 62) // the next moment stays ahead of the clock

bool device_is(const struct instance *in, uint64_t pfn)
{
    return pfn - (in->devices.base >> ABI_PAGE_SHIFT) < ABI_LARGE / ABI_PAGE;
}

static uint64_t frame_of(struct instance *in, enum device d, unsigned page)
{
    return device_page(in->devices.base, d, page) >> ABI_PAGE_SHIFT;
}

// ---- serial ports -------------------------------------------------------------------------------------------

void device_input(struct cpu *cpu, enum device port)
{
    uint64_t pfn = frame_of(cpu->instance, port, 0);
    struct port_input *p = arch_phys(pfn << ABI_PAGE_SHIFT);
    uint32_t first = cpu->instance->devices.head[port], head = first;
    int c = 0;

    store_relaxed(&p->waiting, 1);                   // until it is clear that nothing is left
    fence_full();                                    // the reader writes tail, then reads waiting
    uint32_t used = first - load_relaxed(&p->tail), room = used > PORT_RING ? 0 : PORT_RING - used;
    uint32_t end = first + (room < INPUT_BYTES ? room : INPUT_BYTES);
    while (head != end && (c = arch_console_get(port)) >= 0) {
        p->bytes[head++ % PORT_RING] = (uint8_t)c;
    }
    if (c < 0) {
        store_relaxed(&p->waiting, 0);
    }
    if (head != first) {
        cpu->instance->devices.head[port] = head;
        store_release(&p->head, head);               // pairs with the reader
        (void)signal_raise(cpu, pfn, offsetof(struct port_input, bytes) + first % PORT_RING);
    }
}

static err_t transmit(enum device port, struct port_message *m)
{
    uint32_t n = load_relaxed(&m->length), done = 0;

    if (n > PORT_BYTES) {
        return ERR_INVAL;
    }
    while (done < n && arch_console_put(port, m->bytes[done])) {
        done++;
    }
    store_relaxed(&m->taken, done);
    return ERR_OK;
}

// ---- the clock ----------------------------------------------------------------------------------------------

static void find_soonest(struct cpu *cpu)
{
    struct devices *d = &cpu->instance->devices;

    d->soonest = 0;
    for (unsigned i = 0; i < CLOCK_ALARMS; i++) {
        uint64_t when = d->alarm[i].when;
        if (when != 0 && (d->soonest == 0 || when < d->soonest)) {
            d->soonest = when;
        }
    }
    d->timekeeper = cpu->number;
    cpu->resched = true;                             // arm the timer
}

static err_t set_alarm(struct cpu *cpu, unsigned i, const struct clock_set *s)
{
    struct instance *in = cpu->instance;
    struct clock_set fresh = {load_relaxed(&s->when), load_relaxed(&s->period)};

    if (fresh.period != 0 && (fresh.when == 0 || fresh.period < in->slice / 32 || fresh.period > LONGEST_PERIOD)) {
        return ERR_INVAL;                            // the processor would do little else
    }
    in->devices.alarm[i] = fresh;
    find_soonest(cpu);
    return ERR_OK;
}

void device_alarm(struct cpu *cpu, unsigned i, uint64_t when)
{
    if (cpu->instance->devices.alarm[i].when != when) {
        cpu->instance->devices.alarm[i].when = when;
        find_soonest(cpu);
    }
}

static void ring(struct cpu *cpu, unsigned i, uint64_t now)
{
    struct clock_set *s = &cpu->instance->devices.alarm[i];

    if (i == ALLOCATION_PAGE / 2) {
        s->when = 0;
        cpu->instance->realloc |= REALLOC_ALL;
        cpu->resched = true;
        return;
    }
    uint64_t pfn = frame_of(cpu->instance, DEVICE_CLOCK, 2 * i + 1);
    struct clock_alarm *a = arch_phys(pfn << ABI_PAGE_SHIFT);

    store_relaxed(&a->due, s->when);
    store_release(&a->fired, load_relaxed(&a->fired) + 1);
    // Moments that have passed meanwhile are left out: `due` shows it.
    s->when = s->period == 0 ? 0 : now + s->period - (now - s->when) % s->period;
    (void)signal_raise(cpu, pfn, 0);
}

void device_tick(struct cpu *cpu, uint64_t now)
{
    struct devices *d = &cpu->instance->devices;

    if (d->soonest == 0 || d->soonest > now) {
        return;
    }
    for (unsigned i = 0, rung = 0; i < CLOCK_ALARMS && rung < STEP_ALARMS; i++) {
        if (d->alarm[i].when != 0 && d->alarm[i].when <= now) {
            ring(cpu, i, now);
            rung++;
        }
    }
    find_soonest(cpu);
}

uint64_t device_deadline(const struct cpu *cpu, uint64_t when)
{
    const struct devices *d = &cpu->instance->devices;

    return d->timekeeper == cpu->number && (when == 0 || d->soonest < when) ? d->soonest : when;
}

// ---- signals to a device ------------------------------------------------------------------------------------

err_t device_signal(struct cpu *cpu, uint64_t pfn, va_t offset)
{
    uint64_t number = pfn - (cpu->instance->devices.base >> ABI_PAGE_SHIFT);
    enum device d = (enum device)(number / DEVICE_PAGES);
    unsigned page = (unsigned)(number % DEVICE_PAGES);
    char *at = (char *)arch_phys(pfn << ABI_PAGE_SHIFT) + offset;

    if (d == DEVICE_CLOCK && (page % 2 != 0 || offset != 0)) {
        return ERR_INVAL;
    }
    if (d == DEVICE_CLOCK) {
        return page == ALLOCATION_PAGE ? delegate_answer(cpu) : set_alarm(cpu, page / 2, (struct clock_set *)at);
    }
    if (page == 0 || offset % sizeof(struct port_message) != 0) {
        return ERR_INVAL;
    }
    err_t e = transmit(d, (struct port_message *)at);
    if (e == ERR_OK) {
        device_input(cpu, d);
    }
    return e;
}
