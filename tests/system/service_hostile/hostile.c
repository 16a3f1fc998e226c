// hostile.c - a kernel that misuses srm's service in every way it can, and dies in the middle of a call.
//
// It has no console; its value says how it went: GOOD, or the number of what srm answered wrongly.
// tests/system/service runs beside it.
#include "../service/client.h"

enum { GOOD = 77, GARBAGE = 3000, STORM = 3000 };

static uint64_t seed = 7;

static uint64_t next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
}

static void require(bool good, uint64_t number)
{
    if (!good) {
        thread_end(number);
    }
}

static void ring_any(void)
{
    uint64_t receivers;
    (void)client_ring(info->service_va + next() % ABI_PAGE, &receivers);
}

// Any word of the page, also turns that come next and lengths that are too long.
static void garbage(void)
{
    struct com_page *page = window(info->service);

    for (unsigned i = 0; i < GARBAGE; i++) {
        struct com_slot *s = &page->slot[next() % COM_SLOTS];
        s->turn = next() % 2 ? (uint32_t)next() : srm_channel.calls.next + (uint32_t)(next() % 24);
        s->length = next() % 4 ? (uint32_t)(next() % (COM_MESSAGE + 20)) : (uint32_t)next() * 3;
        s->data[next() % (COM_MESSAGE / 8)] = next() << 32 | next();
        ring_any();
    }
}

static void headers(uint64_t account)
{
    for (unsigned i = 0; i < GARBAGE / 4; i++) {
        struct wire_header h = {WIRE_MAGIC, (uint16_t)(next() % 5), (uint16_t)(next() % 9), next(), account,
                                next() % 3 ? ACCOUNT_SIGNATURE : GRANT_SIGNATURE, 0, (uint32_t)(next() % 64)};
        uint64_t message[16];
        for (unsigned k = 0; k < 16; k++) {
            message[k] = next() % 2 ? next() : next() << 40;
        }
        memcpy(message, &h, sizeof(h));
        (void)com_send(&srm_channel.calls, message, sizeof(h) + (next() % 2 ? h.length : next() % 64));
    }
}

// The server's numbering of messages was led astray: a new beginning, behind whatever it expects now.
static uint64_t find_account(void)
{
    struct com_page *page = window(info->service);
    uint64_t account = 0;

    srm_client.patience = milliseconds(20);
    for (unsigned i = 0; i < 400 && account == 0; i++) {
        memset(page, 0, sizeof(*page));
        srm_channel.calls.next = i * 0x01000000u + 1 + (uint32_t)(next() % 8);
        (void)rpc_bind(&srm_client, ACCOUNT_SIGNATURE, &account);
    }
    srm_client.patience = milliseconds(60000);       // the host may be slow
    return account;
}

static void no_rights(uint64_t account)
{
    struct account_more_out more;
    struct grant_where_out where;

    require(account_more(&srm_client, account, &(struct account_more_in){1}, &more) == ERR_LIMIT, 10);
    require(account_more(&srm_client, account, &(struct account_more_in){0x80000001}, &more) == ERR_INVAL, 11);
    require(account_priority(&srm_client, account, &(struct account_priority_in){31}) == ERR_DENIED, 12);
    for (uint64_t id = 0; id < 40; id++) {
        require(grant_give(&srm_client, id) == ERR_STALE, 13);
        require(grant_where(&srm_client, 1ull << 16 | (id + 1), &where) == ERR_STALE, 14);
    }
    require(grant_give(&srm_client, account) == RPC_VERSION, 15);
}

unsigned test_main(void)
{
    uint64_t account = 0;

    client_open();
    require(rpc_bind(&srm_client, ACCOUNT_SIGNATURE, &account) == ERR_OK, 1);
    no_rights(account);
    for (unsigned i = 0; i < STORM; i++) {
        ring_any();
    }
    require(account_null(&srm_client, account) == ERR_OK, 2);
    headers(account);
    garbage();
    require(find_account() == account, 3);
    no_rights(account);
    // Dies with a call in the page, its signal sent and the answer on its way.
    struct wire_header h = {WIRE_MAGIC, WIRE_CALL, 1, 1, account, ACCOUNT_SIGNATURE, 0, 0};
    for (unsigned i = 0; i < 2 * COM_SLOTS; i++) {
        (void)com_send(&srm_channel.calls, &h, sizeof(h));
    }
    thread_end(GOOD);
}
