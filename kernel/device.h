// device.h - the drivers of the serial ports and the clock, as memory-based messaging: see abi/device.h.
//
// A signal to a frame of the device unit comes here instead of going to receivers; what the devices have to say is
// written to such a frame and signalled to its receivers.
// Who shares a page with a driver may write any word of it at any time: what the drivers need to remember is in
// struct device, and each word is read once.
// Locking: the instance lock.  Cache Kernel, 2.2.
#pragma once
#include <abi/device.h>

#include "names.h"

enum { CLOCK_ALARMS = DEVICE_PAGES / 2 };

struct devices {
    pa_t     base;                               // I
    uint32_t head[DEVICE_PORTS];                 // l  bytes that each port has received
    uint64_t soonest;                            // l  of the alarms, 0: none
    cpu_t    timekeeper;                         // l  the processor whose timer keeps it
    struct clock_set alarm[CLOCK_ALARMS];        // l
};

// Is this a frame of the device unit?
bool  device_is(const struct instance *in, uint64_t pfn);
// A signal was sent to this address of the unit.
err_t device_signal(struct cpu *cpu, uint64_t pfn, va_t offset);
// Let alarm i ring at `when`, once.
void  device_alarm(struct cpu *cpu, unsigned i, uint64_t when);
// A port has bytes: read what has come, as far as there is room, and signal it.
void  device_input(struct cpu *cpu, enum device port);
// The timer: let alarms ring that are due.
void  device_tick(struct cpu *cpu, uint64_t now);
// When this processor's timer has to interrupt: at `when` (0: never) or earlier, for an alarm.
uint64_t device_deadline(const struct cpu *cpu, uint64_t when);
