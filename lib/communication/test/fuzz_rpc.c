// fuzz_rpc.c - hostile bytes: as a call to a server, as an answer to a client, and as a whole message page.
//
// Nothing may be read or written outside of what belongs to the stubs (the sanitizers see to that), no loop may be
// long, and strings and counts that reach the server's functions must keep their bounds.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "communication.h"
#include "rpc.h"
#include "test_stubs.h"

static const uint8_t *bytes;
static size_t left;

err_t com_signal(va_t va, uint64_t *receivers)
{
    (void)va;
    *receivers = 0;
    return ERR_OK;
}

static void require(bool good)
{
    if (!good) {
        abort();
    }
}

static uint32_t text(struct rpc_server *s, struct rpc_object *o, const struct every_text_in *in,
                     struct every_text_out *out)
{
    (void)s, (void)o;
    require(strlen(in->one) <= 1 && strlen(in->much) <= 200);
    memcpy(out->much, in->much, sizeof(out->much));
    return ERR_OK;
}
static uint32_t arrays(struct rpc_server *s, struct rpc_object *o, const struct every_arrays_in *in,
                       struct every_arrays_out *out)
{
    (void)s, (void)o;
    require(in->bytes_count <= 100 && in->words_count <= 17);
    out->words_count = in->words_count;
    memcpy(out->words, in->words, sizeof(in->words[0]) * in->words_count);
    return ERR_OK;
}
static uint32_t drop(struct rpc_server *s, struct rpc_object *o)
{
    rpc_object_remove(s, o);
    return ERR_OK;
}
static const struct every_operations every = {.text = text, .arrays = arrays};
static const struct cell_operations cell = {.drop = drop};

// The peer's messages are the fuzzer's bytes, with the header that would be right if its first byte is odd.
static err_t no_send(void *self, const void *message, size_t length)
{
    memcpy(self, message, sizeof(struct wire_header));
    require(length <= WIRE_MESSAGE);
    return ERR_OK;
}
static err_t take(void *self, void *message, size_t size, size_t *length, uint64_t deadline)
{
    (void)deadline;
    if (left == 0) {
        return ERR_TIMEOUT;
    }
    size_t n = left < size ? left : size;
    memcpy(message, bytes, n);
    if (n >= sizeof(struct wire_header) && (bytes[0] & 1)) {
        struct wire_header h = *(struct wire_header *)self;
        h.kind = WIRE_REPLY;
        h.length = (uint32_t)(n - sizeof(h));
        memcpy(message, &h, sizeof(h));
    }
    left -= n;
    *length = n;
    return ERR_OK;
}
static uint64_t no_clock(void)
{
    return 0;
}
static const struct rpc_transport transport = {no_send, take, no_clock};

static void serve_bytes(const uint8_t *data, size_t size)
{
    struct rpc_object object[3] = {{0}};
    struct rpc_server server = {.object = object, .objects = 3};
    uint8_t *reply = malloc(WIRE_MESSAGE), *message = malloc(size + 1);

    (void)rpc_object_add(&server, &every_interface, &every, NULL);
    uint64_t id = rpc_object_add(&server, &cell_interface, &cell, NULL);
    struct wire_header h = {WIRE_MAGIC, WIRE_CALL, (uint16_t)(data[0] % 10), 1, data[1] & 1 ? id : 1u << 16,
                            data[1] & 1 ? CELL_SIGNATURE : EVERY_SIGNATURE, 0, (uint32_t)(size - sizeof(h))};
    memcpy(message, data, size);
    require(rpc_serve(&server, message, size, reply) <= WIRE_MESSAGE);
    memcpy(message, data, size);
    if (size >= sizeof(h)) {
        memcpy(message, &h, sizeof(h));
        size_t n = rpc_serve(&server, message, size, reply);
        require(n >= sizeof(h) || size > WIRE_MESSAGE);
    }
    free(reply);
    free(message);
}

static void answer_bytes(const uint8_t *data, size_t size)
{
    struct wire_header last;
    struct rpc_client client = {&transport, &last, 1, 0};
    struct every_text_out t;
    struct every_arrays_out a;
    struct every_full_out f;
    uint64_t object;

    bytes = data, left = size;
    if (every_text(&client, 1, &(struct every_text_in){.one = ""}, &t) == ERR_OK) {
        require(strlen(t.much) <= 200 && strlen(t.one) <= 1);
    }
    bytes = data, left = size;
    if (every_arrays(&client, 1, &(struct every_arrays_in){.bytes_count = 1}, &a) == ERR_OK) {
        require(a.words_count <= 17 && a.single_count <= 1);
    }
    bytes = data, left = size;
    (void)every_full(&client, 1, &(struct every_full_in){.last = 1}, &f);
    bytes = data, left = size;
    (void)rpc_bind(&client, EVERY_SIGNATURE, &object);
}

static void page_bytes(const uint8_t *data, size_t size)
{
    static struct com_page page;
    struct com_channel c;
    uint64_t message[COM_MESSAGE / 8];

    memset(&page, 0, sizeof(page));
    memcpy(&page, data, size < sizeof(page) ? size : sizeof(page));
    com_open(&c, NULL, &page, 0);
    c.next = 1 + data[0];
    for (unsigned i = 0; i < 2 * COM_SLOTS; i++) {
        size_t n = 0;
        err_t e = com_receive(&c, message, sizeof(message), &n);
        require(e != ERR_OK || n <= sizeof(message));
    }
    require(com_signalled(&c) <= COM_SLOTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2) {
        serve_bytes(data, size);
        answer_bytes(data, size);
        page_bytes(data, size);
    }
    return 0;
}
