// futex.c - the bare call: wait, wake, values that changed, timeouts, requeue, between processes.
// test: smp=1,4 cache=default,tiny
#include "show.h"

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, WAIT_BITSET = 9, WAKE_BITSET = 10, PRIVATE = 128 };

static long futex(volatile int *word, int op, int value, const struct timespec *limit, volatile int *word2, int value3)
{
    return syscall(SYS_futex, word, op, value, limit, word2, value3);
}

static volatile int *shared;

static void answers(void)
{
    volatile int word = 5;
    struct timespec limit = {0, 10000000}, wrong = {0, 2000000000};
    show(futex(&word, WAIT, 4, NULL, NULL, 0));
    show(futex(&word, WAIT | PRIVATE, 4, NULL, NULL, 0));
    show(futex(&word, WAIT, 5, &limit, NULL, 0));
    show(futex(&word, WAIT | PRIVATE, 5, &limit, NULL, 0));
    show(futex(&word, WAIT, 5, &wrong, NULL, 0));
    show(futex(&word, WAKE, 1, NULL, NULL, 0));
    show(futex((volatile int *)((char *)&word + 1), WAIT, 5, NULL, NULL, 0));
    show(futex((volatile int *)((char *)&word + 1), WAKE, 5, NULL, NULL, 0));
    show(futex(&word, 99, 5, NULL, NULL, 0));
    show(futex(&word, WAIT_BITSET, 5, NULL, NULL, 0));
    show(futex(&word, WAKE_BITSET, 1, NULL, NULL, 0));
}

static void let_them_sleep(void)
{
    // Children that sleep cannot be seen from outside: give them time.
    pause_ms(60);
}

static void processes(void)
{
    pid_t pid[5];
    shared[0] = 0;
    for (int i = 0; i < 5; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            while (shared[0] == 0) {
                futex(shared, WAIT, 0, NULL, NULL, 0);
            }
            __atomic_fetch_add(shared + 1, 1, __ATOMIC_SEQ_CST);
            _exit(0);
        }
    }
    let_them_sleep();
    shared[0] = 1;
    long woken = 0;
    for (int i = 0; i < 1000 && woken < 5 && shared[1] < 5; i++) {
        woken += futex(shared, WAKE, 1, NULL, NULL, 0);
        pause_ms(1);
    }
    for (int i = 0; i < 5; i++) {
        waitpid(pid[i], NULL, 0);
    }
    say("all through: %d", shared[1]);
}

// Those who wait at the first word go to another one as they come, until so many have.
static void gather(volatile int *word, long all)
{
    long n = 0;
    for (int i = 0; i < 60000 && n < all; i++) {
        n += futex(shared, CMP_REQUEUE, 0, (const struct timespec *)10ul, word, 0);
        pause_ms(1);
    }
    say("waiting: %ld", n);
}

static void requeues(void)
{
    pid_t pid[4];
    shared[0] = 0;
    shared[1] = 0;
    shared[2] = 0;
    for (int i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            _exit(futex(shared, WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
        }
    }
    gather(shared + 2, 4);
    show(futex(shared + 2, CMP_REQUEUE, 1, (const struct timespec *)10ul, shared + 1, 77));
    long n = futex(shared + 2, CMP_REQUEUE, 1, (const struct timespec *)10ul, shared + 1, 0);
    say("woken and moved: %ld", n);
    show(futex(shared + 2, WAKE, 10, NULL, NULL, 0));
    show(futex(shared + 1, WAKE, 2, NULL, NULL, 0));
    show(futex(shared + 1, WAKE, 10, NULL, NULL, 0));
    for (int i = 0; i < 4; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        child_status("requeued", status);
    }
}

static volatile sig_atomic_t handled;
static void handler(int s)
{
    (void)s;
    handled = 1;
}

static void interrupted(void)
{
    struct sigaction act = {.sa_handler = handler};
    sigaction(SIGALRM, &act, NULL);
    shared[0] = 0;
    shared[1] = 0;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        while (shared[1] == 0) {         // the first one may come before it waits
            pause_ms(50);
            kill(parent, SIGALRM);
        }
        _exit(0);
    }
    show(futex(shared, WAIT, 0, NULL, NULL, 0));
    say("handled %d", handled);
    shared[1] = 1;
    while (waitpid(pid, NULL, 0) < 0) {
    }
}

// Ping-pong between two processes.
static void ping_pong(void)
{
    shared[0] = 0;
    pid_t pid = fork();
    int me = pid == 0;
    for (int i = 0; i < 500; i++) {
        int value;
        while ((value = shared[0]) % 2 != me) {
            futex(shared, WAIT, value, NULL, NULL, 0);
        }
        shared[0] = value + 1;
        futex(shared, WAKE, 1, NULL, NULL, 0);
    }
    if (pid == 0) {
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("partner", status);
    say("count %d", shared[0]);
}

// The word of a private mapping is each process's own after fork.
static void private_words(void)
{
    volatile int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct timespec limit = {0, 100000000};
        _exit(futex(word, WAIT, 0, &limit, NULL, 0) < 0 && errno == ETIMEDOUT ? 0 : 1);
    }
    pause_ms(30);
    show(futex(word, WAKE, 10, NULL, NULL, 0));
    int status;
    waitpid(pid, &status, 0);
    child_status("private waiter", status);
}

static void tid_cleared(void)
{
    // set_tid_address: at the end of a process its word is cleared and woken, if others share it.
    truth(syscall(SYS_set_tid_address, shared) == getpid());
}

int main(void)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    in_child("answers", answers);
    in_child("processes", processes);
    in_child("requeues", requeues);
    in_child("interrupted", interrupted);
    in_child("ping-pong", ping_pong);
    in_child("private words", private_words);
    in_child("tid cleared", tid_cleared);
    return 0;
}
