// stack.c - the stack grows on demand down to its limit, and not beyond.
// test: smp=1 cache=default,tiny
#include "show.h"
#include <sys/resource.h>

__attribute__((noinline)) static unsigned long dig(unsigned depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    if (depth == 0) {
        return 0;
    }
    return dig(depth - 1) + (unsigned char)frame[0];
}

static void megabytes(void)
{
    say("sum %lu", dig(1500));
}

static void sparse_frame(void)
{
    // One frame of a MiB, touched only at its far end, below the pages touched so far.
    volatile char frame[1 << 20];
    frame[0] = 3;
    say("far end %d", frame[0]);
}

static void endless(void)
{
    (void)dig(~0u);
}

static void on_segv(int s)
{
    (void)s;
    (void)!write(1, "overflow caught\n", 16);
    _exit(44);
}

static void endless_caught(void)
{
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction act = {.sa_handler = on_segv, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGSEGV, &act, NULL);
    endless();
}

// Without an alternate stack there is no place for the handler's frame: the process dies of the signal.
static void endless_uncaught(void)
{
    signal(SIGSEGV, on_segv);
    endless();
}

int main(void)
{
    struct rlimit limit;
    show(getrlimit(RLIMIT_STACK, &limit));
    say("at least 1 MiB: %d", limit.rlim_cur >= 1 << 20);
    limit.rlim_cur = 8 << 20;
    show(setrlimit(RLIMIT_STACK, &limit));
    in_child("megabytes", megabytes);
    in_child("sparse frame", sparse_frame);
    in_child("endless", endless);
    in_child("endless, caught", endless_caught);
    in_child("endless, handler without a stack", endless_uncaught);
    return 0;
}
