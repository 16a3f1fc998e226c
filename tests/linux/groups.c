// groups.c - process groups, sessions and stopping: who is in which, who may move whom, job control by signals.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <sched.h>

static void moves(void)
{
    pid_t self = getpid();
    show(setpgid(0, -1));
    show(setpgid(-1, 0));
    show(getpgid(1 << 28));
    show(getsid(1 << 28));
    int gate[2];
    if (pipe(gate) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(gate[1]);
        (void)!read(gate[0], &c, 1);
        _exit(getpgrp() == getpid() ? 1 : 2);
    }
    show(setpgid(pid, pid));
    truth(getpgid(pid) == pid);
    truth(getpgid(0) == getpgrp());
    truth(getpgid(self) != pid);
    close(gate[1]);
    int status;
    waitpid(pid, &status, 0);
    child_status("moved child", status);
    show(setpgid(pid, pid));
}

static void session(void)
{
    pid_t self = getpid();
    truth(setsid() == self);
    truth(getsid(0) == self);
    truth(getpgrp() == self);
    show(setsid());
    show(setpgid(0, 0));
    show(open("/dev/tty", O_RDWR));
    pid_t pid = fork();
    if (pid == 0) {
        truth(getsid(0) == self);
        show(setpgid(0, 0));
        truth(getpgrp() == getpid());
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
}

static volatile sig_atomic_t got;
static void note(int s)
{
    got = (sig_atomic_t)s;
}

static void group_signal(void)
{
    // Four children in one group of their own; one signal ends them all and nobody else.
    pid_t pid[4], leader = 0;
    int ready[2];
    if (pipe(ready) < 0) {
        return;
    }
    for (int i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            setpgid(0, leader);
            (void)!write(ready[1], "r", 1);
            for (;;) {
                pause();
            }
        }
        if (i == 0) {
            leader = pid[0];
        }
        setpgid(pid[i], leader);
        char c;
        (void)!read(ready[0], &c, 1);
    }
    show(kill(-leader, 0));
    show(kill(-leader, SIGTERM));
    for (int i = 0; i < 4; i++) {
        int status;
        truth(waitpid(-leader, &status, 0) > 0);
        child_status("group member", status);
    }
    int status;
    show(waitpid(-leader, &status, 0));
    show(kill(-leader, 0));
    signal(SIGUSR1, note);
}

static void stops(void)
{
    int ready[2], gate[2];
    if (pipe(ready) < 0 || pipe(gate) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        signal(SIGUSR1, note);
        (void)!write(ready[1], "r", 1);
        while (!got) {                           // sent while it is stopped, handled when it goes on
            sched_yield();
        }
        (void)!read(gate[0], &byte, 1);
        _exit(21);
    }
    char c;
    (void)!read(ready[0], &c, 1);
    int status;
    show(kill(pid, SIGSTOP));
    truth(waitpid(pid, &status, WUNTRACED) == pid);
    child_status("after SIGSTOP", status);
    show(waitpid(pid, &status, WNOHANG | WUNTRACED));
    kill(pid, SIGUSR1);
    show(waitpid(pid, &status, WNOHANG));
    show(kill(pid, SIGCONT));
    truth(waitpid(pid, &status, WCONTINUED) == pid);
    child_status("after SIGCONT", status);
    (void)!write(gate[1], "g", 1);
    truth(waitpid(pid, &status, 0) == pid);
    child_status("at the end", status);

    got = 0;
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);                           // a group with a parent outside is not orphaned: SIGTSTP stops it
        raise(SIGTSTP);
        _exit(22);
    }
    truth(waitpid(pid, &status, WUNTRACED) == pid);
    child_status("raised SIGTSTP", status);
    kill(pid, SIGKILL);
    truth(waitpid(pid, &status, 0) == pid);
    child_status("killed while stopped", status);
}

static void child_infos(void)
{
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        raise(SIGKILL);
    }
    static const char *const names[] = {"?", "exited", "killed", "dumped", "trapped", "stopped", "continued"};
    struct timespec limit = {10, 0};
    truth(sigtimedwait(&set, &info, &limit) == SIGCHLD);
    say("%s by %d, pid %s", names[info.si_code], info.si_status, info.si_pid == pid ? "right" : "wrong");
    kill(pid, SIGCONT);
    int status;
    truth(waitpid(pid, &status, 0) == pid);
    child_status("child", status);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
    setpgid(0, 0);
    moves();
    in_child("session", session);
    group_signal();
    stops();
    child_infos();
    return 0;
}
