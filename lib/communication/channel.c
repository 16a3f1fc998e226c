// channel.c - the default operations of a channel: messages in a shared page.  See communication.h.
#include <base.h>

#include "communication.h"

static uint32_t following(uint32_t turn)
{
    return turn + 1 != 0 ? turn + 1 : COM_SLOTS;         // 0 says that there is no message
}

// ---- the sender ---------------------------------------------------------------------------------------------

static void write_slot(struct com_slot *s, uint32_t turn, const void *message, size_t length)
{
    __atomic_store_n(&s->turn, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);             // whoever reads new words does not find the old turn
    memcpy(s->data, message, length);
    __atomic_store_n(&s->length, (uint32_t)length, __ATOMIC_RELAXED);
    __atomic_store_n(&s->turn, turn, __ATOMIC_RELEASE);  // pairs with read_slot()
}

static err_t page_send(struct com_channel *c, const void *message, size_t length)
{
    struct com_page *page = c->page;

    if (length > COM_MESSAGE) {
        return ERR_INVAL;
    }
    write_slot(&page->slot[c->next % COM_SLOTS], c->next, message, length);
    c->next = following(c->next);
    (void)com_ring(c);
    return ERR_OK;
}

err_t com_ring(struct com_channel *c)
{
    uint32_t last = c->next - 1;

    c->receivers = 0;
    err_t e = c->operations->ring(c->signals + last % COM_SLOTS * COM_SLOT, &c->receivers);
    if (e != ERR_OK) {
        c->receivers = 0;
    }
    return e;
}

// ---- a receiver ---------------------------------------------------------------------------------------------

static uint32_t turn_of(const struct com_page *page, unsigned slot)
{
    return __atomic_load_n(&page->slot[slot].turn, __ATOMIC_ACQUIRE);    // pairs with write_slot()
}

// The sender is ahead: go on with the oldest message that is still there.  False: there is none.
static bool catch_up(struct com_channel *c)
{
    uint32_t least = UINT32_MAX;

    for (unsigned i = 0; i < COM_SLOTS; i++) {
        uint32_t turn = turn_of(c->page, i), ahead = turn - c->next;
        if (turn != 0 && turn % COM_SLOTS == i && ahead <= INT32_MAX && ahead < least) {
            least = ahead;
        }
    }
    if (least == UINT32_MAX) {
        return false;
    }
    c->missed += least;
    c->next += least;
    return true;
}

// Copy a slot's message.  False: it was overwritten meanwhile.
static bool read_slot(const struct com_slot *s, uint32_t turn, uint32_t length, void *to)
{
    uint64_t word;
    uint8_t *at = to;

    for (uint32_t done = 0; done < length; done += 8) {
        word = __atomic_load_n(&s->data[done / 8], __ATOMIC_RELAXED);
        memcpy(at + done, &word, length - done < 8 ? length - done : 8);
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&s->turn, __ATOMIC_RELAXED) == turn;
}

static err_t page_receive(struct com_channel *c, void *message, size_t size, size_t *length)
{
    const struct com_page *page = c->page;

    for (unsigned tries = 0; tries < COM_SLOTS; tries++) {
        const struct com_slot *s = &page->slot[c->next % COM_SLOTS];
        uint32_t turn = turn_of(page, c->next % COM_SLOTS);
        if (turn != c->next) {
            if (turn == 0 || (int32_t)(turn - c->next) < 0 || !catch_up(c)) {
                return ERR_AGAIN;
            }
            continue;
        }
        uint32_t n = __atomic_load_n(&s->length, __ATOMIC_RELAXED);
        bool fits = n <= COM_MESSAGE && n <= size;
        if (fits && !read_slot(s, turn, n, message)) {
            continue;
        }
        c->next = following(c->next);
        *length = n;
        c->garbage += !fits;
        return fits ? ERR_OK : ERR_INVAL;
    }
    return ERR_AGAIN;
}

static void deliver_nothing(struct com_channel *c, const void *message, size_t length)
{
    (void)c, (void)message, (void)length;
}

unsigned com_signalled(struct com_channel *c)
{
    uint64_t message[COM_MESSAGE / 8];
    unsigned count = 0;
    size_t length;

    for (unsigned i = 0; i < COM_SLOTS; i++) {
        err_t e = com_receive(c, message, sizeof(message), &length);
        if (e == ERR_AGAIN) {
            break;
        }
        if (e == ERR_OK) {
            c->operations->deliver(c, message, length);
            count++;
        }
    }
    return count;
}

const struct com_operations com_page_operations = {page_send, page_receive, deliver_nothing, com_signal};

void com_open(struct com_channel *c, const struct com_operations *operations, void *page, va_t signals)
{
    *c = (struct com_channel){
        .operations = operations != NULL ? operations : &com_page_operations,
        .page = page, .signals = signals, .next = 1,
    };
}
