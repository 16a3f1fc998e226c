// device.h - devices as memory-based messaging (Cache Kernel, 2.2): the serial ports and the clock.
//
// A device is memory.  One 2-MiB unit, at system_info.devices, has a page group for each; only the first kernel has
// rights on it, and it maps single pages for those who may use a device: such a mapping is the right.
//   send pages     mapped writable and in message mode; a signal to an address there goes to the supervisor's driver
//   receive pages  the driver writes there and signals the address, to the threads that are mapped to receive it
// A signal that is sent here gives the value 1, or ERR_INVAL if what it points to makes no sense.
//
// Serial ports: page 0 receives, all others send.  Only the terminal has input.
// The clock: even pages send, each odd one is where the page before it receives.  It has one alarm for each pair
// but the last, which is for who decides about processors (allocation.h).
#pragma once
#include <abi/types.h>

enum device { DEVICE_TERMINAL, DEVICE_LOG, DEVICE_ERRORS, DEVICE_CLOCK, DEVICES, DEVICE_PORTS = DEVICE_CLOCK };
enum { DEVICE_PAGES = ABI_GROUP / ABI_PAGE };

static inline pa_t device_page(pa_t devices, enum device d, unsigned page)
{
    return devices + (pa_t)d * ABI_GROUP + (pa_t)page * ABI_PAGE;
}

// A message to a serial port.  A port that is busy takes fewer bytes than `length`: send the rest later.
// Each message, also one of no bytes, makes the driver look again for input that had no room.
enum { PORT_BYTES = 244, PORT_MESSAGES = 16 };
struct port_message {
    uint32_t claimed;                    // u  for those who share the page; the driver does not look at it
    uint32_t length;                     // u  at most PORT_BYTES
    uint32_t taken;                      // k
    uint8_t  bytes[PORT_BYTES];          // u
};
_Static_assert(sizeof(struct port_message) * PORT_MESSAGES == ABI_PAGE, "a page of messages");

// What a serial port received: byte i is at i % PORT_RING.  The address of the first new one is signalled.
enum { PORT_RING = 2048 };
struct port_input {
    uint32_t head;                       // k  store-release after the bytes
    uint32_t waiting;                    // k  1: more has come; send a message when there is room
    uint32_t tail;                       // u  how many have been read
    uint8_t  bytes[PORT_RING];           // k
};

struct clock_set {                       // send: at the beginning of the page
    uint64_t when;                       // u  ticks of the clock (RDTSC); 0: no alarm
    uint64_t period;                     // u  and every so many ticks from then on; 0: once
};
struct clock_alarm {                     // receive: its address is signalled at `when`
    uint64_t fired;                      // k  how often
    uint64_t due;                        // k  the moment for which it was set
};

// Where the starter of an application kernel maps what that kernel was given: in the first 2 MiB of the window, where
// no memory is.  kernel_info.devices has a bit for each device.
#define ABI_DEVICES ABI_WINDOW
enum device_place {                      // pages from there on
    PLACE_SEND     = 0,                  // + enum device
    PLACE_INPUT    = DEVICES,            // of the terminal, to read; `tail` may be written
    PLACE_ALARM,                         // struct clock_alarm, to read
    PLACE_SIGNALS,                       // the same two again, for the signals; their receiver is the first thread, and
    PLACE_END      = PLACE_SIGNALS + 2,  // they come and go with it
};
#define DEVICE_PLACE(place) (ABI_DEVICES + (va_t)(place) * ABI_PAGE)
