// call.c - what programs ask: each argument checked, then done.  See lib/native/native.h.
#include <base.h>
#include <device.h>
#include <sys.h>

#include "program.h"

enum { NAME_MOST = 120, BUSY = 100000 }; // BUSY: nanoseconds until a busy port is tried again

static struct ak_mutex console;          // a line is written as a whole

static err_t call_exit(struct task *t, struct call *c)
{
    program_lock(t);
    program_end(t->program, t, c->a & 0xff);
    program_unlock(t);
    return ERR_OK;
}

// One line's worth.
static err_t put(struct task *t, const char *text, size_t length)
{
    uint64_t taken = 0;
    err_t e = ERR_OK;

    ak_mutex_lock(&console, &t->thread);
    for (size_t done = 0; done < length && e == ERR_OK; done += taken) {
        e = device_write(ak_info, DEVICE_TERMINAL, text + done, length - done, &taken);
        if (e == ERR_OK && taken == 0) {
            (void)ak_block(&t->thread, ak_now() + ak_ticks_from_ns(BUSY));
        }
    }
    ak_mutex_unlock(&console);
    return e;
}

static err_t call_write(struct task *t, struct call *c)
{
    uint64_t length = c->b;
    char text[NATIVE_LINE];

    if (length > ABI_USER_END) {
        return ERR_INVAL;
    }
    while (c->value < length) {
        size_t n = length - c->value < sizeof(text) ? length - c->value : sizeof(text);
        err_t e = memory_copy_in(t, text, c->a + c->value, n);
        e = e == ERR_OK ? put(t, text, n) : e;
        if (e != ERR_OK) {
            return e;
        }
        c->value += n;
    }
    return ERR_OK;
}

// ---- memory -----------------------------------------------------------------------------------------------

static bool whole_pages(uint64_t length)
{
    return length != 0 && length % ABI_PAGE == 0 && length <= NATIVE_MAPS_END - NATIVE_MAPS;
}

static bool guard_valid(uint64_t guard, uint64_t length)
{
    return guard == 0 || (guard >= 2 * ABI_PAGE && guard <= 1u << 30 && (guard & (guard - 1)) == 0 &&
                          length % guard == 0);
}

// Bind what `like` says at a free address.  The lock is held.
static err_t bind(struct program *p, struct region *like, uint64_t length, uint64_t align, va_t *va)
{
    like->start = aspace_gap(&p->as, NATIVE_MAPS, NATIVE_MAPS_END, length, align);
    like->end = like->start + length;
    if (like->start == 0) {
        return ERR_LIMIT;
    }
    *va = like->start;
    return aspace_bind(&p->as, like);
}

static err_t call_map(struct task *t, struct call *c)
{
    uint64_t length = c->a, access = c->b, guard = c->c;

    if (!whole_pages(length) || (access & ~(uint64_t)(MAP_READ | MAP_WRITE)) || !guard_valid(guard, length)) {
        return ERR_INVAL;
    }
    struct region like = {.access = (uint32_t)access, .most = MAP_READ | MAP_WRITE, .tag = (uint32_t)guard};
    program_lock(t);
    err_t e = bind(t->program, &like, length, guard != 0 ? guard : ABI_PAGE, &c->value);
    program_unlock(t);
    return e;
}

static bool in_maps(uint64_t va, uint64_t length)
{
    return whole_pages(length) && va % ABI_PAGE == 0 && va >= NATIVE_MAPS && va < NATIVE_MAPS_END &&
           length <= NATIVE_MAPS_END - va;
}

static err_t call_unmap(struct task *t, struct call *c)
{
    if (!in_maps(c->a, c->b)) {
        return ERR_INVAL;
    }
    program_lock(t);
    err_t e = aspace_unbind(&t->program->as, c->a, c->a + c->b);
    program_unlock(t);
    return e;
}

static err_t call_protect(struct task *t, struct call *c)
{
    if (!in_maps(c->a, c->b) || (c->c & ~(uint64_t)(MAP_READ | MAP_WRITE))) {
        return ERR_INVAL;
    }
    program_lock(t);
    err_t e = aspace_protect(&t->program->as, c->a, c->a + c->b, (uint32_t)c->c);
    program_unlock(t);
    return e;
}

static err_t call_map_file(struct task *t, struct call *c)
{
    uint64_t length = (c->c + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1), size;
    const uint8_t *bytes;
    char name[NAME_MOST + 1] = "";

    if (c->b > NAME_MOST || !whole_pages(length) || c->d > NATIVE_TICKS_MOST) {
        return ERR_INVAL;
    }
    err_t e = memory_copy_in(t, name, c->a, c->b);
    if (e != ERR_OK) {
        return e;
    }
    if (!file_find(name, &bytes, &size)) {
        return ERR_STALE;
    }
    program_lock(t);
    struct segment *s = file_segment(t->program, bytes, size < c->c ? size : c->c, 0, c->d);
    e = ERR_LIMIT;
    if (s != NULL) {
        struct region like = {.access = MAP_READ, .most = MAP_READ, .shared = true, .segment = s};
        e = bind(t->program, &like, length, ABI_PAGE, &c->value);
        if (e != ERR_OK) {
            segment_put(s);
        }
    }
    program_unlock(t);
    return e;
}

// ---- time -------------------------------------------------------------------------------------------------

static err_t call_block(struct task *t, struct call *c)
{
    if (c->a > NATIVE_TICKS_MOST) {
        return ERR_INVAL;
    }
    task_sleep(t, ak_now() + c->a);
    return ERR_OK;
}

static err_t call_clock(struct task *t, struct call *c)
{
    (void)t;
    c->value = system_parallel_clock(ak_system);
    return ERR_OK;
}

// ---- threads ----------------------------------------------------------------------------------------------

static err_t call_thread_create(struct task *t, struct call *c)
{
    struct task_start start = {.entry = c->a, .stack = c->b, .argument = c->c, .fs_base = c->d, .name = c->b,
                               .priority = (uint32_t)t->thread.state->frame[0].r8};     // the fifth argument

    if (start.priority == NATIVE_PRIORITY_SAME) {
        start.priority = __atomic_load_n(&t->thread.priority, __ATOMIC_RELAXED);
    }
    if (start.priority > t->program->highest || c->a >= ABI_USER_END || c->b % 16 != 0 || c->b < 16 ||
        c->b > ABI_USER_END || c->d >= ABI_USER_END) {
        return ERR_INVAL;
    }
    if (t->program->schedule != SCHEDULE_THREADS) {
        return ERR_DENIED;
    }
    program_lock(t);
    err_t e = task_create(t->program, &start);
    program_unlock(t);
    return e;
}

static err_t call_thread_exit(struct task *t, struct call *c)
{
    uint8_t *at;

    if (t->program->schedule != SCHEDULE_THREADS) {
        return ERR_DENIED;
    }
    if (c->a != 0) {
        if (c->a % sizeof(uint32_t) != 0) {
            return ERR_INVAL;
        }
        program_lock(t);
        err_t e = memory_reach(t, c->a, E_WRITE, &at);
        if (e == ERR_OK) {
            __atomic_store_n((uint32_t *)at, (uint32_t)c->b, __ATOMIC_SEQ_CST);
            (void)wake_locked(t->program, c->a, UINT64_MAX);
        }
        program_unlock(t);
        if (e != ERR_OK) {
            return e;
        }
    }
    task_exit(t);
}

static err_t call_thread_priority(struct task *t, struct call *c)
{
    struct program *p = t->program;
    struct task *of;

    if (p->schedule != SCHEDULE_THREADS) {
        return ERR_DENIED;
    }
    if (c->b > p->highest) {
        return ERR_INVAL;
    }
    program_lock(t);
    for (of = p->tasks; of != NULL && of->name != c->a; of = of->next) {
    }
    if (of != NULL) {
        ak_thread_set_priority(&of->thread, (uint32_t)c->b);     // here: it cannot end meanwhile
    }
    program_unlock(t);
    return of != NULL ? ERR_OK : ERR_STALE;
}

static err_t call_upcalls(struct task *t, struct call *c)
{
    struct upcalls u = {.area = c->a, .entry = c->d, .activations = (uint32_t)c->b, .slots = (uint32_t)c->c};

    if (c->b == 0 || c->b > ACTIVATIONS_MOST || c->c == 0 || c->c > SLOTS_MOST || !in_maps(c->a, ABI_PAGE) ||
        c->d >= ABI_USER_END) {
        return ERR_INVAL;
    }
    return t->program->schedule == SCHEDULE_THREADS ? virtual_begin(t, &u) : ERR_DENIED;
}

static err_t call_alarm(struct task *t, struct call *c)
{
    if (t->program->schedule != SCHEDULE_THREADS) {
        return ERR_DENIED;
    }
    virtual_alarm(t->program, c->a);
    return ERR_OK;
}

static err_t call_wait(struct task *t, struct call *c)
{
    return wait_at(t, c->a, (uint32_t)c->b, c->c);
}

static err_t call_wake(struct task *t, struct call *c)
{
    return wake_at(t, c->a, c->b, &c->value);
}

err_t call_make(struct task *t, uint64_t number, struct call *c)
{
    static err_t (*const calls[])(struct task *t, struct call *c) = {
        [NATIVE_EXIT - NATIVE_FIRST] = call_exit,
        [NATIVE_WRITE - NATIVE_FIRST] = call_write,
        [NATIVE_MAP - NATIVE_FIRST] = call_map,
        [NATIVE_UNMAP - NATIVE_FIRST] = call_unmap,
        [NATIVE_PROTECT - NATIVE_FIRST] = call_protect,
        [NATIVE_MAP_FILE - NATIVE_FIRST] = call_map_file,
        [NATIVE_BLOCK - NATIVE_FIRST] = call_block,
        [NATIVE_CLOCK - NATIVE_FIRST] = call_clock,
        [NATIVE_THREAD_CREATE - NATIVE_FIRST] = call_thread_create,
        [NATIVE_THREAD_EXIT - NATIVE_FIRST] = call_thread_exit,
        [NATIVE_WAIT - NATIVE_FIRST] = call_wait,
        [NATIVE_WAKE - NATIVE_FIRST] = call_wake,
        [NATIVE_THREAD_PRIORITY - NATIVE_FIRST] = call_thread_priority,
        [NATIVE_UPCALLS - NATIVE_FIRST] = call_upcalls,
        [NATIVE_ALARM - NATIVE_FIRST] = call_alarm,
    };
    uint64_t index = number - NATIVE_FIRST;

    return index < sizeof(calls) / sizeof(calls[0]) ? calls[index](t, c) : ERR_NOCALL;
}
