// task.c - tasks and processes: making, finding, freeing them.
#include "task.h"

#include <base.h>

#include "vm.h"

enum { HASH = 256, TID_MAX = 32768, INIT_PID = 1 };

// Number 1 is the emulator itself: it is the parent of the first process and of orphans, and waits for them.
struct ak_mutex giant;
struct process *process_list;
static struct process *process_last;
static struct task *hash[HASH];
static unsigned tasks;
static int last_tid = INIT_PID;
static bool wrapped;

unsigned task_count(void)
{
    return tasks;
}

struct task *ux_task_find(int tid)
{
    struct task *t = hash[(unsigned)tid % HASH];

    while (t != NULL && t->tid != tid) {
        t = t->next_hash;
    }
    return t;
}

struct process *process_find(int pid)
{
    struct task *t = ux_task_find(pid);
    return t != NULL && t->tgid == pid ? t->process : NULL;
}

struct task *ux_task_next(struct task *after)
{
    struct process *p = after == NULL ? process_list : after->process->next;
    return p != NULL ? p->leader : NULL;
}

// After the numbers have been used once, those that still name a group or a session are left out.
static bool tid_in_use(int tid)
{
    if (ux_task_find(tid) != NULL) {
        return true;
    }
    for (struct process *p = process_list; wrapped && p != NULL; p = p->next) {
        if (p->leader->pgid == tid || (p->leader->session != NULL && p->leader->session->sid == tid)) {
            return true;
        }
    }
    return false;
}

static int tid_take(void)
{
    do {
        if (++last_tid >= TID_MAX) {
            last_tid = INIT_PID + 1;
            wrapped = true;
        }
    } while (tid_in_use(last_tid));
    return last_tid;
}

struct task *task_create(struct process *p)
{
    task_collect();
    if (tasks >= LINUX_NPROC) {
        return NULL;
    }
    struct task *t = ak_alloc(sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    if (sharing_create(&t->sharing) != ERR_OK) {
        ak_free(t, sizeof(*t));
        return NULL;
    }
    t->thread.resume = ux_resume;
    if (p == NULL) {
        p = ak_alloc(sizeof(*p));
        if (p == NULL) {
            ak_thread_destroy(&t->thread);
            ak_free(t, sizeof(*t));
            return NULL;
        }
        p->leader = t;
        p->started = ak_now();
    }
    t->process = p;
    t->started = ak_now();
    return t;
}

void task_free(struct task *t)
{
    if (t->process->leader == t) {
        ak_free(t->process, sizeof(*t->process));
    }
    ak_thread_destroy(&t->thread);
    ak_free(t, sizeof(*t));
}

static void process_insert(struct process *p)
{
    struct process *before = process_last;

    while (before != NULL && before->pid > p->pid) {
        before = before->prev;
    }
    p->prev = before;
    p->next = before != NULL ? before->next : process_list;
    *(before != NULL ? &before->next : &process_list) = p;
    *(p->next != NULL ? &p->next->prev : &process_last) = p;
}

void task_insert(struct task *t)
{
    struct process *p = t->process;

    t->tid = tid_take();
    t->next_hash = hash[(unsigned)t->tid % HASH];
    hash[(unsigned)t->tid % HASH] = t;
    t->next_thread = p->threads;
    p->threads = t;
    p->alive++;
    tasks++;
    if (p->leader == t) {
        p->pid = t->tid;
        process_insert(p);
    }
    t->tgid = p->pid;
}

static void unhash(struct task *t)
{
    struct task **at = &hash[(unsigned)t->tid % HASH];

    while (*at != t) {
        at = &(*at)->next_hash;
    }
    *at = t->next_hash;
    tasks--;
}

void task_reap(struct task *t)
{
    unhash(t);
    t->reaped = true;
    if (t->gone) {
        ak_free(t, sizeof(*t));
    }
}

// The process has been waited for, or nobody will.
void process_reap(struct process *p)
{
    process_unlink_child(p);
    *(p->prev != NULL ? &p->prev->next : &process_list) = p->next;
    *(p->next != NULL ? &p->next->prev : &process_last) = p->prev;
    struct session *s = p->leader->session;
    if (s != NULL && --s->users == 0) {
        ak_free(s, sizeof(*s));
    }
    task_reap(p->leader);
    ak_free(p, sizeof(*p));
}

void task_collect(void)
{
    struct ak_thread *thread;

    while ((thread = ak_thread_collect()) != NULL) {
        struct task *t = (struct task *)thread;
        t->gone = true;
        if (t->reaped) {
            ak_free(t, sizeof(*t));
        }
    }
}

// A leader that exec replaces: t takes its place and its number, and the old one is forgotten.
void task_take_lead(struct task *t)
{
    struct process *p = t->process;
    struct task *old = p->leader;

    task_reap(old);
    unhash(t);
    tasks++;
    t->tid = p->pid;
    t->next_hash = hash[(unsigned)t->tid % HASH];
    hash[(unsigned)t->tid % HASH] = t;
    p->leader = t;
}

void process_link_child(struct process *parent, struct process *p)
{
    p->parent = parent;
    p->sibling = parent->children;
    parent->children = p;
}

void process_unlink_child(struct process *p)
{
    if (p->parent == NULL) {
        return;
    }
    struct process **at = &p->parent->children;
    while (*at != p) {
        at = &(*at)->sibling;
    }
    *at = p->sibling;
    p->parent = NULL;
}

void task_copy_identity(struct task *t, const struct task *from)
{
    t->pgid = from->pgid;
    t->session = from->session;
    t->exe = from->exe;
    t->exe_path = from->exe_path;
}

void task_set_identity(struct process *p)
{
    for (struct task *t = p->threads; t != NULL; t = t->next_thread) {
        if (t != p->leader) {
            task_copy_identity(t, p->leader);
        }
    }
}

uint64_t task_cpu(const struct task *t)
{
    uint64_t now = ak_now();
    return now - t->started > t->slept ? now - t->started - t->slept : 0;
}

uint64_t process_cpu(const struct process *p)
{
    uint64_t sum = p->cpu_dead;

    for (const struct task *t = p->threads; t != NULL; t = t->next_thread) {
        sum += task_cpu(t);
    }
    return sum;
}
