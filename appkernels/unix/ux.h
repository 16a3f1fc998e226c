// ux.h - what the parts of the UNIX emulator share.
//
// The emulator is a preemptible multiprocessor kernel in user mode.  A program's system call or fault runs
// here on the program's own thread, at depth 1, on the task's exception stack (16 KiB).  One lock, the
// giant, covers all of the emulator's state; it is held by every call except those that touch only the
// task itself, and released while a task sleeps.  Code is general-registers-only.
//
// Two halves.  Processes: main.c task.c vm.c user.c exec.c fork.c wait.c signal.c futex.c clock.c calls.c.
// Files: path.c inode.c ramfs.c pipe.c tty.c dev.c proc.c file.c poll.c calls_file.c.
#pragma once
#include <appkernel.h>
#include <sharing.h>

struct inode;
struct file;
struct task;
struct vm;
struct sighand;
struct segment;

// A list of sleeping tasks.
struct waitq {
    struct waiter *first;
};

struct fs_context {                              // cwd, root and umask; shared by CLONE_FS
    unsigned      users;
    struct inode *cwd, *root;
    uint32_t      umask;
};

struct fd_entry {
    struct file *file;
    bool         cloexec;
};
struct fd_table {                                // shared by CLONE_FILES
    unsigned         users;
    unsigned         size;                       // grows up to the RLIMIT_NOFILE limit of 1024
    struct fd_entry *entry;
};

struct creds {
    uint32_t uid, euid, suid, gid, egid, sgid;
    uint32_t ngroups, groups[32];
};

// Session and terminal state of a process group leader's session.
struct session {
    unsigned     users;
    int          sid;
    struct tty  *tty;                            // controlling terminal or NULL
};

// A task is a thread of a process; the process is a struct process of task.h, which the process half keeps to
// itself.  Tasks given by ux_task_find() and ux_task_next() may be zombies: vm, fs and files are NULL then.
struct task {
    union {                                      // first: the cookie points to the task
        struct ak_thread      thread;
        struct sharing_thread sharing;           // and it, with its part in scheduling
    };
    union {                                      // anything set: signal_deliver() before the program goes on
        uint32_t   attention;
        struct {
            bool    interrupted;                 // a  signals, a stop, the end: sleeps end
            uint8_t restart;                     //    enum restart, of the call that is being left
            bool    restore_mask;                //    blocked = saved_mask
        };
    };
    bool           ending;                       // another thread executes a program
    bool           reaped, gone;                 //    freed when both
    int            tid, tgid;
    struct process *process;
    struct vm         *vm;
    struct sighand    *sighand;
    struct fs_context *fs;
    struct fd_table   *files;
    struct creds   creds;
    char           comm[16];
    // Of the process, the same in all its threads.
    int            pgid;
    struct session *session;
    struct inode  *exe;                          // what /proc/PID/exe names; NULL before the first exec
    char          *exe_path;                     // its name, for readlink
    struct task   *next_hash, *next_thread;      // by tid; of the process

    uint64_t       blocked, saved_mask;          // signal masks
    int            death_signal;                 // sent to it when its parent ends
    uint64_t       wanted;                       // signals that rt_sigtimedwait waits for
    struct sig_queue { uint64_t set; struct sig_entry *first, *last; } pending;
    uint64_t       alt_sp, alt_size;             // sigaltstack
    uint32_t       alt_flags;
    uint64_t       call;                         // number of the call that runs
    uint64_t       sleep_until;                  // clock_nanosleep, to go on after a stop
    uint64_t       set_tid, clear_tid, robust_list;       // addresses in the program
    struct task   *vfork_parent;                 // sleeps until we exec or exit
    struct waitq   vfork_wait;
    uint64_t       started, slept;               // clock
    uint64_t       faults;
};

// ---- processes give to files (task.c user.c signal.c clock.c) ---------------------------------------------

extern struct ak_mutex giant;
// Sleep on q until ux_wake(q), a signal or the deadline (clock ticks, 0: none).  Releases and retakes the giant.
// 0, -EINTR or -ETIMEDOUT.  The caller tests its condition again: wakeups may be spurious.
int  ux_sleep(struct task *t, struct waitq *q, uint64_t deadline);
// The same on several queues at once, for poll.
int  ux_sleep_many(struct task *t, struct waitq **q, unsigned count, uint64_t deadline);
// Block other signals until the running call has been left, as ppoll, pselect and sigsuspend do.
void ux_mask_for_call(struct task *t, uint64_t mask);
void ux_wake(struct waitq *q);                   // wakes all that sleep on q

// The program's memory.  0 or -EFAULT; faults absent pages in by the emulator's own fault routine.
int  ux_copy_in(struct task *t, void *to, va_t from, size_t length);
int  ux_copy_out(struct task *t, va_t to, const void *from, size_t length);
// A NUL-terminated string of at most size-1 bytes; its length, -EFAULT or -ENAMETOOLONG.
long ux_copy_string(struct task *t, char *to, va_t from, size_t size);

void ux_signal_group(int pgid, int signal);      // from the terminal
void ux_signal_task(struct task *t, int signal); // SIGPIPE
// Terminal job control: may t read from (write to) its terminal now?  0; -ERESTARTSYS after sending SIGTTIN/SIGTTOU.
int  ux_tty_check(struct task *t, int foreground_pgid, int signal);
uint64_t ux_wall_ns(void);                       // CLOCK_REALTIME
uint64_t ux_mono_ns(void);                       // CLOCK_MONOTONIC
uint64_t ux_deadline(uint64_t ns_from_now);      // for ux_sleep
struct task *ux_task_find(int tid);
struct task *ux_task_next(struct task *after);   // all processes by rising pid; NULL starts and ends
// For /proc: one line of /proc/PID/stat and so on; gives the length.
size_t ux_task_stat(struct task *t, char *buffer, size_t size);
size_t ux_task_cmdline(struct task *t, char *buffer, size_t size);
char   ux_task_state(struct task *t);            // R S T Z
int    ux_task_parent(struct task *t);           // its pid
unsigned ux_task_threads(struct task *t);
struct signal_sets {
    uint64_t pending, shared, blocked, ignored, caught;
};
void ux_task_signals(const struct task *t, struct signal_sets *s);
void   ux_task_memory(struct task *t, uint64_t *total_pages, uint64_t *resident_pages);
// One line of /proc/PID/maps for the first region that ends above *at, which is moved to its end.  0: no more.
size_t ux_task_map_line(struct task *t, uint64_t *at, char *buffer, size_t size);
void   ux_memory_info(uint64_t *total_bytes, uint64_t *free_bytes);
uint64_t ux_limit(struct task *t, unsigned which);   // RLIMIT_*, the soft one; UINT64_MAX: none
void   ux_file_truncated(struct inode *i, uint64_t size);   // a file became shorter: mapped pages beyond go
void   ux_random(void *to, size_t length);       // what getrandom gives; for /dev/urandom

enum { ERESTARTSYS = 512 };                      // internal: -EINTR, or the call again if the handler says SA_RESTART

// ---- files give to processes (file.c path.c inode.c tty.c) ------------------------------------------------

// Build the tree from the boot archive's entries under "root/", mount /dev and /proc.
void fs_init(const void *archive, size_t length);
struct inode *fs_root(void);
// Open files of the first process: descriptors 0, 1, 2.  Each is the terminal if its bit of tty_mask is
// set, else a plain stream of the host: 0 reads port 0, 1 writes port 0, 2 writes port 2.
void fs_console_init(struct fd_table *files, unsigned tty_mask);
// The terminal becomes the controlling one of t's session, t's group its foreground; nothing if no stream is one.
// For the first process, once its session is set.
void fs_console_attach(struct task *t);
void fs_console_no_input(void);                                // the host's input is at its end already
void fs_console_window(unsigned rows, unsigned columns);       // its size at the start
// Input arrived (service thread; takes no lock): puts bytes into a ring and wakes whoever reads.
void console_poll(void);

// What uname and /proc/sys/kernel say; the name of the host may be changed (proc.c).
extern const char ux_ostype[], ux_release[], ux_version[];
extern char ux_hostname[65];

struct fd_table   *fd_table_create(void);
struct fd_table   *fd_table_copy(struct fd_table *from);           // NULL: no memory
void               fd_table_put(struct fd_table *files);           // last user closes all
void               fd_table_close_on_exec(struct fd_table *files);
struct fs_context *fs_context_create(struct inode *root);
struct fs_context *fs_context_copy(struct fs_context *from);
void               fs_context_put(struct fs_context *fs);

// Look up a program for exec: follows links, checks that it is a regular file with execute permission.
// Errors are negative Linux numbers.  `name` gets the path without links, for /proc/self/exe.
int  fs_open_exec(struct task *t, const char *path, struct inode **out, char *name, size_t size);
void inode_get(struct inode *i);
void inode_put(struct inode *i);
uint64_t inode_size(struct inode *i);
uint64_t inode_number(struct inode *i);
long inode_read(struct inode *i, void *to, uint64_t offset, size_t length);   // kernel memory; for exec headers
// The pages of a regular file as a segment, with one more user (segment_put).
struct segment *inode_segment(struct inode *i);
struct inode *segment_inode(struct segment *s);                // NULL: it is not a file's
// For mmap: the inode behind a descriptor, with one more user, checking the open mode; negative error.
int  fd_mmap_inode(struct task *t, int fd, bool shared_write, struct inode **out);

// ---- calls ------------------------------------------------------------------------------------------------

// One implementation of a Linux call: the giant is held unless the table says otherwise; arguments as in Linux.
// The result is the value or a negative error.
typedef long (*ux_call)(struct task *t, const uint64_t a[6]);
// calls.def lists them: UX(number, name, flags).  flags: G with the giant, N without.
// Functions are named ux_sys_<name>.  Process half: calls_process.def; file half: calls_file.def.
