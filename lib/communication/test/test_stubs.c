// test_stubs.c - generated stubs: random values go through both sides of every operation and come back whole.
//
// Client and server are two ends of two message pages in one program: the server is run whenever the client waits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rpc_channel.h"
#include "test_stubs.h"

enum { SEEDS = 4000, OBJECTS = 4 };

static struct com_page page[2];
static struct com_channel served, answered;
static struct rpc_channel channel;
static struct rpc_object object[OBJECTS];
static struct rpc_server server = {.object = object, .objects = OBJECTS};
static struct rpc_client client = {&rpc_channel_transport, &channel, UINT64_MAX / 2, 0};
static uint64_t root;
static unsigned rung;
static bool deaf;                        // the server does not answer
static uint32_t cells[OBJECTS];
static uint64_t seed;

static uint64_t next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 11;
}
static uint64_t wide(void)
{
    return next() << 40 ^ next() << 20 ^ next();
}

err_t com_signal(va_t va, uint64_t *receivers)
{
    (void)va;
    rung++;
    *receivers = 1;
    return ERR_OK;
}

static void serve(struct rpc_channel *r, uint64_t deadline)
{
    (void)r, (void)deadline;
    if (!deaf) {
        (void)rpc_channel_serve(&server, &served, &answered, 1);
    }
}

// ---- the server's functions -----------------------------------------------------------------------------------

static uint32_t do_nothing(struct rpc_server *s, struct rpc_object *o)
{
    (void)s, (void)o;
    return ERR_OK;
}

static uint32_t do_integers(struct rpc_server *s, struct rpc_object *o, const struct every_integers_in *in,
                            struct every_integers_out *out)
{
    (void)s, (void)o;
    out->sum = in->a + in->b + in->c + in->d + (uint64_t)in->e + (uint64_t)in->f + (uint64_t)in->g + (uint64_t)in->h;
    out->h = in->h;
    out->e = in->e;
    return in->a == 255 ? ERR_DENIED : ERR_OK;
}

static uint32_t do_text(struct rpc_server *s, struct rpc_object *o, const struct every_text_in *in,
                        struct every_text_out *out)
{
    (void)s, (void)o;
    memcpy(out->one, in->one, sizeof(out->one));
    memcpy(out->much, in->much, sizeof(out->much));
    return ERR_OK;
}

static uint32_t do_arrays(struct rpc_server *s, struct rpc_object *o, const struct every_arrays_in *in,
                          struct every_arrays_out *out)
{
    (void)s, (void)o;
    out->words_count = in->words_count;
    memcpy(out->words, in->words, in->words_count * sizeof(in->words[0]));
    out->single_count = 1;
    for (uint32_t i = 0; i < in->bytes_count; i++) {
        out->single[0] = (uint16_t)(out->single[0] + in->bytes[i]);
    }
    return ERR_OK;
}

static uint32_t do_full(struct rpc_server *s, struct rpc_object *o, const struct every_full_in *in,
                        struct every_full_out *out)
{
    (void)s, (void)o;
    memset(out->text, in->last == in->words_count ? 'y' : 'n', 454);
    return ERR_OK;
}

static uint32_t cell_value_(struct rpc_server *s, struct rpc_object *o, struct cell_value_out *out)
{
    (void)s;
    out->value = *(uint32_t *)o->self;
    return ERR_OK;
}
static uint32_t cell_drop_(struct rpc_server *s, struct rpc_object *o)
{
    rpc_object_remove(s, o);
    return ERR_OK;
}
static const struct cell_operations cell_operations = {cell_value_, cell_drop_};

static uint32_t do_make(struct rpc_server *s, struct rpc_object *o, const struct every_make_in *in,
                        struct every_make_out *out)
{
    (void)o;
    uint64_t id = rpc_object_add(s, &cell_interface, &cell_operations, NULL);
    if (id == 0) {
        return ERR_LIMIT;
    }
    object[id % 65536].self = &cells[id % 65536];
    cells[id % 65536] = in->value;
    out->made = id;
    return ERR_OK;
}

static uint32_t do_broken(struct rpc_server *s, struct rpc_object *o, struct every_broken_out *out)
{
    (void)s, (void)o;
    out->bytes_count = 5;
    return ERR_OK;
}

static const struct every_operations every_operations = {
    .nothing = do_nothing, .integers = do_integers, .text = do_text, .arrays = do_arrays, .full = do_full,
    .make = do_make, .broken = do_broken,
};

static int set_up(void **state)
{
    (void)state;
    memset(page, 0, sizeof(page));
    memset(object, 0, sizeof(object));
    com_open(&channel.calls, NULL, &page[0], 0x1000);
    com_open(&channel.answers, NULL, &page[1], 0x2000);
    com_open(&served, NULL, &page[0], 0x3000);
    com_open(&answered, NULL, &page[1], 0x4000);
    channel.wait = serve;
    channel.again = UINT64_MAX / 4;
    client.patience = UINT64_MAX / 2;
    deaf = false;
    assert_int_not_equal(rpc_object_add(&server, &every_interface, &every_operations, NULL), 0);
    assert_int_equal(rpc_bind(&client, EVERY_SIGNATURE, &root), ERR_OK);
    return 0;
}

// ---- tests ----------------------------------------------------------------------------------------------------

static void test_integers(void **state)
{
    (void)state;
    for (seed = 1; seed < SEEDS; seed++) {
        uint64_t keep = seed;
        struct every_integers_in in = {(uint8_t)next(), (uint16_t)next(), (uint32_t)next(), wide(), (int8_t)next(),
                                       (int16_t)next(), (int32_t)next(), (int64_t)wide()};
        struct every_integers_out out;
        uint64_t sum = in.a + in.b + in.c + in.d + (uint64_t)in.e + (uint64_t)in.f + (uint64_t)in.g + (uint64_t)in.h;
        uint32_t e = every_integers(&client, root, &in, &out);
        assert_int_equal(e, in.a == 255 ? ERR_DENIED : ERR_OK);
        assert_true(e != ERR_OK || (out.sum == sum && out.h == in.h && out.e == in.e));
        assert_int_equal(every_nothing(&client, root), ERR_OK);
        seed = keep;
    }
}

static void test_text(void **state)
{
    struct every_text_in in;
    struct every_text_out out;

    (void)state;
    for (seed = 1; seed < SEEDS; seed++) {
        uint64_t keep = seed;
        size_t n = next() % 201, m = next() % 2;
        memset(&in, 0, sizeof(in));
        for (size_t i = 0; i < n; i++) {
            in.much[i] = (char)(1 + next() % 255);
        }
        in.one[0] = m ? 'x' : '\0';
        assert_int_equal(every_text(&client, root, &in, &out), ERR_OK);
        assert_string_equal(in.much, out.much);
        assert_string_equal(in.one, out.one);
        seed = keep;
    }
    memset(in.much, 'x', sizeof(in.much));                 // no end within the bound
    assert_int_equal(every_text(&client, root, &in, &out), RPC_TOO_LONG);
}

static void test_arrays(void **state)
{
    struct every_arrays_in in;
    struct every_arrays_out out;

    (void)state;
    for (seed = 1; seed < SEEDS; seed++) {
        uint64_t keep = seed;
        uint16_t sum = 0;
        in.bytes_count = (uint32_t)(next() % 101);
        in.words_count = (uint32_t)(next() % 18);
        for (uint32_t i = 0; i < in.bytes_count; i++) {
            in.bytes[i] = (uint8_t)next();
            sum = (uint16_t)(sum + in.bytes[i]);
        }
        for (uint32_t i = 0; i < in.words_count; i++) {
            in.words[i] = (int64_t)wide();
        }
        assert_int_equal(every_arrays(&client, root, &in, &out), ERR_OK);
        assert_int_equal(out.words_count, in.words_count);
        assert_memory_equal(out.words, in.words, in.words_count * sizeof(in.words[0]));
        assert_true(out.single_count == 1 && out.single[0] == sum);
        seed = keep;
    }
    in.words_count = 18;
    assert_int_equal(every_arrays(&client, root, &in, &out), RPC_TOO_LONG);
}

static void test_bounds(void **state)
{
    struct every_full_in full = {.words_count = 56, .last = 56};
    struct every_full_out text;
    struct every_broken_out broken;

    (void)state;
    assert_int_equal(every_full(&client, root, &full, &text), ERR_OK);
    assert_true(strlen(text.text) == 454 && text.text[0] == 'y');
    assert_int_equal(every_broken(&client, root, &broken), RPC_TOO_LONG);
    assert_int_equal(every_absent(&client, root, &(struct every_absent_in){1}), ERR_NOCALL);
}

// Counts and strings that no stub would send: the server's functions never see them.
static void test_hostile(void **state)
{
    static const struct { uint8_t one, much; uint8_t byte; uint32_t error; } table[] = {
        {1, 200, 'x', ERR_OK}, {1, 201, 'x', RPC_GARBAGE}, {2, 200, 'x', RPC_GARBAGE}, {1, 250, 'x', RPC_GARBAGE},
        {1, 200, 0, RPC_GARBAGE},
    };
    uint64_t reply[WIRE_MESSAGE / 8], message[WIRE_MESSAGE / 8];

    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint8_t *at = (uint8_t *)message + sizeof(struct wire_header);
        memset(message, table[i].byte, sizeof(message));
        at[0] = table[i].one, at[1] = 0;
        at[2 + table[i].one] = table[i].much, at[3 + table[i].one] = 0;
        uint32_t length = 4u + table[i].one + table[i].much;
        struct wire_header h = {WIRE_MAGIC, WIRE_CALL, 2, 1, root, EVERY_SIGNATURE, 0, length};
        memcpy(message, &h, sizeof(h));
        assert_true(rpc_serve(&server, message, sizeof(h) + length, reply) >= sizeof(h));
        memcpy(&h, reply, sizeof(h));
        assert_int_equal(h.error, table[i].error);
    }
}

static void test_objects(void **state)
{
    struct every_make_out made[OBJECTS], again;
    struct cell_value_out value;

    (void)state;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct every_make_in in = {100 + i};
        assert_int_equal(every_make(&client, root, &in, &made[i]), i < OBJECTS - 1 ? ERR_OK : ERR_LIMIT);
    }
    for (uint32_t i = 0; i < OBJECTS - 1; i++) {
        assert_int_equal(cell_value(&client, made[i].made, &value), ERR_OK);
        assert_int_equal(value.value, 100 + i);
    }
    assert_int_equal(cell_drop(&client, made[1].made), ERR_OK);
    assert_int_equal(cell_value(&client, made[1].made, &value), ERR_STALE);
    assert_int_equal(cell_drop(&client, made[1].made), ERR_STALE);
    assert_int_equal(every_make(&client, root, &(struct every_make_in){7}, &again), ERR_OK);
    assert_true(again.made != made[1].made);
    assert_int_equal(cell_value(&client, made[1].made, &value), ERR_STALE);
    assert_int_equal(cell_value(&client, again.made, &value), ERR_OK);
    assert_int_equal(value.value, 7);
    // An object of another interface, and one that never was.
    assert_int_equal(cell_value(&client, root, &value), RPC_VERSION);
    assert_int_equal(cell_value(&client, 0, &value), ERR_STALE);
    assert_int_equal(cell_value(&client, UINT64_MAX, &value), ERR_STALE);
}

static void test_version(void **state)
{
    uint64_t id = 5;

    (void)state;
    assert_int_equal(rpc_bind(&client, CELL_SIGNATURE, &id), RPC_VERSION);
    assert_int_equal(id, 0);
    assert_int_equal(rpc_bind(&client, EVERY_SIGNATURE + 1, &id), RPC_VERSION);
    object[0].interface = NULL;
    assert_int_equal(rpc_bind(&client, EVERY_SIGNATURE, &id), RPC_VERSION);
}

// No answer: the call is signalled again, and given up in time.  A late answer is not taken for that of the next call.
static void test_silence(void **state)
{
    struct every_integers_in in = {.d = 1};
    struct every_integers_out out;

    (void)state;
    deaf = true;
    channel.again = 10000;
    client.patience = 1000000;
    unsigned before = rung;
    assert_int_equal(every_integers(&client, root, &in, &out), ERR_TIMEOUT);
    assert_true(rung > before + 1);
    deaf = false;
    client.patience = UINT64_MAX / 2;
    in.d = 2;
    assert_int_equal(every_integers(&client, root, &in, &out), ERR_OK);
    assert_int_equal(out.sum, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_integers, set_up), cmocka_unit_test_setup(test_text, set_up),
        cmocka_unit_test_setup(test_arrays, set_up),   cmocka_unit_test_setup(test_bounds, set_up),
        cmocka_unit_test_setup(test_objects, set_up),  cmocka_unit_test_setup(test_version, set_up),
        cmocka_unit_test_setup(test_silence, set_up),  cmocka_unit_test_setup(test_hostile, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
