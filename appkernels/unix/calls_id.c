// calls_id.c - who a task is: numbers, groups, sessions, users.
#include <base.h>

#include "calls.h"
#include "signal.h"

enum { NO_ID = UINT32_MAX, GROUPS_MAX = 32 };

long ux_sys_getpid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->tgid;
}

long ux_sys_gettid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->tid;
}

long ux_sys_getppid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->process->parent != NULL ? t->process->parent->pid : 1;
}

long ux_sys_getuid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->creds.uid;
}

long ux_sys_geteuid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->creds.euid;
}

long ux_sys_getgid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->creds.gid;
}

long ux_sys_getegid(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->creds.egid;
}

// ---- groups and sessions ----------------------------------------------------------------------------------

long ux_sys_getpgrp(struct task *t, const uint64_t a[6])
{
    (void)a;
    return t->pgid;
}

long ux_sys_getpgid(struct task *t, const uint64_t a[6])
{
    struct process *p = a[0] == 0 ? t->process : process_find((int)a[0]);
    return p != NULL ? p->leader->pgid : -ESRCH;
}

long ux_sys_getsid(struct task *t, const uint64_t a[6])
{
    struct process *p = a[0] == 0 ? t->process : process_find((int)a[0]);
    return p == NULL ? -ESRCH : p->leader->session != NULL ? p->leader->session->sid : 0;
}

static bool group_in_session(int pgid, const struct session *s)
{
    for (struct process *p = process_list; p != NULL; p = p->next) {
        if (p->leader->pgid == pgid && p->leader->session == s) {
            return true;
        }
    }
    return false;
}

long ux_sys_setpgid(struct task *t, const uint64_t a[6])
{
    int pid = (int)a[0] == 0 ? t->tgid : (int)a[0], pgid = (int)a[1] == 0 ? pid : (int)a[1];
    struct process *p = process_find(pid);

    if (pgid < 0) {
        return -EINVAL;
    }
    if (p == NULL || p->zombie || (p != t->process && p->parent != t->process)) {
        return -ESRCH;
    }
    if (p != t->process && p->executed) {
        return -EACCES;
    }
    struct task *leader = p->leader;
    if (leader->session == NULL || leader->session != t->session || leader->session->sid == pid) {
        return -EPERM;
    }
    if (pgid != pid && !group_in_session(pgid, t->session)) {
        return -EPERM;
    }
    leader->pgid = pgid;
    task_set_identity(p);
    return 0;
}

long session_create(struct task *t)
{
    struct process *p = t->process;
    struct session *s = ak_alloc(sizeof(*s)), *old = p->leader->session;

    if (s == NULL) {
        return -ENOMEM;
    }
    s->users = 1;
    s->sid = p->pid;
    p->leader->session = s;
    p->leader->pgid = p->pid;
    task_set_identity(p);
    if (old != NULL && --old->users == 0) {
        ak_free(old, sizeof(*old));
    }
    return p->pid;
}

long ux_sys_setsid(struct task *t, const uint64_t a[6])
{
    (void)a;
    for (struct process *p = process_list; p != NULL; p = p->next) {
        if (p->leader->pgid == t->tgid) {
            return -EPERM;               // leads a group already
        }
    }
    return session_create(t);
}

// ---- users ------------------------------------------------------------------------------------------------

static bool is_root(const struct task *t)
{
    return t->creds.euid == 0;
}

// One of the three ids of a user or group, or anything for root.
static bool may_become(const struct task *t, uint32_t id, const uint32_t ids[3])
{
    return id == NO_ID || is_root(t) || id == ids[0] || id == ids[1] || id == ids[2];
}

static void set(uint32_t *to, uint32_t id)
{
    *to = id == NO_ID ? *to : id;
}

long ux_sys_setuid(struct task *t, const uint64_t a[6])
{
    struct creds *c = &t->creds;
    uint32_t id = (uint32_t)a[0];

    if (id == NO_ID) {
        return -EINVAL;
    }
    if (is_root(t)) {
        c->uid = c->suid = id;
    } else if (id != c->uid && id != c->suid) {
        return -EPERM;
    }
    c->euid = id;
    return 0;
}

long ux_sys_setgid(struct task *t, const uint64_t a[6])
{
    struct creds *c = &t->creds;
    uint32_t id = (uint32_t)a[0];

    if (id == NO_ID) {
        return -EINVAL;
    }
    if (is_root(t)) {
        c->gid = c->sgid = id;
    } else if (id != c->gid && id != c->sgid) {
        return -EPERM;
    }
    c->egid = id;
    return 0;
}

static long set_three(struct task *t, uint32_t *real, uint32_t *effective, uint32_t *saved, const uint64_t a[6])
{
    const uint32_t ids[3] = {*real, *effective, *saved};

    for (unsigned i = 0; i < 3; i++) {
        if (!may_become(t, (uint32_t)a[i], ids)) {
            return -EPERM;
        }
    }
    set(real, (uint32_t)a[0]);
    set(effective, (uint32_t)a[1]);
    set(saved, (uint32_t)a[2]);
    return 0;
}

long ux_sys_setresuid(struct task *t, const uint64_t a[6])
{
    struct creds c = t->creds;
    long e = set_three(t, &c.uid, &c.euid, &c.suid, a);

    t->creds = c;
    return e;
}

long ux_sys_setresgid(struct task *t, const uint64_t a[6])
{
    struct creds c = t->creds;
    long e = set_three(t, &c.gid, &c.egid, &c.sgid, a);

    t->creds = c;
    return e;
}

// The saved id follows the effective one when the real one is set, or the effective one to another than the real.
static uint64_t saved_after(uint32_t real, uint64_t new_real, uint64_t new_effective, uint32_t effective)
{
    if ((uint32_t)new_real != NO_ID || ((uint32_t)new_effective != NO_ID && (uint32_t)new_effective != real)) {
        return (uint32_t)new_effective != NO_ID ? new_effective : effective;
    }
    return NO_ID;
}

long ux_sys_setreuid(struct task *t, const uint64_t a[6])
{
    struct creds c = t->creds;
    const uint64_t three[6] = {a[0], a[1], saved_after(c.uid, a[0], a[1], c.euid)};
    const uint32_t real[3] = {c.uid, c.euid, c.euid};

    if (!may_become(t, (uint32_t)a[0], real)) {
        return -EPERM;
    }
    long e = set_three(t, &c.uid, &c.euid, &c.suid, three);
    t->creds = c;
    return e;
}

long ux_sys_setregid(struct task *t, const uint64_t a[6])
{
    struct creds c = t->creds;
    const uint64_t three[6] = {a[0], a[1], saved_after(c.gid, a[0], a[1], c.egid)};
    const uint32_t real[3] = {c.gid, c.egid, c.egid};

    if (!may_become(t, (uint32_t)a[0], real)) {
        return -EPERM;
    }
    long e = set_three(t, &c.gid, &c.egid, &c.sgid, three);
    t->creds = c;
    return e;
}

static long give_three(struct task *t, const uint64_t a[6], uint32_t real, uint32_t effective, uint32_t saved)
{
    const uint32_t ids[3] = {real, effective, saved};

    for (unsigned i = 0; i < 3; i++) {
        if (ux_copy_out(t, a[i], &ids[i], sizeof(ids[i])) != 0) {
            return -EFAULT;
        }
    }
    return 0;
}

long ux_sys_getresuid(struct task *t, const uint64_t a[6])
{
    return give_three(t, a, t->creds.uid, t->creds.euid, t->creds.suid);
}

long ux_sys_getresgid(struct task *t, const uint64_t a[6])
{
    return give_three(t, a, t->creds.gid, t->creds.egid, t->creds.sgid);
}

long ux_sys_getgroups(struct task *t, const uint64_t a[6])
{
    uint32_t n = t->creds.ngroups;

    if ((int)a[0] < 0 || ((int)a[0] != 0 && (uint32_t)a[0] < n)) {
        return -EINVAL;
    }
    if ((int)a[0] != 0 && ux_copy_out(t, a[1], t->creds.groups, n * sizeof(uint32_t)) != 0) {
        return -EFAULT;
    }
    return n;
}

long ux_sys_setgroups(struct task *t, const uint64_t a[6])
{
    uint32_t groups[GROUPS_MAX];

    if (!is_root(t)) {
        return -EPERM;
    }
    if (a[0] > GROUPS_MAX) {
        return -EINVAL;
    }
    if (ux_copy_in(t, groups, a[1], a[0] * sizeof(uint32_t)) != 0) {
        return -EFAULT;
    }
    t->creds.ngroups = (uint32_t)a[0];
    memcpy(t->creds.groups, groups, a[0] * sizeof(uint32_t));
    return 0;
}
