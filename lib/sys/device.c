// device.c - using the serial ports and the clock.  See device.h.
//
// The threads of a kernel share its page of messages for each port: a message belongs to whoever has set `claimed`.
// The first one is never claimed: it stays empty, and the reader of the input sends it.
#include "device.h"

#include "sys.h"

enum { BOOT_REFUSED = 125 };

// To `receiver`, if it is not 0, go its signals.
static void map(const struct system_info *s, enum device_place place, enum device d, unsigned page, uint64_t flags,
                oid_t receiver)
{
    pa_t pa = device_page(s->devices, d, page);
    va_t va = DEVICE_PLACE(place);
    err_t e = receiver == 0 ? sys_mapping_load(s->space, va, pa, flags | MAP_LOCKED)
                            : sys_mapping_load_signal(s->space, va, pa, flags | MAP_LOCKED, receiver);

    if (e != ERR_OK) {
        (void)sys_power_off(BOOT_REFUSED);            // there is no log to say so in
    }
}

void device_begin(const struct kernel_info *info, const struct system_info *s)
{
    if (info->kernel != s->kernel) {
        return;
    }
    for (enum device d = 0; d < DEVICES; d++) {
        map(s, PLACE_SEND + d, d, d == DEVICE_CLOCK ? 0 : 1, MAP_WRITE | MAP_MESSAGE, 0);
    }
    map(s, PLACE_INPUT, DEVICE_TERMINAL, 0, MAP_WRITE, 0);
    map(s, PLACE_ALARM, DEVICE_CLOCK, 1, MAP_READ, 0);
    map(s, PLACE_SIGNALS, DEVICE_TERMINAL, 0, MAP_READ, s->thread);
    map(s, PLACE_SIGNALS + 1, DEVICE_CLOCK, 1, MAP_READ, s->thread);
}

static bool given(const struct kernel_info *info, enum device d)
{
    return d < DEVICES && (__atomic_load_n(&info->devices, __ATOMIC_RELAXED) >> d & 1);
}

static struct port_message *claim(enum device port)
{
    struct port_message *m = (struct port_message *)DEVICE_PLACE(PLACE_SEND + port);

    for (unsigned i = 1; i < PORT_MESSAGES; i++) {
        if (__atomic_exchange_n(&m[i].claimed, 1, __ATOMIC_ACQUIRE) == 0) {
            return &m[i];
        }
    }
    return NULL;
}

// Gives how many bytes went.
static uint32_t send(struct port_message *m, const char *bytes, uint32_t length)
{
    uint64_t receivers;

    for (uint32_t i = 0; i < length; i++) {
        m->bytes[i] = (uint8_t)bytes[i];
    }
    m->length = length;
    m->taken = 0;
    (void)sys_signal_at((va_t)m, &receivers);
    return __atomic_load_n(&m->taken, __ATOMIC_RELAXED);
}

err_t device_write(const struct kernel_info *info, enum device port, const void *bytes, size_t length, uint64_t *taken)
{
    *taken = 0;
    if (port >= DEVICE_PORTS) {
        return ERR_INVAL;
    }
    if (!given(info, port)) {
        return ERR_DENIED;
    }
    struct port_message *m = claim(port);
    if (m == NULL) {
        return ERR_OK;
    }
    while (*taken < length) {
        uint32_t n = length - *taken < PORT_BYTES ? (uint32_t)(length - *taken) : PORT_BYTES;
        uint32_t went = send(m, (const char *)bytes + *taken, n);
        *taken += went;
        if (went != n) {
            break;
        }
    }
    __atomic_store_n(&m->claimed, 0, __ATOMIC_RELEASE);
    return ERR_OK;
}

err_t device_read(const struct kernel_info *info, void *bytes, size_t length, uint64_t *count)
{
    struct port_input *p = (struct port_input *)DEVICE_PLACE(PLACE_INPUT);
    uint64_t receivers;

    *count = 0;
    if (!given(info, DEVICE_TERMINAL)) {
        return ERR_DENIED;
    }
    uint32_t tail = p->tail, head = __atomic_load_n(&p->head, __ATOMIC_ACQUIRE);
    while (tail != head && *count < length) {
        ((uint8_t *)bytes)[(*count)++] = p->bytes[tail++ % PORT_RING];
    }
    __atomic_store_n(&p->tail, tail, __ATOMIC_SEQ_CST);          // before the look at `waiting`; pairs with the driver
    if (__atomic_load_n(&p->waiting, __ATOMIC_SEQ_CST) != 0) {
        (void)sys_signal_at(DEVICE_PLACE(PLACE_SEND + DEVICE_TERMINAL), &receivers);
    }
    return ERR_OK;
}

bool device_ready(const struct kernel_info *info)
{
    const struct port_input *p = (const struct port_input *)DEVICE_PLACE(PLACE_INPUT);

    return given(info, DEVICE_TERMINAL) &&
           __atomic_load_n(&p->head, __ATOMIC_ACQUIRE) != __atomic_load_n(&p->tail, __ATOMIC_RELAXED);
}

err_t device_alarm(const struct kernel_info *info, uint64_t when, uint64_t period)
{
    struct clock_set *s = (struct clock_set *)DEVICE_PLACE(PLACE_SEND + DEVICE_CLOCK);
    uint64_t receivers;

    if (!given(info, DEVICE_CLOCK)) {
        return ERR_DENIED;
    }
    __atomic_store_n(&s->when, when, __ATOMIC_RELAXED);
    __atomic_store_n(&s->period, period, __ATOMIC_RELAXED);
    return sys_signal_at((va_t)s, &receivers);
}
