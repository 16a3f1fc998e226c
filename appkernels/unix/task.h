// task.h - processes, as the process half of the emulator sees them.
//
// A process has one or more tasks (threads).  The one with tid == tgid leads; its struct stays until the process is
// reaped, also if it ended before the others.  A task ends in its own context, always: task_exit().  Its struct is
// freed when its thread has been written back for the last time (gone) and nobody waits for it (reaped).
//
// Everything here is under the giant, except where a field says otherwise.
#pragma once
#include "linux.h"
#include "ux.h"

struct process {
    int            pid;
    struct task   *leader;
    struct task   *threads;              // those that have not ended, by next_thread
    unsigned       alive;                // how many
    struct process *parent, *children, *sibling;
    struct process *next, *prev;         // all, by rising pid
    struct sig_queue pending;            // signals for the process as a whole
    int            exit_signal;          // what the parent is sent at the end; 0: nothing
    int            status;               // as wait reports it
    bool           exiting;              // every thread shall end, with `status`
    bool           zombie;               // none is left
    bool           reaped;
    bool           stopped, report_stop, report_continue;
    bool           executed;             // since fork: setpgid by the parent is too late
    bool           is_first;             // everything ends with it
    int            stop_signal;
    struct waitq   stop_wait;            // threads that are stopped
    struct waitq   child_wait;           // threads in wait4
    struct waitq   thread_wait;          // exec, waiting for the other threads to end
    uint64_t       rlimit[LINUX_RLIMITS][2];
    uint64_t       timer_at, timer_interval;     // ITIMER_REAL: clock, ticks
    struct process *next_timer;
    bool           timer_listed;
    uint64_t       started;                      // clock
    uint64_t       cpu_dead, cpu_children;       // ticks, of ended threads and reaped children
    uint64_t       faults_dead, faults_children;
    char          *command;                      // argv as NUL-terminated strings, for /proc
    size_t         command_size;
    char          *exe_path;
    size_t         exe_path_size;
};

struct sighand {                         // handlers, shared by CLONE_SIGHAND
    unsigned users;
    struct linux_sigaction action[LINUX_SIGNALS];
};

enum restart {
    RESTART_NONE,
    RESTART_CALL,                        // again, unless a handler without SA_RESTART runs
    RESTART_NOHAND,                      // again, unless a handler runs
};

extern struct process *process_list;

// task.c
struct task *task_create(struct process *p);                 // of a new process if NULL; NULL: no memory
void task_insert(struct task *t);                            // gives it a tid, makes it known
void task_free(struct task *t);                              // that was never inserted or run
void task_collect(void);                                     // free what has ended
void task_set_identity(struct process *p);                   // copies pgid, session, exe to all threads
void task_copy_identity(struct task *t, const struct task *from);
void task_reap(struct task *t);                              // nobody waits for this thread any more
void task_take_lead(struct task *t);                         // of its process, whose leader has ended
void process_reap(struct process *p);
struct process *process_find(int pid);
void process_link_child(struct process *parent, struct process *p);
void process_unlink_child(struct process *p);
uint64_t task_cpu(const struct task *t);                     // ticks it did not sleep
uint64_t process_cpu(const struct process *p);
unsigned task_count(void);
static inline void giant_lock(struct task *t)
{
    ak_mutex_lock(&giant, &t->thread);
}
static inline void giant_unlock(void)
{
    ak_mutex_unlock(&giant);
}
// Sleep without regard to signals.
int  sleep_quietly(struct task *t, struct waitq *q, uint64_t deadline);

// user.c
uint32_t *user_word(struct task *t, va_t va, uint32_t access);       // an aligned word in the window; NULL: no

// session.c
int  session_release_tty(struct session *s);                 // gives the group that was in its foreground, or 0

// run.c: how programs go on
_Noreturn void ux_return(struct task *t);
void ux_resume(struct ak_thread *thread);

// wait.c
void process_exit(struct process *p, int status);            // every thread is asked to end
_Noreturn void task_exit(struct task *t, int status);        // with the giant; ends the process if it is the last
void task_release_memory(struct task *t);                    // for exec and the end: the vm, and who waits for it
void sighand_put(struct sighand *s);
void usage_fill(struct rusage *u, uint64_t ticks, uint64_t faults);
void process_notify(struct process *p, int code, int status);// SIGCHLD to the parent

// signal.c
int  signal_send_task(struct task *t, const struct linux_siginfo *info);
int  signal_send_process(struct process *p, const struct linux_siginfo *info);
void signal_force(struct task *t, int signal, int code, uint64_t address);   // a fault: cannot be blocked or ignored
void signal_recalculate(struct task *t);
void signal_flush(struct sig_queue *q, uint64_t set);        // forget those of the set
void signal_set_mask(struct task *t, uint64_t mask);
// Signals of the process that t may have been chosen for, and does not take: the others that let them in look.
void signal_hand_on(struct process *p, struct task *t, uint64_t set);
bool signal_take(struct task *t, uint64_t set, struct linux_siginfo *info);  // one pending of set, dequeued
uint64_t signal_pending_set(const struct task *t);
void task_kick(struct task *t);                              // it has something to do: make it look
bool signal_ignored(const struct task *t, int signal);
bool signal_may_send(const struct task *from, const struct process *to, int signal);
struct linux_siginfo signal_from(const struct task *t, int signal);

// deliver.c
void signal_deliver(struct task *t);                         // with the giant; may end the task
long signal_return(struct task *t);                          // rt_sigreturn

// exec.c
struct exec_strings {                    // arguments that come from us, not from a program
    const char *const *argv, *const *envp;
};
long task_exec(struct task *t, const char *path, va_t argv, va_t envp, const struct exec_strings *own);

// futex.c
long futex_wake_address(struct task *t, va_t address, unsigned count);
void futex_exit(struct task *t);         // robust list, clear_child_tid

// clock.c
void clock_process_gone(struct process *p);
bool timespec_valid(const struct __kernel_timespec *ts);
uint64_t timespec_ns(const struct __kernel_timespec *ts);   // at most 290 years

// calls_sched.c
int  sched_policy(const struct task *t);                     // SCHED_NORMAL, SCHED_BATCH or SCHED_IDLE

// calls_misc.c, calls_id.c
void limits_init(struct process *p);
long session_create(struct task *t);

// run.c
const char *call_name(uint64_t number);
_Noreturn void ux_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void ux_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void ux_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
