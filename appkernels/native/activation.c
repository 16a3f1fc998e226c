// activation.c - programs that schedule their own threads: the area, activations, loading them again, the end.
//
// An activation is a thread whose descriptor the supervisor uses for upcalls (abi/activation.h).  This kernel makes so
// many as the program's note says and loads all of them, fresh; afterwards it only loads again what has been written
// back: the space, and each activation as its state page says it is.  ak_service() does not load them (`scheduled`):
// they need the program's space, and what is in the program must not be started in a handler.  The keeper does, a
// thread of each such program; the service thread looks at the `loaded` words after each writeback and wakes it.
//
// A handler of an activation that waits, waits: that is `blocked`; its resume() is `unblocked`.
//
// The keeper takes no lock that an activation can hold, as the service thread: it may have to load the one who has it.
// Where it needs the program's lock it tries, and comes again a little later.
//
// Where descriptors are few, loading one writes another back.  So fresh ones are loaded into free descriptors only, but
// for as many as the program may need next: one that is not there does not begin an upcall, find that a page of its
// stack is missing, and wait behind the others.  What has begun comes round, so that nobody is written back for another
// one before it has run.
//
// The end: the space is unloaded, and with it what is in the program.  What is in a handler is loaded again until it
// finds that the program ends (task_return) and leaves; then it waits for the keeper to bury it, who is the last.
//
// Scheduler Activations, 3.1 and 4.3 (used-up activations; many loads at once).
#include <base.h>
#include <sys.h>

#include "program.h"

enum { FEW = 1 };                        // activations beyond one for each processor
enum { MAPPINGS_EACH = 6 };              // in the cache, for each slot: it and its stack are touched on two pages

static struct place *place_of(const struct program *p)
{
    return ak_window(p->place);
}

static bool is_loaded(const struct task *t)
{
    return __atomic_load_n(&t->thread.state->loaded, __ATOMIC_ACQUIRE) != 0;
}

// ---- the area ---------------------------------------------------------------------------------------------

// Bytes [from, end) of the area.
static bool show(struct program *p, struct segment *s, uint64_t from, uint64_t end, uint32_t access)
{
    struct region like = {.start = p->info->area + from, .end = p->info->area + end, .access = access, .most = access,
                          .shared = true, .segment = s, .page = from / ABI_PAGE};

    segment_get(s);
    if (aspace_bind(&p->as, &like) != ERR_OK) {
        segment_put(s);
        return false;
    }
    return true;
}

static bool show_area(struct program *p, uint64_t size)
{
    static const struct segment_ops defaults;
    struct segment *s = segment_create(&defaults, &p->manager);
    uint64_t users = area_user_blocks(p->info->activations);

    for (uint64_t at = 0; s != NULL && at < size; at += ABI_PAGE) {
        if (segment_set(s, at / ABI_PAGE, p->area + at) != ERR_OK) {
            return false;
        }
    }
    return s != NULL && show(p, s, 0, ABI_PAGE, MAP_READ) && show(p, s, ABI_PAGE, 2 * ABI_PAGE, MAP_READ | MAP_WRITE) &&
           show(p, s, area_kernel_blocks(), users, MAP_READ) && show(p, s, users, size, MAP_READ | MAP_WRITE);
}

// Each slot is given, with a stack.
static bool give_slots(struct program *p)
{
    struct space_user_page *user = ak_window(p->area + ABI_PAGE);
    struct upcall_slot *slot = ak_window(p->area + area_slots(p->info->activations));
    uint64_t length = p->note.slots * NATIVE_UPCALL_STACK;
    struct region like = {.access = MAP_READ | MAP_WRITE, .most = MAP_READ | MAP_WRITE, .tag = NATIVE_UPCALL_STACK};

    like.start = aspace_gap(&p->as, NATIVE_MAPS, NATIVE_MAPS_END, length, NATIVE_UPCALL_STACK);
    like.end = like.start + length;
    if (like.start == 0 || aspace_bind(&p->as, &like) != ERR_OK) {
        return false;
    }
    for (uint32_t i = 0; i < p->note.slots; i++) {
        slot[i].stack = like.start + (i + 1) * (uint64_t)NATIVE_UPCALL_STACK - NATIVE_UPCALL_ROOM;
        user->slot[i] = i;
    }
    user->slots_given = (uint32_t)p->note.slots;
    user->wanted = 1;
    return true;
}

// Slots are filled in turn, so each upcall touches pages that nobody has touched for long.  Those of all slots are to
// be a part of the mappings that there are; twice the activations is what a program needs to get on.
static uint64_t slots_that_fit(const struct native_note *n)
{
    uint64_t least = 2 * n->activations, fit = ak_system->mappings / MAPPINGS_EACH;

    fit = fit > least ? fit : least;
    return n->slots < fit ? n->slots : fit;
}

bool activation_note_ok(const struct native_note *n)
{
    return n->activations != 0 && n->activations <= ACTIVATIONS_MOST && n->slots != 0 && n->slots <= SLOTS_MOST &&
           n->upcall < ABI_USER_END;
}

bool activation_area(struct program *p)
{
    struct native_note *n = &p->note;

    n->slots = slots_that_fit(n);
    uint32_t activations = (uint32_t)n->activations, slots = (uint32_t)n->slots;
    uint64_t size = area_size(activations, slots);
    p->area = ak_frame_alloc_run((unsigned)(size / ABI_PAGE));
    p->info->schedule = NATIVE_ACTIVATIONS;
    p->info->activations = activations;
    p->info->slots = slots;
    p->info->area = aspace_gap(&p->as, NATIVE_MAPS, NATIVE_MAPS_END, size, ABI_PAGE);
    if (p->area == 0 || p->info->area == 0) {
        return false;
    }
    memset(ak_window(p->area), 0, size);
    return show_area(p, size) && give_slots(p);
}

// ---- loading ----------------------------------------------------------------------------------------------

// How an activation goes on that is not loaded.  False: its program's registers are bad.
static bool prepare(struct task *t)
{
    struct thread_state *s = t->thread.state;

    if (s->reason == REASON_DOUBLE_FAULT || (s->reason == REASON_BAD_STATE && s->depth > 0)) {
        ak_panic("activation %u failed in its handler: rip %lx address %lx", t->index,
                 (unsigned long)s->frame[s->depth].rip, (unsigned long)s->frame[s->depth].addr);
    }
    if (s->reason == REASON_BAD_STATE) {
        return false;
    }
    if (s->depth == 1 && (s->frame[0].kind & AK_RETURNING)) {
        s->frame[1].rip = (va_t)task_resume;
        s->frame[1].rdi = (uint64_t)t;
        s->frame[1].rsp = t->thread.xstack - 8;
        s->frame[1].rflags = 0x202;
    }
    s->reason = REASON_NONE;
    return true;
}

static err_t load_in(struct task *t, oid_t space)
{
    struct thread_state *s = t->thread.state;
    oid_t id;

    struct thread_desc d = {.space = space, .flags = s->depth > 0 ? LOAD_SIGNALED : 0,
                            .priority = t->program->priority, .state = ak_window_pa(s), .state_va = (va_t)s,
                            .xstack = t->thread.xstack, .cookie = (uint64_t)t, .activation = t->index};
    err_t e = sys_thread_load(&d, &id);
    if (e == ERR_OK) {
        __atomic_store_n(&t->thread.id, id, __ATOMIC_RELEASE);   // pairs with ak_wake() and ak_thread_interrupt()
    }
    return e;
}

// One that is in a handler can do without the space.
static err_t load(struct task *t)
{
    oid_t space = __atomic_load_n(&t->program->as.id, __ATOMIC_RELAXED);
    err_t e = space != 0 ? load_in(t, space) : ERR_STALE;

    if (e == ERR_STALE && t->thread.state->depth > 0) {
        e = load_in(t, 0);
    }
    if (e != ERR_OK && e != ERR_STALE && e != ERR_AGAIN) {
        ak_panic("%s: activation %u cannot be loaded: error %d", t->program->name, t->index, e);
    }
    return e;
}

// ERR_AGAIN: not yet.
static err_t end_badly(struct task *keeper, const struct task *t)
{
    struct program *p = keeper->program;

    if (!ak_mutex_try(&p->lock, &keeper->thread)) {
        return ERR_AGAIN;
    }
    ak_complain("%s: the registers of activation %u cannot be loaded", p->name, t->index);
    program_end(p, keeper, PROGRAM_FAILED);
    program_unlock(keeper);
    return ERR_OK;
}

static uint64_t count_loaded(const struct program *p)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < p->note.activations; i++) {
        n += is_loaded(p->activation[i]);
    }
    return n;
}

static bool is_fresh(const struct task *t)
{
    return t->thread.state->depth == 0 && t->thread.state->run == RUN_FRESH;
}

static err_t load_one(struct task *keeper, struct task *t)
{
    return prepare(t) ? load(t) : end_badly(keeper, t);
}

// Its handler waits, and would wait on: nobody has woken it, and its time has not come.  And its program has been told
// that it has blocked, which can be told only while it is loaded.
static bool waits_on(const struct task *t)
{
    const struct thread_state *s = t->thread.state;

    return s->depth > 0 && (s->events & UPCALL_BLOCKED) == 0 && s->run == RUN_WAITING &&
           __atomic_load_n(&t->thread.woken, __ATOMIC_SEQ_CST) == 0 && (s->deadline == 0 || ak_now() < s->deadline);
}

// Those that have begun and are not loaded, but such as would only wait on, until one of the program's own is written
// back for another one: then there is no room (ERR_AGAIN).  The next round goes on behind it, so each has a time.
// ERR_STALE: the space is gone.
static err_t load_begun(struct task *keeper)
{
    struct program *p = keeper->program;
    uint64_t loaded = count_loaded(p);
    err_t worst = ERR_OK;

    for (uint64_t i = 0; i < p->note.activations && !program_ending(p); i++) {
        struct task *t = p->activation[p->next++ % p->note.activations];
        if (is_loaded(t) || is_fresh(t) || waits_on(t)) {
            continue;
        }
        err_t e = load_one(keeper, t);
        loaded += e == ERR_OK;
        worst = e != ERR_OK ? e : worst;
        if (count_loaded(p) < loaded) {
            return ERR_AGAIN;
        }
    }
    return worst;
}

// So many that can begin something, or have begun and go on soon.  What the state page says of one that is loaded is
// old.
static uint64_t count_busy(const struct program *p)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < p->note.activations; i++) {
        const struct task *t = p->activation[i];
        bool waits = *(volatile const bool *)&t->waits;
        if (is_loaded(t)) {
            n += !waits;
        } else if (!is_fresh(t)) {           // who waits for the lock goes on soon
            n += !waits && !(waits_on(t) && t->thread.state->deadline != 0);
        }
    }
    return n;
}

// It wants a processor and holds none, so perhaps all that seem to be busy wait in the supervisor, for what nobody of
// them will do.
static bool stands_still(const struct program *p)
{
    const struct space_kernel_page *kernel = ak_window(p->area);
    const struct space_user_page *user = ak_window(p->area + ABI_PAGE);

    return *(volatile const uint32_t *)&kernel->held == 0 && *(volatile const uint32_t *)&user->wanted != 0;
}

// All fresh ones as long as there are free descriptors; else only such as the program may need, since what has begun
// comes first, and what belongs to others is not theirs to have.
static err_t load_fresh(struct task *keeper)
{
    struct program *p = keeper->program;
    uint64_t busy = count_busy(p), most = ak_system->cpus + FEW;
    err_t e = ERR_OK;

    most = busy >= most && stands_still(p) ? busy + 1 : most;
    for (uint64_t i = 0; i < p->note.activations && e == ERR_OK && !program_ending(p); i++) {
        struct task *t = p->activation[i];
        bool free = *(volatile const uint32_t *)&ak_stats->free_threads != 0;
        if (!is_loaded(t) && is_fresh(t) && (free || busy < most)) {
            e = load_one(keeper, t);
            busy++;
        }
    }
    return e;
}

// ERR_AGAIN: there was no room, or somebody has the lock, or it is not the program's turn.
static err_t load_space(struct task *keeper)
{
    struct program *p = keeper->program;
    err_t e = ERR_OK;

    if (__atomic_load_n(&place_of(p)->loaded, __ATOMIC_ACQUIRE) != 0) {
        return ERR_OK;
    }
    if (turn_begins(p) != 0 || !ak_mutex_try(&p->lock, &keeper->thread)) {
        return ERR_AGAIN;
    }
    if (__atomic_load_n(&place_of(p)->loaded, __ATOMIC_ACQUIRE) == 0) {
        keeper->thread.space = p->as.id;
        e = memory_load_space(keeper);
    }
    program_unlock(keeper);
    return e;
}

// ---- the end ----------------------------------------------------------------------------------------------

// How many are still in handlers, or in the program.
static unsigned end_round(struct program *p)
{
    oid_t space = __atomic_load_n(&p->as.id, __ATOMIC_RELAXED);
    unsigned busy = 0;

    if (space != 0) {
        ak_space_finish(space);
    }
    for (uint64_t i = 0; i < p->note.activations; i++) {
        struct task *t = p->activation[i];
        if (__atomic_load_n(&t->left, __ATOMIC_ACQUIRE) != 0) {
            continue;
        }
        if (is_loaded(t)) {
            ak_wake(&t->thread);
            busy++;
        } else if (t->thread.state->depth != 0) {
            (void)(prepare(t) && load(t) == ERR_OK);     // no room: in the next round
            busy++;
        }
    }
    return busy;
}

// Nothing goes on in any of them.
static void bury_all(struct task *keeper)
{
    struct program *p = keeper->program;

    for (uint64_t i = 0; i < p->note.activations; i++) {
        struct task *t = p->activation[i];
        if (t->left == 0) {
            program_lock(keeper);
            task_unlink(t);
            program_unlock(keeper);
        }
        __atomic_store_n(&t->thread.dying, 1, __ATOMIC_RELEASE); // pairs with consider() of the service thread
        (void)sys_thread_unload(t->thread.id, 0);
        ak_wake(&t->thread);             // who finds it unloaded
    }
}

void activation_leave(struct task *t)
{
    __atomic_store_n(&t->left, 1, __ATOMIC_RELEASE);             // pairs with end_round()
    for (;;) {
        (void)ak_block(&t->thread, 0);
    }
}

// The program gets on meanwhile, with what there is; or another one does, whose turn it is.
static void rest(struct task *keeper, bool waits, bool full)
{
    struct program *p = keeper->program;
    uint64_t until = ak_now() + ak_system->slice / (full ? 1 : 8), turn = waits ? turn_begins(p) : 0;

    __atomic_store_n(&p->rests, turn > until ? turn : until, __ATOMIC_RELAXED);
    task_sleep(keeper, p->rests);
}

static bool is_complete(const struct program *p)
{
    bool complete = __atomic_load_n(&place_of(p)->loaded, __ATOMIC_ACQUIRE) != 0;

    for (uint64_t i = 0; i < p->note.activations && complete; i++) {
        complete = is_loaded(p->activation[i]);
    }
    return complete;
}

static void keep(void *arg)
{
    struct task *keeper = arg;
    struct program *p = keeper->program;

    while (!program_ending(p)) {
        err_t s = load_space(keeper), e = load_begun(keeper), f = e == ERR_OK ? load_fresh(keeper) : ERR_OK;
        if (s == ERR_OK && e == ERR_OK && f == ERR_OK && is_complete(p)) {
            (void)ak_block(&keeper->thread, 0);
        }
        rest(keeper, s == ERR_AGAIN, e == ERR_AGAIN || !is_complete(p));
    }
    __atomic_store_n(&p->keeper, NULL, __ATOMIC_RELEASE);
    while (end_round(p) != 0) {
        ak_pause();
    }
    bury_all(keeper);
    task_exit(keeper);
}

// ---- for others -------------------------------------------------------------------------------------------

err_t activation_begin(struct program *p)
{
    struct task *keeper = task_make(p, ak_info->limits.max_priority);

    if (keeper == NULL) {
        return ERR_LIMIT;
    }
    for (uint32_t i = 0; i < p->note.activations; i++) {
        struct task *t = task_make(p, p->priority);
        if (t == NULL) {
            return ERR_LIMIT;
        }
        t->index = i;
        t->thread.scheduled = true;
        t->thread.state->run = RUN_FRESH;
        p->activation[i] = t;
        ak_wake(&t->thread);             // so that the service thread knows it
    }
    p->keeper = keeper;
    ak_thread_run(&keeper->thread, keep, keeper);
    return ERR_OK;
}

void activation_poll(struct program *programs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct program *p = &programs[i];
        struct task *keeper = __atomic_load_n(&p->keeper, __ATOMIC_ACQUIRE);
        if (keeper != NULL && __atomic_load_n(&p->rests, __ATOMIC_RELAXED) <= ak_now() && !program_ending(p) &&
            !is_complete(p)) {
            ak_wake(&keeper->thread);
        }
    }
}

_Noreturn void activation_fault(struct task *t)
{
    struct program *p = t->program;

    while (!program_ending(p)) {
        t->thread.space = __atomic_load_n(&p->as.id, __ATOMIC_RELAXED);
        err_t e = t->thread.space != 0 ? sys_upcall(t->thread.space, UPCALL_FAULT, 0) : ERR_STALE;
        if (e == ERR_STALE) {
            memory_space(t);
            continue;
        }
        ak_complain("%s: a refused access cannot be told: error %d", p->name, e);
        program_lock(t);
        program_end(p, t, PROGRAM_FAILED);
        program_unlock(t);
    }
    task_return(t);
}
