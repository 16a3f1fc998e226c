// communication.h - channels on memory-based messaging: messages in a page that two parties share, and their addresses
// as signals.
//
// A message page has COM_SLOTS slots of a fixed size and one sender, who writes a message into the next slot, then its
// turn (messages are numbered from 1), then signals the slot's address.  Each receiver gets the signal in its own
// translation and copies the message out.  A page mapped by several receivers is a multicast channel: one write and
// one signal, whoever listens.  The sender never waits: a receiver that is COM_SLOTS messages behind misses the oldest
// and is told how many.  Who must not lose any uses two pages and answers (rpc_channel.h).
//
// Nobody trusts the other: the sender never reads the page; a receiver reads each word once, into memory of its own,
// and looks at the turn again afterwards; lengths and turns are checked; every loop is bounded by COM_SLOTS.  Signals
// are hints: a lost or a false one costs a look at the page.
//
// A channel is a table of operations with defaults that a program overrides: a copy of com_page_operations with other
// functions in it.  com_writeback_operations is another such table: the supervisor's writeback channel, read through
// the same calls.
//
// States: none but the counts in struct com_channel.  Locking: none; one thread at a time uses a channel.
// Nothing here blocks.  Cache Kernel, 2.2 and 3 (class libraries).
#pragma once
#include <abi/errors.h>
#include <abi/frame.h>
#include <abi/object.h>
#include <abi/types.h>

enum { COM_SLOTS = 8, COM_SLOT = ABI_PAGE / COM_SLOTS, COM_MESSAGE = COM_SLOT - 8 };

struct com_slot {                        // in the shared page
    uint32_t turn;                       // number of the message, modulo 2^32; 0: none, or being written
    uint32_t length;                     // bytes of it, at most COM_MESSAGE
    uint64_t data[COM_MESSAGE / 8];
};
struct com_page {                        // message n is in slot n % COM_SLOTS
    struct com_slot slot[COM_SLOTS];
};
_Static_assert(sizeof(struct com_page) == ABI_PAGE, "message page");

struct com_channel {
    const struct com_operations *operations;
    void    *page;                       // where its owner reads or writes it
    va_t     signals;                    // the page's address as signals have it: to send from, or that come
    uint32_t next;                       // number of the message that comes next
    uint32_t missed;                     // messages that were overwritten, or lost by the sender, before they were read
    uint32_t garbage;                    // messages that were none: a wrong length or number
    uint64_t receivers;                  // of the last signal that was sent
    void    *owner;                      // the program's
};

struct com_operations {
    // Put a message in the page and signal it.  OK: it is in the page, and c->receivers had the signal (0: whoever
    // looks at the page later finds it).  INVAL: longer than COM_MESSAGE.  NOCALL: nobody sends on such a channel.
    err_t (*send)(struct com_channel *c, const void *message, size_t length);
    // Take the next message.  AGAIN: there is none.  INVAL: one was garbage, or longer than `size`, and is skipped.
    err_t (*receive)(struct com_channel *c, void *message, size_t size, size_t *length);
    // What com_signalled() does with each message.  The default does nothing.
    void (*deliver)(struct com_channel *c, const void *message, size_t length);
    // Signal an address of the page.  The default is the supervisor's call.  STALE: the page is not mapped for sending.
    err_t (*ring)(va_t va, uint64_t *receivers);
};

extern const struct com_operations com_page_operations, com_writeback_operations;

// A channel over a message page.  `signals` is the address at which the page is mapped in message mode (writable for
// the sender, with a signal thread for a receiver); `page` may be any mapping of it.  operations NULL: the defaults.
void com_open(struct com_channel *c, const struct com_operations *operations, void *page, va_t signals);
// A channel that reads the writeback channel of the calling kernel: each message is a struct channel_entry.
void com_open_writeback(struct com_channel *c, struct channel *writeback);

static inline err_t com_send(struct com_channel *c, const void *message, size_t length)
{
    return c->operations->send(c, message, length);
}
static inline err_t com_receive(struct com_channel *c, void *message, size_t size, size_t *length)
{
    return c->operations->receive(c, message, size, length);
}
// Signal the last message once more: for a sender who hears nothing.
err_t com_ring(struct com_channel *c);
// Is this address of a signal (from `wait`, or given to a signal function) one of the channel's?
static inline bool com_is_mine(const struct com_channel *c, va_t va)
{
    return va - c->signals < ABI_PAGE;
}
// A signal has come, or might have: deliver what is there, COM_SLOTS messages at most.  Gives how many.
unsigned com_signalled(struct com_channel *c);

// The default ring.  If the sender's mapping is not there (a receiver's has gone, and the sender's went along: multi-
// mapping consistency), the call faults, and the kernel's fault handler asks com_fault(): it answers true for a fault
// of this one instruction, and has changed the frame so that a resume makes com_signal() answer STALE.
err_t com_signal(va_t va, uint64_t *receivers);
bool  com_fault(struct frame *f);
