// uart.c - three serial ports: 0 terminal, 1 log, 2 the programs' error stream.
//
// 16550s at the addresses every PC uses; 115200 8n1.  The terminal interrupts when a byte comes, by an
// edge: whoever is told must read until arch_console_get says -1.  What is put to a port that is not there
// goes nowhere. Called before anything else works; the receive FIFO is emptied here and never again.
#include "arch_impl.h"

enum { PORTS = 3 };
enum uart_register { DATA = 0, INTERRUPTS = 1, FIFO = 2, LINE = 3, MODEM = 4, STATUS = 5, SCRATCH = 7 };

#define LINE_8N1         0x03
#define LINE_DIVISOR     0x80           // DATA and INTERRUPTS are the divisor
#define FIFO_ON          0x01
#define FIFO_EMPTY       0x06           // both directions
#define FIFO_TRIGGER_14  0xc0           // interrupt at 14 bytes, or when none has come for four byte times
#define MODEM_ON         0x0b           // DTR, RTS, and OUT2: the interrupt line
#define STATUS_INPUT     0x01
#define STATUS_ROOM      0x20           // the transmitter takes a byte
#define STATUS_SENT      0x40           // and has none left
#define INTERRUPT_INPUT  0x01

static const uint16_t base_of[PORTS] = {0x3f8, 0x2f8, 0x3e8};
static uint8_t present[PORTS] ONCE;

static bool uart_is_there(uint16_t base)
{
    port_write8(base + SCRATCH, 0x5a);
    if (port_read8(base + SCRATCH) != 0x5a) {
        return false;
    }
    port_write8(base + SCRATCH, 0xa5);
    return port_read8(base + SCRATCH) == 0xa5;
}

void uart_init(void)
{
    for (uint32_t i = 0; i < PORTS; i++) {
        uint16_t base = base_of[i];
        present[i] = uart_is_there(base);
        if (!present[i]) {
            continue;
        }
        port_write8(base + INTERRUPTS, 0);
        port_write8(base + LINE, LINE_DIVISOR);
        port_write8(base + DATA, 1);
        port_write8(base + INTERRUPTS, 0);
        port_write8(base + LINE, LINE_8N1);
        port_write8(base + FIFO, FIFO_ON | FIFO_EMPTY | FIFO_TRIGGER_14);
        port_write8(base + MODEM, MODEM_ON);
        port_write8(base + INTERRUPTS, i == 0 ? INTERRUPT_INPUT : 0);
    }
}

bool arch_console_put(uint32_t port, uint8_t byte)
{
    if (port >= PORTS || !present[port]) {
        return true;
    }
    if (!(port_read8(base_of[port] + STATUS) & STATUS_ROOM)) {
        return false;
    }
    port_write8(base_of[port] + DATA, byte);
    return true;
}

int arch_console_get(uint32_t port)
{
    if (port >= PORTS || !present[port] || !(port_read8(base_of[port] + STATUS) & STATUS_INPUT)) {
        return -1;
    }
    return port_read8(base_of[port] + DATA);
}

// Wait until everything has left, a second at most for each port.
void uart_drain(void)
{
    for (uint32_t i = 0; i < PORTS; i++) {
        uint64_t begin = arch_now();
        while (present[i] && !(port_read8(base_of[i] + STATUS) & STATUS_SENT) &&
               arch_now() - begin < machine.info.tsc_hz) {
            arch_relax();
        }
    }
}
