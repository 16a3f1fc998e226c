// threads.c - POSIX threads as a C library makes them: create, join, mutex, condition, thread-local data, cancel.
// test: smp=1,2,4 cache=default,tiny libc=musl,glibc timeout=120
#include "show.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long counter, turn;
static __thread unsigned long own = 17;

static void *count(void *arg)
{
    unsigned long n = (unsigned long)arg;
    if (own != 17) {
        return (void *)1ul;
    }
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        own += n;
        if (i % 100 == 0) {
            sched_yield();
        }
    }
    return (void *)(own == 17 + n * ROUNDS ? 0ul : 2ul);
}

static void counting(void)
{
    pthread_t t[THREADS];
    for (unsigned long i = 0; i < THREADS; i++) {
        if (pthread_create(&t[i], NULL, count, (void *)i) != 0) {
            say("cannot create");
        }
    }
    unsigned long bad = 0;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(t[i], &result);
        bad += (unsigned long)result;
    }
    say("counter %lu bad %lu own %lu", counter, bad, own);
}

// Threads take turns in a ring.
static void *ring(void *arg)
{
    unsigned long n = (unsigned long)arg;
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != n) {
            pthread_cond_wait(&changed, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void turns(void)
{
    pthread_t t[THREADS];
    turn = 0;
    for (unsigned long i = 0; i < THREADS; i++) {
        pthread_create(&t[i], NULL, ring, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    say("turns %lu", turn);
}

static sem_t items, spaces;
static int queue[16];

static void *producer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        sem_wait(&spaces);
        queue[i % 16] = i;
        sem_post(&items);
    }
    return NULL;
}

static void semaphores(void)
{
    pthread_t t;
    long sum = 0;
    sem_init(&items, 0, 0);
    sem_init(&spaces, 0, 16);
    pthread_create(&t, NULL, producer, NULL);
    for (int i = 0; i < 1000; i++) {
        sem_wait(&items);
        sum += queue[i % 16];
        sem_post(&spaces);
    }
    pthread_join(t, NULL);
    say("sum %ld", sum);
    show(sem_trywait(&items));
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 20000000;
    if (limit.tv_nsec >= 1000000000) {
        limit.tv_sec++;
        limit.tv_nsec -= 1000000000;
    }
    show(sem_timedwait(&items, &limit));
    pthread_mutex_lock(&mutex);
    say("timed wait: %s", error_name(pthread_cond_timedwait(&changed, &mutex, &limit)));
    pthread_mutex_unlock(&mutex);
}

static void *identity(void *arg)
{
    *(int *)arg = getpid();
    return (void *)syscall(SYS_gettid);
}

static void identities(void)
{
    pthread_t t;
    int pid;
    void *tid;
    pthread_create(&t, NULL, identity, &pid);
    pthread_join(t, &tid);
    truth(pid == getpid());
    truth((long)tid != getpid());
    truth(syscall(SYS_gettid) == getpid());
    while (syscall(SYS_tgkill, getpid(), (long)tid, 0) == 0) {
        sched_yield();                           // joined is a little earlier than gone
    }
    say("a thread that is gone: %s", error_name(errno));
}

static void *bad_store(void *arg)
{
    *(volatile int *)arg = 1;
    return NULL;
}

static void crash(void)
{
    pthread_t t;
    pthread_create(&t, NULL, bad_store, NULL);
    pthread_join(t, NULL);
    say("not reached");
}

static void *sleeper(void *arg)
{
    (void)arg;
    for (;;) {
        pause();
    }
    return NULL;
}

// exit ends all threads, whatever they do.
static void group_exit(void)
{
    pthread_t t;
    for (int i = 0; i < 5; i++) {
        pthread_create(&t, NULL, sleeper, NULL);
    }
    exit(12);
}

static void *exit_from_thread(void *arg)
{
    (void)arg;
    exit(13);
}

static void thread_exits(void)
{
    pthread_t t;
    pthread_create(&t, NULL, exit_from_thread, NULL);
    sleeper(NULL);
}

static void *outlive(void *arg)
{
    (void)arg;
    pause_ms(30);
    say("last thread ends");
    return NULL;
}

// In a fresh program: musl's main thread of a forked child does not get over its own pthread_exit.
static void main_ends_first(void)
{
    execl("/proc/self/exe", "threads", "last", (char *)NULL);
}

static int last_inner(void)
{
    pthread_t t;
    pthread_create(&t, NULL, outlive, NULL);
    pthread_exit(NULL);
}

static void exec_from_thread(void)
{
    pthread_t t;
    pthread_create(&t, NULL, sleeper, NULL);
    pid_t before = getpid();
    char text[32];
    snprintf(text, sizeof(text), "%d", (int)before);
    execl("/proc/self/exe", "threads", "again", text, (char *)NULL);
}

static volatile sig_atomic_t handled_by;
static void handler(int s)
{
    (void)s;
    handled_by = (sig_atomic_t)syscall(SYS_gettid);
}

static void *wait_signal(void *arg)
{
    *(volatile long *)arg = syscall(SYS_gettid);
    while (!handled_by) {
        sched_yield();
    }
    return NULL;
}

static void signals(void)
{
    pthread_t t;
    volatile long tid = 0;
    signal(SIGUSR1, handler);
    pthread_create(&t, NULL, wait_signal, (void *)&tid);
    while (!tid) {
        sched_yield();
    }
    show(pthread_kill(t, SIGUSR1));
    pthread_join(t, NULL);
    truth(handled_by == tid);
    // A signal to the process goes to a thread that does not block it.
    handled_by = 0;
    tid = 0;
    sigset_t set;
    pthread_create(&t, NULL, wait_signal, (void *)&tid);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    pthread_join(t, NULL);
    truth(handled_by == tid);
}

static void *cancelled(void *arg)
{
    (void)arg;
    for (;;) {
        pause_ms(1000);
        pthread_testcancel();
    }
    return NULL;
}

static void cancel(void)
{
    pthread_t t;
    void *result;
    pthread_create(&t, NULL, cancelled, NULL);
    show(pthread_cancel(t));
    show(pthread_join(t, &result));
    truth(result == PTHREAD_CANCELED);
}

static void *nothing(void *arg)
{
    return arg;
}

static void churn(void)
{
    long sum = 0;
    for (long i = 0; i < 200; i++) {
        pthread_t t;
        void *result;
        if (pthread_create(&t, NULL, nothing, (void *)i) != 0) {
            say("cannot create %ld", i);
            return;
        }
        pthread_join(t, &result);
        sum += (long)result;
    }
    say("churn %ld", sum);
}

static void *forker(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(19);
    }
    int status;
    waitpid(pid, &status, 0);
    return (void *)(long)WEXITSTATUS(status);
}

static void forks(void)
{
    pthread_t t[4];
    long sum = 0;
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, forker, NULL);
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(t[i], &result);
        sum += (long)result;
    }
    say("forks from threads: %ld", sum);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "again") == 0) {
        say("exec from a process with threads: same pid %d", atoi(argv[2]) == getpid());
        return 14;
    }
    if (argc > 1 && strcmp(argv[1], "last") == 0) {
        return last_inner();
    }
    in_child("counting", counting);
    in_child("turns", turns);
    in_child("semaphores", semaphores);
    in_child("identities", identities);
    in_child("crash", crash);
    in_child("group exit", group_exit);
    in_child("thread exits", thread_exits);
    in_child("main ends first", main_ends_first);
    in_child("exec from thread", exec_from_thread);
    in_child("signals", signals);
    in_child("cancel", cancel);
    in_child("churn", churn);
    in_child("forks", forks);
    return 0;
}
