// grow.c - the UNIX emulator asks srm for memory when a program needs it, and gives it back when nobody does.
// test: smp=1,4 cache=default,small host=no policy=grow.policy timeout=120 cores=1
//
// It begins with 48 MiB and may have 112 (grow.policy).  MemFree is what it has and nobody uses.
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "show.h"

enum { MIB = 1 << 20, PAGE = 4096, LARGE = 72, TOO_LARGE = 112, LITTLE = 48 };

static unsigned long free_mib(void)
{
    struct sysinfo s;
    return sysinfo(&s) == 0 ? s.freeram * s.mem_unit / MIB : 0;
}

// Touch so many MiB; 0 if each page held what was written to it.
static int touch(unsigned mib)
{
    unsigned bad = 0;
    unsigned char *p = mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return 2;
    }
    for (size_t at = 0; at < (size_t)mib * MIB; at += PAGE) {
        bad += *(unsigned *)(p + at) != 0;
        *(unsigned *)(p + at) = (unsigned)(at / PAGE) + 1;
    }
    for (size_t at = 0; at < (size_t)mib * MIB; at += PAGE) {
        bad += *(unsigned *)(p + at) != at / PAGE + 1;
    }
    return bad != 0;
}

static int child_touches(unsigned mib)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(touch(mib));
    }
    waitpid(pid, &status, 0);
    return status;
}

static bool given_back(void)
{
    for (int i = 0; i < 200 && free_mib() > LITTLE; i++) {
        usleep(50000);
    }
    return free_mib() <= LITTLE;
}

int main(void)
{
    say("little at the beginning: %d", free_mib() <= LITTLE);
    for (int i = 0; i < 3; i++) {
        say("more than that can be used: %d", child_touches(LARGE) == 0);
        say("and is given back: %d", given_back());
    }
    int status = child_touches(TOO_LARGE);
    say("not more than the policy allows: %d", WIFSIGNALED(status) || WEXITSTATUS(status) == 2);
    say("and that is given back too: %d", given_back());
    return 0;
}
