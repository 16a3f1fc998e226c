// many.c - many processes at once: all asleep together, then released, each with an answer of its own.
// test: smp=1,4 cache=default,tiny timeout=180 args=500 cores=1
#include "show.h"

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 500;
    count = count < 1 ? 500 : count;
    int ready[2], gate[2], done[2];
    if (pipe(ready) < 0 || pipe(gate) < 0 || pipe(done) < 0) {
        return 1;
    }
    pid_t *pid = calloc((size_t)count, sizeof(*pid));
    int started = 0;
    for (int i = 0; i < count; i++) {
        pid[i] = fork();
        if (pid[i] < 0) {
            say("fork %d: %s", i, error_name(errno));
            break;
        }
        if (pid[i] == 0) {
            char c;
            volatile int mine = i * 7;
            close(gate[1]);
            (void)!write(ready[1], "r", 1);
            (void)!read(gate[0], &c, 1);
            (void)!write(done[1], &i, sizeof(i));
            _exit(mine % 251);
        }
        started++;
    }
    char c;
    int seen = 0;
    while (seen < started && read(ready[0], &c, 1) == 1) {
        seen++;
    }
    say("started %d, asleep at once %d", started, seen);
    close(gate[1]);
    long sum = 0;
    for (int i = 0; i < started; i++) {
        int number = 0;
        if (read(done[0], &number, sizeof(number)) != sizeof(number)) {
            break;
        }
        sum += number;
    }
    int wrong = 0;
    for (int i = 0; i < started; i++) {
        int status = 0;
        if (waitpid(pid[i], &status, 0) != pid[i] || !WIFEXITED(status) || WEXITSTATUS(status) != i * 7 % 251) {
            wrong++;
        }
    }
    int status;
    say("sum %ld wrong %d", sum, wrong);
    show(waitpid(-1, &status, 0));
    return 0;
}
