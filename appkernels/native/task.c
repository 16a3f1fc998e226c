// task.c - kernel threads of programs: they begin, go back to their program, and end.
//
// The way back is task_return(): from ak_returning() on the thread may be written back and started again in resume()
// at any moment, which does the same once more.  Whoever ends a program sets ASKED_END and then wakes and interrupts
// its threads, so that each sees it here or there; one that waits in the program itself (the supervisor's `wait`) is
// woken first, since it would be left alone as long as it waits.
#include "program.h"

#include <base.h>
#include <sys.h>

static uint32_t collecting;              // a  one collector at a time

static void collect(void)
{
    struct ak_thread *thread;

    if (__atomic_exchange_n(&collecting, 1, __ATOMIC_ACQUIRE) != 0) {
        return;
    }
    while ((thread = ak_thread_collect()) != NULL) {
        ak_free(thread, sizeof(struct task));
    }
    __atomic_store_n(&collecting, 0, __ATOMIC_RELEASE);
}

static void link_task(struct program *p, struct task *t)
{
    t->next = p->tasks;
    t->link = &p->tasks;
    if (p->tasks != NULL) {
        p->tasks->link = &t->next;
    }
    p->tasks = t;
    p->count++;
}

void task_unlink(struct task *t)
{
    *t->link = t->next;
    if (t->next != NULL) {
        t->next->link = t->link;
    }
    t->program->count--;
}

// Nothing is asked of t; of a program's threads mostly nothing is, so there is one look for all of it.
static inline bool asked_nothing(const struct task *t)
{
    uint32_t asked = __atomic_load_n(&t->program->asked, __ATOMIC_SEQ_CST);      // pairs with program_end(), look()

    return asked == 0 || (asked == ASKED_ALARM && t->processor == 0);
}

static _Noreturn __attribute__((noinline)) void return_slowly(struct task *t)
{
    for (;;) {
        ak_staying(&t->thread);
        if (__atomic_load_n(&t->thread.failed, __ATOMIC_ACQUIRE) != 0) {
            ak_complain("%s: its registers cannot be loaded", t->program->name);
            program_lock(t);
            program_end(t->program, t, PROGRAM_FAILED);
            program_unlock(t);
        }
        if (program_ending(t->program)) {
            task_exit(t);
        }
        if (virtual_rung(t)) {
            virtual_tell(t);
        }
        memory_space(t);
        ak_returning(&t->thread);
        if (asked_nothing(t) && __atomic_load_n(&t->thread.failed, __ATOMIC_ACQUIRE) == 0) {
            (void)ak_resume(&t->thread);
        }
    }
}

_Noreturn void task_return(struct task *t)
{
    ak_returning(&t->thread);
    if (asked_nothing(t) && __atomic_load_n(&t->thread.failed, __ATOMIC_ACQUIRE) == 0) {
        t->thread.space = __atomic_load_n(&t->program->as.id, __ATOMIC_RELAXED);
        if (t->thread.space != 0) {
            (void)ak_resume(&t->thread);
        }
    }
    return_slowly(t);
}

void task_resume(struct ak_thread *t)
{
    task_return((struct task *)t);
}

// On the thread itself, in this kernel's space.
static void begin(void *arg)
{
    task_return(arg);
}

struct task *task_make(struct program *p, uint32_t priority)
{
    collect();
    struct task *t = p->count < NATIVE_THREADS_MOST ? ak_alloc(sizeof(*t)) : NULL;
    if (t == NULL) {
        return NULL;
    }
    if (ak_thread_create(&t->thread, priority, 0) != ERR_OK) {
        ak_free(t, sizeof(*t));
        return NULL;
    }
    t->program = p;
    link_task(p, t);
    return t;
}

err_t task_create(struct program *p, const struct task_start *start)
{
    if (program_ending(p)) {
        return ERR_DENIED;
    }
    struct task *t = task_make(p, start->priority);
    if (t == NULL) {
        return ERR_LIMIT;
    }
    t->name = start->name;
    t->thread.resume = task_resume;
    struct thread_state *s = t->thread.state;
    s->fs_base = start->fs_base;
    s->frame[0] = (struct frame){.rip = start->entry, .rsp = start->stack - 8, .rdi = start->argument,
                                 .rflags = 0x202};
    ak_thread_run(&t->thread, begin, t);
    return ERR_OK;
}

void program_end(struct program *p, struct task *self, uint64_t value)
{
    if (program_ending(p)) {
        return;
    }
    p->value = value;
    __atomic_fetch_or(&p->asked, ASKED_END, __ATOMIC_SEQ_CST);           // pairs with program_ending()
    for (struct task *t = p->tasks; t != NULL; t = t->next) {
        if (t != self) {
            ak_wake(&t->thread);
            ak_thread_interrupt(&t->thread);
        }
    }
}

_Noreturn void task_exit(struct task *t)
{
    struct program *p = t->program;

    program_lock(t);
    task_unlink(t);
    bool last = p->count == 0;
    if (last) {
        __atomic_fetch_or(&p->asked, ASKED_END, __ATOMIC_SEQ_CST);
        aspace_destroy(&p->as);
        turn_leave(p);
    }
    program_unlock(t);
    if (last) {
        program_over(p);
    }
    if (t->thread.scheduled) {
        activation_leave(t);
    }
    ak_thread_exit(&t->thread);
}

void task_sleep(struct task *t, uint64_t until)
{
    while (ak_now() < until && !program_ending(t->program)) {
        (void)ak_block(&t->thread, until);
    }
}
