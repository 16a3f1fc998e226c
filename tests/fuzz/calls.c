// calls.c - libFuzzer on the decoding of calls: bytes become a sequence of calls, touches and interrupts.
//
// There is a space of activations, too: the input is what its program has written into its words, and steps write more.
// The machine is arch/host with one processor and tiny caches.  Each record of the input is 16 bytes: what to do, which
// arguments are taken as they are and which are replaced by something that exists.  Every invariant is checked at the
// end of the input.
//
//   clang -fsanitize=fuzzer,address: see CMakeLists.txt; a crash file is given as the argument to repeat it.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <abi/activation.h>
#include <abi/syscalls.h>

#include "arch/host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCRIBBLE = 40 };        // to 47; from 48 on a touch, from 64 on time passes

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

// ---- a space of activations -----------------------------------------------------------------------------------

enum { ACTIVATIONS = 2, SLOTS = 4, PRIORITY = 3, UPCALL = 0x500000, AREA = 0x10000000 };

static pa_t area;

static void load(uint64_t number, const void *descriptor, size_t size, pa_t page)
{
    const uint64_t a[6] = {ABI_WINDOW + page};
    uint64_t id;

    memcpy(host_at(page), descriptor, size);
    if (host_call(0, number, a, &id) != ERR_OK) {
        __builtin_trap();
    }
    know(id);
}

// At `at`, with the input as its program's words; every other input has slots that can be used.
static void make_activations(pa_t at, const uint8_t *data, size_t size)
{
    pa_t page = at;
    uint64_t length = area_size(ACTIVATIONS, SLOTS);
    struct space_desc d = {.rule = TRAP_NATIVE, .place = at + ABI_PAGE, .schedule = SCHEDULE_ACTIVATIONS,
                           .priority = PRIORITY, .activations = ACTIVATIONS, .slots = SLOTS,
                           .area = at + 2 * ABI_PAGE, .area_va = AREA, .upcall = UPCALL};

    area = d.area;
    uint8_t *words = host_at(area + ABI_PAGE);
    for (uint64_t i = 0; size != 0 && i < length - ABI_PAGE; i++) {
        words[i] = data[i % size];
    }
    struct space_user_page *user = host_at(area + ABI_PAGE);
    for (uint32_t i = 0; size != 0 && data[0] % 2 == 0 && i < SLOTS_MOST; i++) {
        user->slot[i] = i % SLOTS;
    }
    load(SYS_space_load, &d, sizeof(d), page);
    oid_t space = known[(known_count - 1) % 16];
    for (uint32_t i = 0; i < ACTIVATIONS; i++) {
        pa_t state = area + length + i * ABI_PAGE;
        struct thread_desc t = {.space = space, .priority = PRIORITY, .state = state, .activation = i,
                                .state_va = ABI_WINDOW + state, .xstack = ABI_WINDOW + state + ABI_PAGE};
        ((struct thread_state *)host_at(state))->run = RUN_FRESH;
        load(SYS_thread_load, &t, sizeof(t), page);
    }
    know(area);
}

// The program, or its owner, writes a word.
static void scribble(const struct step *s)
{
    uint64_t at = (s->pick[0] | (uint64_t)s->pick[1] << 8) * sizeof(uint64_t);
    uint64_t words = area_size(ACTIVATIONS, SLOTS) - ABI_PAGE;
    struct space_kernel_page *page = host_at(area);

    if (s->flags & 1) {
        page->told[s->pick[2] % UPCALL_KINDS] = s->raw;
    } else if (s->flags & 2) {                 // the first words of all
        at %= sizeof(uint64_t) * 4;
    }
    memcpy(host_at(area + ABI_PAGE + at % words), &s->raw, sizeof(s->raw));
}

static void play(const struct step *s)
{
    struct cpu *cpu = host_enter(0);
    struct thread *t = cpu->thread;
    pa_t pa;

    if (s->what >= SCRIBBLE && s->what < 48) {
        scribble(s);
        return;
    }
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
    make_activations(base + 8 * ABI_PAGE, data, size < 1024 ? size : 1024);
    host_call_once(0, SYS_wait, (uint64_t[6]){host.clock + 1 + (size > 1 ? data[1] * 64 : 0)});      // its turn
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
