// activations.c - for tests of spaces of activations.
#include "activations.h"

static pa_t next_frame;
uint64_t value;

int64_t call(uint32_t n, uint64_t number, uint64_t x, uint64_t y, uint64_t z)
{
    const uint64_t args[6] = {x, y, z};
    int64_t e = host_call(n, number, args, &value);

    host_check();
    return e;
}

void settle(void)
{
    host_deliver_all();
    host_check();
}

pa_t frames(unsigned n)
{
    pa_t pa = next_frame;

    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

struct space_kernel_page *page_of(const struct party *p)
{
    return host_at(p->area);
}

struct space_user_page *user_of(const struct party *p)
{
    return host_at(p->area + ABI_PAGE);
}

struct activation_user *words(const struct party *p, uint32_t index)
{
    return (struct activation_user *)host_at(p->area + area_user_blocks(p->activations)) + index;
}

struct upcall_slot *slot(const struct party *p, uint32_t i)
{
    return (struct upcall_slot *)host_at(p->area + area_slots(p->activations)) + i;
}

void give(struct party *p, uint32_t i)
{
    slot(p, i)->stack = STACKS + (va_t)(i + 1) * 0x10000;
    user_of(p)->slot[p->given++ % SLOTS_MOST] = i;
    user_of(p)->slots_given = p->given;
}

struct space_desc describe(struct party *p)
{
    return (struct space_desc){.rule = TRAP_NATIVE, .place = frames(1), .schedule = SCHEDULE_ACTIVATIONS,
                               .priority = PRIORITY - p->lower, .activations = p->activations, .slots = p->slots,
                               .area = p->area, .area_va = AREA, .upcall = UPCALL};
}

int64_t load_space(struct party *p)
{
    struct space_desc d = describe(p);
    pa_t page = frames(1);

    memcpy(host_at(page), &d, sizeof(d));
    int64_t e = call(0, SYS_space_load, ABI_WINDOW + page, 0, 0);
    p->space = value;
    return e;
}

int64_t load_activation(struct party *p, uint32_t i, uint32_t run)
{
    pa_t page = frames(1);
    struct thread_state *s = host_at(p->state[i]);
    struct thread_desc d = {.space = p->space, .priority = PRIORITY - p->lower, .state = p->state[i], .activation = i,
                            .state_va = ABI_WINDOW + p->state[i], .xstack = ABI_WINDOW + p->state[i] + 2 * ABI_PAGE};

    s->run = run;
    memcpy(host_at(page), &d, sizeof(d));
    int64_t e = call(0, SYS_thread_load, ABI_WINDOW + page, 0, 0);
    p->thread[i] = value;
    return e;
}

void make(struct party *p, uint32_t activations, uint32_t slots, uint32_t wanted)
{
    *p = (struct party){.activations = activations, .slots = slots, .lower = p->lower};
    p->area = frames((unsigned)(area_size(activations, slots) / ABI_PAGE));
    for (uint32_t i = 0; i < slots; i++) {
        give(p, i);
    }
    user_of(p)->wanted = wanted;
    assert_int_equal(load_space(p), ERR_OK);
    for (uint32_t i = 0; i < activations; i++) {
        p->state[i] = frames(2);
        assert_int_equal(load_activation(p, i, RUN_FRESH), ERR_OK);
    }
    settle();
}

void activations_begin(void)
{
    next_frame = host_instance()->info->range[0].base;
    host_instance()->cpu[0].thread->affinity = 1;
}

void boot(uint32_t cpus)
{
    host_boot(cpus, 64 << 20, "kernels=4 spaces=8 threads=64 mappings=1024");
    activations_begin();
}

void first_sleeps(void)
{
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    settle();
}

void first_wakes(void)
{
    struct thread *t = thread_find(host_instance(), host_instance()->info->thread);
    struct cpu *cpu = host_enter(0);

    instance_lock(cpu);
    sched_signal(cpu, t);
    sched_exit(cpu);
    instance_unlock(cpu);
    settle();
}

int running(const struct party *p, uint32_t n)
{
    const struct thread *t = host_instance()->cpu[n].thread;
    return t != NULL && t->home != NULL && t->home->o.id == p->space && t->act == ACT_CLAIM ? (int)t->index : -1;
}

void have(struct party *p, uint32_t cpus, uint32_t activations, uint32_t slots)
{
    boot(cpus);
    make(p, activations, slots, cpus);
    first_sleeps();
}

void have_timers(struct party *p, uint32_t cpus, uint32_t activations, uint32_t slots)
{
    boot(cpus);
    make(p, activations, slots, cpus);
    user_of(p)->tick = 1;
    first_sleeps();
}

struct thread_state *state_of(const struct party *p, int i)
{
    return host_at(p->state[i]);
}

void unload(struct party *p, int i)
{
    while (call(0, SYS_thread_unload, p->thread[i], 0, 0) == ERR_AGAIN) {
        settle();
    }
    settle();
    assert_int_equal(state_of(p, i)->loaded, 0);
}

uint64_t times_told(const struct party *p, uint32_t kind)
{
    return page_of(p)->told[__builtin_ctz(kind)];
}

void held_right(const struct party *p)
{
    uint64_t runs = 0;

    for (uint32_t n = 0; n < host_instance()->cpus; n++) {
        runs |= (uint64_t)(running(p, n) >= 0) << n;
    }
    assert_int_equal(page_of(p)->holds, runs);
    assert_int_equal(page_of(p)->held, __builtin_popcountll(runs));
}

void accounts_balance(const struct party *p)
{
    const struct space_kernel_page *k = page_of(p);

    assert_int_equal(k->pending, 0);
    assert_int_equal(times_told(p, UPCALL_ADDED) - times_told(p, UPCALL_TAKEN) - k->released, k->held);
}

struct frame *frame_on(uint32_t n)
{
    return host_instance()->cpu[n].frame;
}

uint32_t begun(struct party *p, uint32_t n, struct upcall_slot *out[UPCALL_BATCH])
{
    const struct frame *f = frame_on(n);
    uint64_t i = f->rdi;
    uint32_t kinds = 0, count = 0;

    assert_int_equal(f->rip, UPCALL);
    assert_true(i < p->slots && running(p, n) >= 0);
    assert_int_equal(f->rsp, slot(p, (uint32_t)i)->stack - 8);
    assert_int_equal(f->rdx, AREA + area_kernel_blocks() + (uint64_t)running(p, n) * sizeof(struct activation_kernel));
    for (uint32_t s = (uint32_t)i; s != SLOT_NONE; s = slot(p, s)->next) {
        assert_true(count < UPCALL_BATCH);
        out[count++] = slot(p, s);
        kinds |= slot(p, s)->kinds;
    }
    assert_int_equal(count, f->rsi);
    return kinds;
}

void works(uint32_t n, uint64_t mark)
{
    struct frame *f = frame_on(n);

    f->rip = HOST_TEXT + mark;
    f->rbx = mark;
    f->rsp = 0x700000;
}

void trap(uint32_t n)
{
    const uint64_t args[6] = {0};

    host_call_once(n, FORWARDED, args);
    assert_int_equal(frame_on(n)->rip, HOST_TRAP);
    host_check();
}
