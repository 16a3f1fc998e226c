// killexec.c - a signal that comes anywhere between fork and the new program's first instructions is not lost.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <sched.h>

enum { ROUNDS = 150 };

static void new_program(void)
{
    for (;;) {
        pause();
    }
}

// The child becomes another program and sleeps; the signal comes a little later each time.
static int one(char *self, int signal_number, int delay)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        char *argv[] = {self, "pause", NULL};
        execv(self, argv);
        _exit(127);
    }
    for (volatile int i = 0; i < delay; i++) {
    }
    if (kill(pid, signal_number) < 0 || waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGTERM, SIGKILL, SIGUSR1};
    int lost = 0;

    if (argc > 1 && strcmp(argv[1], "pause") == 0) {
        new_program();
    }
    for (int i = 0; i < ROUNDS; i++) {
        int s = signals[i % 3];
        lost += one("/proc/self/exe", s, i * 400) != s;
    }
    say("%d signals, lost %d", ROUNDS, lost);
    return 0;
}
