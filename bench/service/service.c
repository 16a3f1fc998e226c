// service.c - an application kernel that measures calls of srm: from the stub, to srm's function and back.
//
// It boots under srm.  Each number is the median of single calls in ticks of the clock, which counts instructions, of
// this kernel, of srm and of the supervisor; both kernels run on one processor.
#include <appkernel.h>
#include <base.h>
#include <device.h>
#include <rpc_channel.h>
#include <srm_stubs.h>
#include <sys.h>

enum { SAMPLES = 256, PATIENCE = 1000000000 };

const char ak_name[] = "bench";

static struct rpc_channel channel;
static struct rpc_client client = {&rpc_channel_transport, &channel, PATIENCE, 0};
static uint64_t sample[SAMPLES], account;

_Noreturn void service_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void service_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(service_trap, service_fault, service_trap);

void service_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_panic("stopped at %lx", (unsigned long)s->frame[depth].rip);
}

void service_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    while (com_fault(&s->frame[depth])) {
        (void)sys_resume(0);
    }
    service_trap(s, cookie, depth);
}

static void wait(struct rpc_channel *r, uint64_t deadline)
{
    va_t va;

    (void)r;
    (void)sys_wait_signal(deadline, &va);
}

static void print(const char *name, uint64_t count)
{
    char line[80];
    uint64_t taken;

    int n = base_format(line, sizeof(line), "bench %s %lu\n", name, (unsigned long)count);
    (void)device_write(ak_info, DEVICE_TERMINAL, line, (size_t)n, &taken);
}

static uint64_t median(void)
{
    for (unsigned i = 1; i < SAMPLES; i++) {
        uint64_t v = sample[i];
        unsigned k = i;
        for (; k > 0 && sample[k - 1] > v; k--) {
            sample[k] = sample[k - 1];
        }
        sample[k] = v;
    }
    return sample[SAMPLES / 2];
}

int ak_main(const struct kernel_info *info)
{
    struct account_kernel_out other;
    uint32_t e = ERR_OK;

    (void)sys_mapping_load(info->space, info->service_va, info->service, MAP_WRITE | MAP_MESSAGE);
    com_open(&channel.calls, NULL, ak_window(info->service), info->service_va);
    com_open(&channel.answers, NULL, ak_window(info->service + ABI_PAGE), info->service_va + ABI_PAGE);
    channel.wait = wait;
    channel.again = PATIENCE;
    if (rpc_bind(&client, ACCOUNT_SIGNATURE, &account) != ERR_OK) {
        return 1;
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t begin = ak_now();
        e |= account_null(&client, account);
        sample[i] = ak_now() - begin;
    }
    print("rpc_round_trip", median());
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t begin = ak_now();
        e |= account_kernel(&client, account, &(struct account_kernel_in){0}, &other);
        sample[i] = ak_now() - begin;
    }
    print("rpc_fields", median());
    return e != ERR_OK;
}
