// file_lock.c - advisory locks on files: flock, and ranges by fcntl.
//
// Each inode lists its locks.  A lock is a range with an owner: for flock the open file and all of the file,
// for fcntl the descriptor table (the process) or, for the OFD commands, the open file.  Locks of the two kinds
// do not see each other.  Setting a range of an owner first cuts that range out of what it has, then adds
// the new piece: so a range is upgraded, shrunk, split and freed by the same two steps.
//
// fcntl waits that would close a circle of processes are refused (EDEADLK): a waiter notes what it waits for.
//
// Locking: the giant, released while waiting.
#include <base.h>

#include "file.h"

enum lock_kind { LOCK_WHOLE, LOCK_RANGE };

struct file_lock {
    struct file_lock *next;
    enum lock_kind    kind;                  // I
    const void       *owner;                 // I  open file or descriptor table
    int               pid;                   // I  as F_GETLK tells it; -1 for OFD locks
    bool              exclusive;             // I
    uint64_t          first, last;           // g  inclusive
};

struct lock_waiter {                         // on the stack of who waits
    struct lock_waiter *next;
    const void         *owner, *blocker;
};
static struct lock_waiter *waiters;          // g

static struct file_lock *lock_conflict(struct inode *i, const struct file_lock *want)
{
    for (struct file_lock *l = i->locks; l != NULL; l = l->next) {
        if (l->kind == want->kind && l->owner != want->owner && (l->exclusive || want->exclusive)
            && l->first <= want->last && want->first <= l->last) {
            return l;
        }
    }
    return NULL;
}

static void lock_add(struct inode *i, struct file_lock *fresh, const struct file_lock *want)
{
    *fresh = *want;
    fresh->next = i->locks;
    i->locks = fresh;
}

// Cut a range out of an owner's locks.  `spare` is used if one lock becomes two, and set to NULL then.
static void lock_cut(struct inode *i, const struct file_lock *cut, struct file_lock **spare)
{
    struct file_lock **at = &i->locks, *l;

    while ((l = *at) != NULL) {
        if (l->kind != cut->kind || l->owner != cut->owner || l->first > cut->last || l->last < cut->first) {
            at = &l->next;
            continue;
        }
        bool before = l->first < cut->first, after = l->last > cut->last;
        if (before && after) {
            struct file_lock rest = *l;
            rest.first = cut->last + 1;
            l->last = cut->first - 1;
            lock_add(i, *spare, &rest);
            *spare = NULL;
            return;
        }
        if (!before && !after) {
            *at = l->next;
            ak_free(l, sizeof(*l));
        } else {
            if (before) {
                l->last = cut->first - 1;
            } else {
                l->first = cut->last + 1;
            }
            at = &l->next;
        }
    }
}

// Set or (unlock) clear a range; there is no conflict.  -ENOLCK: no memory, and nothing changed.
static int lock_set(struct inode *i, const struct file_lock *want, bool unlock)
{
    struct file_lock *split = ak_alloc(sizeof(*split));
    struct file_lock *fresh = unlock ? NULL : ak_alloc(sizeof(*fresh));

    if (split == NULL || (!unlock && fresh == NULL)) {
        if (split != NULL) {
            ak_free(split, sizeof(*split));
        }
        return -ENOLCK;
    }
    lock_cut(i, want, &split);
    if (fresh != NULL) {
        lock_add(i, fresh, want);
    }
    if (split != NULL) {
        ak_free(split, sizeof(*split));
    }
    ux_wake(&i->lock_wait);
    return 0;
}

// Would `owner`, waiting for `blocker`, close a circle?  Each owner is followed along what it waits for.
static bool lock_circle(const void *owner, const void *blocker)
{
    for (unsigned steps = 0; steps < 64; steps++) {
        const struct lock_waiter *w = waiters;
        while (w != NULL && w->owner != blocker) {
            w = w->next;
        }
        if (w == NULL) {
            return false;
        }
        blocker = w->blocker;
        if (blocker == owner) {
            return true;
        }
    }
    return false;
}

static int lock_wait(struct task *t, struct inode *i, const struct file_lock *want)
{
    struct file_lock *other;

    while ((other = lock_conflict(i, want)) != NULL) {
        struct lock_waiter w = {.next = waiters, .owner = want->owner, .blocker = other->owner};
        if (want->kind == LOCK_RANGE && lock_circle(w.owner, w.blocker)) {
            return -EDEADLK;
        }
        waiters = &w;
        int e = ux_sleep(t, &i->lock_wait, 0);
        struct lock_waiter **at = &waiters;
        while (*at != &w) {
            at = &(*at)->next;
        }
        *at = w.next;
        if (e != 0) {
            return (int)sleep_error(e);
        }
    }
    return 0;
}

int lock_flock(struct task *t, struct file *f, unsigned operation)
{
    struct file_lock want = {.kind = LOCK_WHOLE, .owner = f, .last = UINT64_MAX};
    unsigned what = operation & ~(unsigned)LOCK_NB;

    if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN) {
        return -EINVAL;
    }
    want.exclusive = what == LOCK_EX;
    if (what != LOCK_UN && lock_conflict(f->inode, &want) != NULL) {
        if ((operation & LOCK_NB) != 0) {
            return -EWOULDBLOCK;
        }
        // Changing a lock gives up the old one first, as two who both want to upgrade would wait for ever.
        lock_set(f->inode, &want, true);
        int e = lock_wait(t, f->inode, &want);
        if (e != 0) {
            return e;
        }
    }
    return lock_set(f->inode, &want, what == LOCK_UN);
}

// The range that a struct flock means.
static int lock_range(struct file *f, const struct flock *lock, struct file_lock *want)
{
    int64_t start = lock->l_start, length = lock->l_len, base;

    switch (lock->l_whence) {
    case SEEK_SET: base = 0; break;
    case SEEK_CUR: base = (int64_t)f->position; break;
    case SEEK_END: base = (int64_t)f->inode->size; break;
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(start, base, &start)) {
        return -EOVERFLOW;
    }
    if (length < 0) {
        if (__builtin_add_overflow(start, length, &start)) {
            return -EINVAL;
        }
        length = start < 0 ? 0 : -length;    // of INT64_MIN there is no negative
    }
    if (start < 0) {
        return -EINVAL;
    }
    want->first = (uint64_t)start;
    want->last = length == 0 ? INT64_MAX : want->first + (uint64_t)length - 1;
    return want->last > INT64_MAX ? -EOVERFLOW : 0;
}

static int lock_get(struct file *f, const struct file_lock *want, struct flock *lock)
{
    const struct file_lock *other = lock_conflict(f->inode, want);

    if (other == NULL) {
        lock->l_type = F_UNLCK;
    } else {
        lock->l_type = other->exclusive ? F_WRLCK : F_RDLCK;
        lock->l_whence = SEEK_SET;
        lock->l_start = (int64_t)other->first;
        lock->l_len = other->last >= INT64_MAX ? 0 : (int64_t)(other->last - other->first + 1);
        lock->l_pid = other->pid;
    }
    return 0;
}

int lock_fcntl(struct task *t, struct file *f, unsigned command, struct flock *lock)
{
    bool ofd = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    bool wait = command == F_SETLKW || command == F_OFD_SETLKW;
    struct file_lock want = {.kind = LOCK_RANGE, .exclusive = lock->l_type == F_WRLCK};
    int e = lock_range(f, lock, &want);

    if (e != 0) {
        return e;
    }
    want.owner = ofd ? (const void *)f : (const void *)t->files;
    want.pid = ofd ? -1 : t->tgid;
    if (ofd && lock->l_pid != 0) {
        return -EINVAL;
    }
    if (command == F_GETLK || command == F_OFD_GETLK) {
        return lock->l_type != F_RDLCK && lock->l_type != F_WRLCK ? -EINVAL : lock_get(f, &want, lock);
    }
    switch (lock->l_type) {
    case F_UNLCK:
        return lock_set(f->inode, &want, true);
    case F_RDLCK:
        e = f->readable ? 0 : -EBADF;
        break;
    case F_WRLCK:
        e = f->writable ? 0 : -EBADF;
        break;
    default:
        e = -EINVAL;
        break;
    }
    if (e == 0 && lock_conflict(f->inode, &want) != NULL) {
        e = wait ? lock_wait(t, f->inode, &want) : -EAGAIN;
    }
    return e != 0 ? e : lock_set(f->inode, &want, false);
}

static void locks_release(struct inode *i, const void *owner)
{
    struct file_lock **at = &i->locks, *l;
    bool some = false;

    while ((l = *at) != NULL) {
        if (l->owner == owner) {
            *at = l->next;
            ak_free(l, sizeof(*l));
            some = true;
        } else {
            at = &l->next;
        }
    }
    if (some) {
        ux_wake(&i->lock_wait);
    }
}

void locks_release_file(struct file *f)
{
    locks_release(f->inode, f);
}

void locks_release_owner(struct inode *i, const struct fd_table *owner)
{
    locks_release(i, owner);
}
