// calls.c - libFuzzer on the decoding of calls: bytes become a sequence of calls, touches and interrupts.
//
// The machine is arch/host with one processor and tiny caches.  Each record of the input is 16 bytes: what to do, which
// arguments are taken as they are and which are replaced by something that exists.  Every invariant is checked at the
// end of the input.
//
//   clang -fsanitize=fuzzer,address: see CMakeLists.txt; a crash file is given as the argument to repeat it.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <abi/syscalls.h>

#include "arch/host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct step {
    uint8_t  what;
    uint8_t  pick[6];          // for each argument: 0 raw, else an index into what exists
    uint8_t  flags;
    uint64_t raw;
};

static uint64_t known[16];     // ids, addresses and frames that exist
static unsigned known_count;

static void know(uint64_t x)
{
    known[known_count++ % 16] = x;
}

static uint64_t argument(const struct step *s, unsigned i)
{
    return s->pick[i] == 0 ? s->raw >> (i * 8 % 64) : s->pick[i] < 128 ? known[s->pick[i] % 16] : s->pick[i] & 127;
}

static void play(const struct step *s)
{
    struct cpu *cpu = host_enter(0);
    struct thread *t = cpu->thread;
    pa_t pa;

    if (t == NULL || s->what >= 64) {
        host_advance(s->raw & 4095);
        return;
    }
    if (t->depth == ABI_MAX_DEPTH) {           // another fault of the first kernel would be its panic
        uint64_t none[6] = {0};
        host_call_once(0, SYS_resume, none);
        return;
    }
    if (s->what >= 48) {
        host_touch(0, argument(s, 0), (uint32_t[]){MAP_READ, MAP_WRITE, MAP_EXEC}[s->what % 3], &pa);
        return;
    }
    uint64_t a[6];
    for (unsigned i = 0; i < 6; i++) {
        a[i] = argument(s, i);
    }
    bool own = t->o.id == host_instance()->info->thread;
    if (s->what == SYS_power_off || (s->what == SYS_thread_unload && (a[0] == 0 || a[0] == t->o.id) && own)) {
        return;
    }
    struct frame *f = cpu->frame;
    if (host_call_once(0, s->what, a) && cpu->thread == t && cpu->frame == f && f->rax == ERR_OK) {
        know(f->rdx);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step s;

    host_boot(1, 32 << 20, "kernels=2 spaces=3 threads=4 mappings=64 slice=100");
    pa_t base = host_instance()->info->range[0].base;
    known_count = 0;
    know(host_instance()->info->space);
    know(host_instance()->info->kernel);
    know(base);
    know(base + ABI_PAGE);
    know(ABI_WINDOW + base + 2 * ABI_PAGE);
    know(0x10000);
    know(0x40000000);
    size_t n = size < 1024 ? size : 1024;      // the tail of the input fills the page that pointers name
    memcpy(host_at(base + 2 * ABI_PAGE), data + size - n, n);
    for (; size >= sizeof(s); data += sizeof(s), size -= sizeof(s)) {
        memcpy(&s, data, sizeof(s));
        play(&s);
    }
    host_check();
    host_shutdown();
    return 0;
}
