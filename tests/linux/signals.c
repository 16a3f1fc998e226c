// signals.c - handlers, what they are told, masks, pending sets, restarts, alternate stacks, nesting.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <sched.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t count[65], last, depth, deepest;

static void counter(int s)
{
    count[s]++;
    last = s;
}

static void install(int s, void (*fn)(int), int flags)
{
    struct sigaction act = {.sa_handler = fn, .sa_flags = flags};
    sigaction(s, &act, NULL);
}

static void actions(void)
{
    struct sigaction old, act = {.sa_handler = counter, .sa_flags = SA_RESTART};
    sigaddset(&act.sa_mask, SIGUSR2);
    show(sigaction(SIGUSR1, &act, NULL));
    show(sigaction(SIGUSR1, NULL, &old));
    truth(old.sa_handler == counter);
    truth((old.sa_flags & SA_RESTART) != 0);
    truth(sigismember(&old.sa_mask, SIGUSR2) == 1);
    show(syscall(SYS_rt_sigaction, SIGKILL, &act, NULL, 8));
    show(syscall(SYS_rt_sigaction, SIGSTOP, &act, NULL, 8));
    show(syscall(SYS_rt_sigaction, 0, &act, NULL, 8));
    show(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
    show(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    show(syscall(SYS_rt_sigprocmask, 99, &act.sa_mask, NULL, 8));
    show(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &act.sa_mask, NULL, 16));
    show(kill(getpid(), 99));
    show(kill(getpid(), -1));
    show(kill(1 << 28, SIGTERM));
    show(raise(SIGUSR1));
    say("handled %d", count[SIGUSR1]);
    install(SIGUSR1, counter, SA_RESETHAND);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &old);
    truth(old.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    show(raise(SIGUSR1));
    say("handled %d", count[SIGUSR1]);
}

static void masks(void)
{
    sigset_t set, pending, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGKILL);
    install(SIGUSR1, counter, 0);
    install(SIGUSR2, counter, 0);
    show(sigprocmask(SIG_BLOCK, &set, NULL));
    sigprocmask(SIG_BLOCK, NULL, &old);
    say("USR1 %d KILL %d", sigismember(&old, SIGUSR1), sigismember(&old, SIGKILL));
    int before = count[SIGUSR1];
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR2);
    say("held back: %d", count[SIGUSR1] - before);
    show(sigpending(&pending));
    say("pending USR1 %d USR2 %d INT %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2),
        sigismember(&pending, SIGINT));
    // A blocked standard signal is not queued twice; the lower number comes first, so the last handler is its.
    show(sigprocmask(SIG_UNBLOCK, &set, NULL));
    say("delivered: %d, %d", count[SIGUSR1] - before, count[SIGUSR2]);
    // sigsuspend takes the mask and waits in one step.
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    sigset_t open;
    sigemptyset(&open);
    show(sigsuspend(&open));
    say("delivered: %d", count[SIGUSR1] - before);
    sigprocmask(SIG_SETMASK, NULL, &old);
    say("mask is back: %d", sigismember(&old, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void nested(int s)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (s < SIGRTMIN + 5) {
        raise(s + 1);
    }
    count[s]++;
    depth--;
}

static void nesting(void)
{
    for (int s = SIGRTMIN; s <= SIGRTMIN + 5; s++) {
        install(s, nested, 0);
    }
    raise(SIGRTMIN);
    say("deepest %d", deepest);
    deepest = 0;
    // The same signal inside its handler waits for the end of the handler, unless SA_NODEFER.
    install(SIGUSR1, counter, 0);
}

static volatile int again;
static void self_again(int s)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (again-- > 0) {
        raise(s);
    }
    depth--;
}

static void deferring(void)
{
    deepest = 0;
    again = 4;
    install(SIGUSR1, self_again, 0);
    raise(SIGUSR1);
    say("deferred: deepest %d", deepest);
    deepest = 0;
    again = 4;
    install(SIGUSR1, self_again, SA_NODEFER);
    raise(SIGUSR1);
    say("not deferred: deepest %d", deepest);
}

static siginfo_t info_seen;
static volatile uintptr_t stack_seen;
static sigset_t mask_seen;

static void informed(int s, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    info_seen = *info;
    stack_seen = (uintptr_t)&info;
    memcpy(&mask_seen, &uc->uc_sigmask, 8);
    last = s;
}

static void infos(void)
{
    struct sigaction act = {.sa_sigaction = informed, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &act, NULL);
    sigaction(SIGRTMIN + 1, &act, NULL);
    sigaction(SIGCHLD, &act, NULL);
    kill(getpid(), SIGUSR1);
    truth(info_seen.si_signo == SIGUSR1 && info_seen.si_code == SI_USER);
    truth(info_seen.si_pid == getpid() && info_seen.si_uid == getuid());
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    truth(info_seen.si_code == SI_TKILL);
    union sigval value = {.sival_int = 4711};
    show(sigqueue(getpid(), SIGRTMIN + 1, value));
    truth(info_seen.si_code == SI_QUEUE && info_seen.si_value.sival_int == 4711);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(17);
    }
    while (last != SIGCHLD) {
        sched_yield();
    }
    truth(info_seen.si_pid == pid && info_seen.si_status == 17 && info_seen.si_code == CLD_EXITED);
    waitpid(pid, NULL, 0);
    signal(SIGCHLD, SIG_DFL);
}

static void alternate(void)
{
    static char stack[16384];
    stack_t new = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
    show(sigaltstack(NULL, &old));
    say("at first: %d", old.ss_flags == SS_DISABLE);
    show(sigaltstack(&new, NULL));
    new.ss_size = 100;
    show(sigaltstack(&new, NULL));
    new.ss_flags = 77;
    show(sigaltstack(&new, NULL));
    struct sigaction act = {.sa_sigaction = informed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGUSR2, &act, NULL);
    raise(SIGUSR2);
    truth(stack_seen >= (uintptr_t)stack && stack_seen < (uintptr_t)stack + sizeof(stack));
    act.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR2, &act, NULL);
    raise(SIGUSR2);
    truth(!(stack_seen >= (uintptr_t)stack && stack_seen < (uintptr_t)stack + sizeof(stack)));
    stack_t off = {.ss_flags = SS_DISABLE};
    show(sigaltstack(&off, NULL));
}

static void late(int reader, int writer, int flags)
{
    // A child signals, waits, then writes: a restarted read gets the byte, another one is interrupted.  That one is
    // signalled until it is, since the first signal may come before it.
    volatile int *over = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    install(SIGUSR1, counter, flags);
    int before = count[SIGUSR1];
    pid_t pid = fork();
    if (pid == 0) {
        do {
            pause_ms(100);
            kill(parent, SIGUSR1);
        } while (flags == 0 && !*over);
        pause_ms(100);
        (void)!write(writer, "x", 1);
        _exit(0);
    }
    char c = '-';
    show(read(reader, &c, 1));
    *over = 1;
    say("byte %c, handled %d", c, count[SIGUSR1] > before);
    while (waitpid(pid, NULL, 0) < 0) {
    }
    if (c == '-') {
        (void)!read(reader, &c, 1);
    }
}

static void restarts(void)
{
    int line[2];
    if (pipe(line) < 0) {
        return;
    }
    late(line[0], line[1], SA_RESTART);
    late(line[0], line[1], 0);
    // Sleeps are never restarted by the handler's flag; the rest is told.
    // Alarms come again and again: the first one may be before the sleep.
    const struct itimerval off = {{0, 0}, {0, 0}}, once = {.it_value = {0, 20000}};
    struct itimerval timer = {{0, 50000}, {0, 50000}};
    install(SIGALRM, counter, SA_RESTART);
    show(setitimer(ITIMER_REAL, &timer, NULL));
    struct timespec t = {100, 0}, rest = {0, 0};
    show(nanosleep(&t, &rest));
    truth(rest.tv_sec >= 50 && rest.tv_sec < 100);
    show(pause());
    setitimer(ITIMER_REAL, &off, NULL);
    show(alarm(0));
    truth(count[SIGALRM] >= 2);
    int before = count[SIGALRM];
    setitimer(ITIMER_REAL, &once, NULL);
    while (count[SIGALRM] == before) {
        pause_ms(5);
    }
    pause_ms(50);
    say("alarms %d", count[SIGALRM] - before);
    show(alarm(100));
    truth(alarm(0) >= 99);
}

static void changed(int s, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)info;
    uc->uc_mcontext.gregs[REG_RBX] = 0x1234;
    uc->uc_mcontext.gregs[REG_R12] = s;
    uc->uc_mcontext.gregs[REG_RIP] += 2;       // over the ud2
}

static void edited(void)
{
    struct sigaction act = {.sa_sigaction = changed, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &act, NULL);
    unsigned long b = 1, r = 2;
    __asm__ volatile("mov $7, %%rbx\n\tmov $8, %%r12\n\tud2\n\tmov %%rbx, %0\n\tmov %%r12, %1"
                     : "=r"(b), "=r"(r) : : "rbx", "r12", "memory");
    say("edited registers: %lx %lu", b, r);
}

static void inherited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    install(SIGUSR1, counter, 0);
    count[SIGUSR1] = 0;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t pending;
        sigpending(&pending);
        say("the child has nothing pending: %d", sigismember(&pending, SIGUSR1));
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(SIGUSR1);
        _exit(count[SIGUSR1]);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("child with the handler", status);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    say("the parent's came: %d", count[SIGUSR1]);
}

static void waits(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct timespec none = {0, 1000};
    siginfo_t info;
    show(sigtimedwait(&set, &info, &none));
    raise(SIGUSR2);
    show(sigwaitinfo(&set, &info));
    truth(info.si_pid == getpid());
    // Real-time signals queue, in order of their numbers.
    for (int s = SIGRTMIN + 2; s <= SIGRTMIN + 3; s++) {
        sigaddset(&set, s);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 3; i++) {
        union sigval value = {.sival_int = i};
        sigqueue(getpid(), SIGRTMIN + 3 - i % 2, value);
    }
    for (int i = 0; i < 3; i++) {
        int s = sigwaitinfo(&set, &info);
        say("queued: %d value %d", s - SIGRTMIN, info.si_value.sival_int);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
    in_child("actions", actions);
    in_child("masks", masks);
    in_child("nesting", nesting);
    in_child("deferring", deferring);
    in_child("infos", infos);
    in_child("alternate", alternate);
    in_child("restarts", restarts);
    in_child("edited", edited);
    in_child("inherited", inherited);
    in_child("waits", waits);
    return 0;
}
