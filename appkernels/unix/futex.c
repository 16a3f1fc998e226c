// futex.c - waiting on a word of memory.
//
// A word in a private region is known by its vm and address, one in a shared region by what backs the region and the
// offset there.  Waiters hang in a small hash table.  All under the giant, so a compare and the sleep after it are one.
#include <base.h>

#include "calls.h"
#include "signal.h"
#include "vm.h"

enum { FUTEX_HASH = 64, ROBUST_LIMIT = 2048 };

struct futex_key {
    const void *object;
    uint64_t    offset;
};

struct futex_waiter {                    // on the sleeper's stack
    struct futex_waiter *next;
    struct futex_key key;
    uint32_t bits;
    bool     woken;
    struct waitq q;
};

static struct futex_waiter *table[FUTEX_HASH];

static unsigned hash_of(const struct futex_key *k)
{
    return (unsigned)(((uint64_t)k->object >> 6 ^ k->offset >> 2) * 0x9e3779b1u >> 8) % FUTEX_HASH;
}

static bool same(const struct futex_key *a, const struct futex_key *b)
{
    return a->object == b->object && a->offset == b->offset;
}

static long key_of(struct task *t, va_t address, bool is_private, struct futex_key *k)
{
    if (address % sizeof(uint32_t) != 0) {
        return -EINVAL;
    }
    if (address >= VM_END) {
        return -EFAULT;
    }
    struct region *r = is_private ? NULL : aspace_find(&t->vm->as, address);
    if (!is_private && user_word(t, address, E_READ) == NULL) {
        return -EFAULT;                  // what backs it is asked for, so it must be there
    }
    *k = (struct futex_key){t->vm, address};
    if (r != NULL && r->shared) {
        k->object = r->segment;
        k->offset = (r->page << ABI_PAGE_SHIFT) + (address - r->start);
    }
    return 0;
}

static void add(struct futex_waiter *w)
{
    struct futex_waiter **at = &table[hash_of(&w->key)];

    while (*at != NULL) {                // in order of arrival
        at = &(*at)->next;
    }
    w->next = NULL;
    *at = w;
}

static void take_off(struct futex_waiter *w)
{
    struct futex_waiter **at = &table[hash_of(&w->key)];

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
}

static long wake(const struct futex_key *k, unsigned count, uint32_t bits)
{
    struct futex_waiter **at = &table[hash_of(k)];
    long woken = 0;

    while (*at != NULL && (unsigned)woken < count) {
        struct futex_waiter *w = *at;
        if (!same(&w->key, k) || !(w->bits & bits)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->woken = true;
        ux_wake(&w->q);
        woken++;
    }
    return woken;
}

static long requeue(const struct futex_key *from, const struct futex_key *to, unsigned count)
{
    struct futex_waiter **at = &table[hash_of(from)], *moved = NULL, **end = &moved;
    long n = 0;

    while (*at != NULL && (unsigned)n < count) {
        struct futex_waiter *w = *at;
        if (!same(&w->key, from)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = NULL;
        *end = w;
        end = &w->next;
        n++;
    }
    while (moved != NULL) {
        struct futex_waiter *w = moved;
        moved = w->next;
        w->key = *to;
        add(w);
    }
    return n;
}

static long futex_wait(struct task *t, va_t address, bool is_private, uint32_t value, uint32_t bits, uint64_t deadline)
{
    struct futex_waiter w = {.bits = bits};

    long e = key_of(t, address, is_private, &w.key);
    if (e != 0) {
        return e;
    }
    const uint32_t *word = user_word(t, address, E_READ);
    if (word == NULL) {
        return -EFAULT;
    }
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) {
        return -EAGAIN;
    }
    add(&w);
    e = ux_sleep(t, &w.q, deadline);
    if (w.woken) {
        return 0;
    }
    take_off(&w);
    return e == -EINTR ? (deadline == 0 ? -ERESTARTSYS : -EINTR) : e;
}

// FUTEX_WAKE_OP: the operation and the comparison that `code` holds.
static long word_op(struct task *t, va_t address, uint32_t code, bool *holds)
{
    uint32_t op = code >> 28 & 7, compare = code >> 24 & 15;
    int32_t argument = (int32_t)(code << 8) >> 20, against = (int32_t)(code << 20) >> 20;
    uint32_t *word = user_word(t, address, E_WRITE);

    if (word == NULL) {
        return -EFAULT;
    }
    if (code >> 28 & FUTEX_OP_OPARG_SHIFT) {
        argument = 1 << (argument & 31);
    }
    uint32_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST), new;
    do {
        switch (op) {
        case FUTEX_OP_SET:  new = (uint32_t)argument; break;
        case FUTEX_OP_ADD:  new = old + (uint32_t)argument; break;
        case FUTEX_OP_OR:   new = old | (uint32_t)argument; break;
        case FUTEX_OP_ANDN: new = old & ~(uint32_t)argument; break;
        case FUTEX_OP_XOR:  new = old ^ (uint32_t)argument; break;
        default: return -ENOSYS;
        }
    } while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    int32_t was = (int32_t)old;
    switch (compare) {
    case FUTEX_OP_CMP_EQ: *holds = was == against; break;
    case FUTEX_OP_CMP_NE: *holds = was != against; break;
    case FUTEX_OP_CMP_LT: *holds = was < against; break;
    case FUTEX_OP_CMP_LE: *holds = was <= against; break;
    case FUTEX_OP_CMP_GT: *holds = was > against; break;
    case FUTEX_OP_CMP_GE: *holds = was >= against; break;
    default: return -ENOSYS;
    }
    return 0;
}

static long futex_wake_op(struct task *t, const uint64_t a[6], bool is_private)
{
    struct futex_key one, two;
    bool holds = false;

    long e = key_of(t, a[0], is_private, &one);
    e = e != 0 ? e : key_of(t, a[4], is_private, &two);
    e = e != 0 ? e : word_op(t, a[4], (uint32_t)a[5], &holds);
    if (e != 0) {
        return e;
    }
    long n = wake(&one, (uint32_t)a[2], FUTEX_BITSET_MATCH_ANY);
    return holds ? n + wake(&two, (uint32_t)a[3], FUTEX_BITSET_MATCH_ANY) : n;
}

static long futex_requeue(struct task *t, const uint64_t a[6], bool is_private, bool compare)
{
    struct futex_key from, to;

    long e = key_of(t, a[0], is_private, &from);
    e = e != 0 ? e : key_of(t, a[4], is_private, &to);
    if (e != 0) {
        return e;
    }
    if ((int32_t)a[2] < 0 || (int32_t)a[3] < 0) {
        return -EINVAL;
    }
    if (compare) {
        const uint32_t *word = user_word(t, a[0], E_READ);
        if (word == NULL) {
            return -EFAULT;
        }
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != (uint32_t)a[5]) {
            return -EAGAIN;
        }
    }
    long n = wake(&from, (uint32_t)a[2], FUTEX_BITSET_MATCH_ANY);
    return n + requeue(&from, &to, (uint32_t)a[3]);
}

// The timeout of a wait: relative for FUTEX_WAIT, a point in time for FUTEX_WAIT_BITSET.
static long timeout(struct task *t, const uint64_t a[6], uint32_t command, bool realtime, uint64_t *deadline)
{
    struct __kernel_timespec ts;

    *deadline = 0;
    if (a[3] == 0) {
        return 0;
    }
    if (ux_copy_in(t, &ts, a[3], sizeof(ts)) != 0) {
        return -EFAULT;
    }
    if (!timespec_valid(&ts)) {
        return -EINVAL;
    }
    uint64_t ns = timespec_ns(&ts);
    if (command == FUTEX_WAIT_BITSET) {
        uint64_t now = realtime ? ux_wall_ns() : ux_mono_ns();
        ns = ns > now ? ns - now : 0;
    }
    *deadline = ux_deadline(ns);
    return 0;
}

long ux_sys_futex(struct task *t, const uint64_t a[6])
{
    uint32_t op = (uint32_t)a[1], command = op & FUTEX_CMD_MASK;
    bool is_private = op & FUTEX_PRIVATE_FLAG;
    struct futex_key key;
    uint64_t deadline;
    long e;

    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        if (command == FUTEX_WAIT_BITSET && (uint32_t)a[5] == 0) {
            return -EINVAL;
        }
        e = timeout(t, a, command, op & FUTEX_CLOCK_REALTIME, &deadline);
        return e != 0 ? e : futex_wait(t, a[0], is_private, (uint32_t)a[2],
                                       command == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY : (uint32_t)a[5], deadline);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        if (command == FUTEX_WAKE_BITSET && (uint32_t)a[5] == 0) {
            return -EINVAL;
        }
        e = key_of(t, a[0], is_private, &key);
        return e != 0 ? e : wake(&key, (int32_t)a[2] < 1 ? 1 : (uint32_t)a[2],
                                 command == FUTEX_WAKE ? FUTEX_BITSET_MATCH_ANY : (uint32_t)a[5]);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return futex_requeue(t, a, is_private, command == FUTEX_CMP_REQUEUE);
    case FUTEX_WAKE_OP:
        return futex_wake_op(t, a, is_private);
    default:
        return -ENOSYS;
    }
}

long futex_wake_address(struct task *t, va_t address, unsigned count)
{
    struct futex_key key;
    long n = 0;

    if (key_of(t, address, false, &key) == 0) {
        n = wake(&key, count, FUTEX_BITSET_MATCH_ANY);
        if (key.object != t->vm) {       // somebody may wait there as for a private one
            key = (struct futex_key){t->vm, address};
            n += wake(&key, count, FUTEX_BITSET_MATCH_ANY);
        }
    }
    return n;
}

// ---- the end of a task ------------------------------------------------------------------------------------

// A lock whose owner has died: the next one to take it is told.
static void robust_lock_died(struct task *t, va_t address)
{
    uint32_t *word = user_word(t, address, E_WRITE);

    if (word == NULL) {
        return;
    }
    uint32_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    while ((old & FUTEX_TID_MASK) == (uint32_t)t->tid) {
        if (__atomic_compare_exchange_n(word, &old, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            if (old & FUTEX_WAITERS) {
                (void)futex_wake_address(t, address, 1);
            }
            return;
        }
    }
}

static void robust_list_died(struct task *t)
{
    struct linux_robust_list_head head;
    uint64_t entry;

    if (t->robust_list == 0 || ux_copy_in(t, &head, t->robust_list, sizeof(head)) != 0) {
        return;
    }
    entry = head.next;
    for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ull) != t->robust_list; i++) {
        uint64_t next, at = entry & ~1ull;
        bool more = ux_copy_in(t, &next, at, sizeof(next)) == 0;
        if (at != (head.pending & ~1ull)) {
            robust_lock_died(t, at + (uint64_t)head.offset);
        }
        if (!more) {
            return;
        }
        entry = next;
    }
    if (head.pending != 0) {
        robust_lock_died(t, (head.pending & ~1ull) + (uint64_t)head.offset);
    }
}

void futex_exit(struct task *t)
{
    static const uint32_t none = 0;

    robust_list_died(t);
    t->robust_list = 0;
    if (t->clear_tid != 0 && t->vm->users > 1) {
        if (ux_copy_out(t, t->clear_tid, &none, sizeof(none)) == 0) {
            (void)futex_wake_address(t, t->clear_tid, 1);
        }
    }
    t->clear_tid = 0;
}

long ux_sys_set_robust_list(struct task *t, const uint64_t a[6])
{
    if (a[1] != sizeof(struct linux_robust_list_head)) {
        return -EINVAL;
    }
    t->robust_list = a[0];
    return 0;
}

long ux_sys_get_robust_list(struct task *t, const uint64_t a[6])
{
    const uint64_t size = sizeof(struct linux_robust_list_head);
    struct task *other = a[0] == 0 ? t : ux_task_find((int)a[0]);

    if (other == NULL || other->process->zombie) {
        return -ESRCH;
    }
    if (ux_copy_out(t, a[1], &other->robust_list, sizeof(other->robust_list)) != 0 ||
        ux_copy_out(t, a[2], &size, sizeof(size)) != 0) {
        return -EFAULT;
    }
    return 0;
}

long ux_sys_set_tid_address(struct task *t, const uint64_t a[6])
{
    t->clear_tid = a[0];
    return t->tid;
}
