// wild.c - programs that run wild beside one that computes: the result is right, and everybody else lives.
// test: smp=1,4 cache=default,tiny timeout=200 args="10 1" host=no cores=1
//
//     wild SECONDS SEED [WILD-ONES]
//
// A wild one is a process in a group of its own that forever does, by its random numbers, one of: a system call
// with random number and arguments (addresses of its own, of nobody, of the supervisor), a store to a random
// address, a jump into random bytes, a change of its mappings, a fork.  When it dies another takes its place.  The
// calculator in the meantime makes a chain of hashes and a matrix product over and over, each compared with the
// first.  What the wild ones cannot be allowed to do on a machine that is also somebody's host is left out: they
// send no signals except to themselves and their own children, and they reach no file outside their directory.
#include "show.h"
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static uint64_t state;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// ---- the calculator ---------------------------------------------------------------------------------------

enum { SIDE = 48 };
static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

static uint64_t hash_chain(uint64_t seed)
{
    static unsigned char block[65536];
    uint64_t h = 14695981039346656037ull ^ seed;
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (unsigned char)(h >> 32);
        h = (h ^ block[i]) * 1099511628211ull;
    }
    return h;
}

static uint64_t matrix(uint64_t seed)
{
    uint64_t h = seed, bits;
    for (int i = 0; i < SIDE; i++) {
        for (int k = 0; k < SIDE; k++) {
            left[i][k] = (double)((i * 31 + k * 7 + (int)seed) % 101) / 7.0;
            right[i][k] = (double)((i * 17 + k * 3) % 97) / 11.0;
        }
    }
    for (int i = 0; i < SIDE; i++) {
        for (int k = 0; k < SIDE; k++) {
            double s = 0;
            for (int j = 0; j < SIDE; j++) {
                s += left[i][j] * right[j][k];
            }
            product[i][k] = s;
            memcpy(&bits, &s, sizeof(bits));
            h = (h ^ bits) * 1099511628211ull;
        }
    }
    return h;
}

// The same results that the first round had, until the time is over; also by way of a child and a pipe.
static int calculate(time_t end)
{
    uint64_t chain = hash_chain(5), sum = matrix(3);
    unsigned bad = 0;
    for (unsigned round = 0; time(NULL) < end || round < 3; round++) {
        int p[2];
        uint64_t answer = 0;
        bad += hash_chain(5) != chain;
        bad += matrix(3) != sum;
        if (round % 8 == 0 && pipe(p) == 0) {
            pid_t pid = fork();
            if (pid == 0) {
                answer = hash_chain(5);
                (void)!write(p[1], &answer, sizeof(answer));
                _exit(0);
            }
            if (pid > 0) {
                bad += read(p[0], &answer, sizeof(answer)) != sizeof(answer) || answer != chain;
                waitpid(pid, NULL, 0);
            }
            close(p[0]);
            close(p[1]);
        }
    }
    say("hash %016lx, matrix %016lx", (unsigned long)chain, (unsigned long)sum);
    return bad == 0 ? 0 : 1;
}

// ---- the wild ones ----------------------------------------------------------------------------------------

static char *own;                                // memory of a wild one

static uint64_t address(void)
{
    switch (draw() % 9) {
    case 0:
        return draw();
    case 1:
        return 0;
    case 2:
        return draw() % 65536;
    case 3:
        return 0xffff800000000000ull + draw() % (1ull << 32);
    case 4:
        return 0xffffffff80000000ull + draw() % (1ull << 24);
    case 5:
        return 0x0000100000000000ull + draw() % (1ull << 30);
    case 6:
        return 0x7ffffffff000ull - draw() % 8192;
    default:
        return (uint64_t)own + draw() % (64 * 4096);
    }
}

static uint64_t argument(void)
{
    switch (draw() % 6) {
    case 0:
        return draw() % 8;
    case 1:
        return draw() % 5000;
    case 2:
        return -(draw() % 200);
    case 3:
        return 1ull << draw() % 64;
    default:
        return address();
    }
}

// Calls that could reach beyond the wild one, or make it sleep for good; all others are fair.
static bool forbidden(long number)
{
    static const short numbers[] = {
        SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
        SYS_pidfd_send_signal, SYS_reboot, SYS_kexec_load, SYS_kexec_file_load, SYS_swapon, SYS_swapoff,
        SYS_mount, SYS_umount2, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_sethostname,
        SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
        SYS_setpgid, SYS_setsid, SYS_ptrace, SYS_process_vm_writev, SYS_syslog, SYS_acct, SYS_quotactl,
        SYS_pivot_root, SYS_chroot, SYS_setpriority, SYS_ioprio_set, SYS_sched_setscheduler,
        SYS_sched_setparam, SYS_sched_setattr, SYS_prlimit64, SYS_setrlimit, SYS_prctl, SYS_bpf,
        SYS_unshare, SYS_setns, SYS_personality, SYS_perf_event_open, SYS_socket, SYS_vhangup, SYS_ioperm,
        SYS_iopl, SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_pause, SYS_rt_sigsuspend,
        SYS_rt_sigtimedwait, SYS_shmget, SYS_msgget, SYS_semget, SYS_add_key, SYS_keyctl, SYS_request_key,
        SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_mount_setattr, SYS_sync, SYS_nfsservctl, SYS_exit,
        SYS_exit_group, SYS_memfd_create, SYS_userfaultfd, SYS_io_uring_setup, SYS_move_pages,
        SYS_migrate_pages, SYS_kcmp, SYS_syncfs, SYS_pidfd_open, SYS_pidfd_getfd, SYS_process_madvise,
        SYS_epoll_wait, SYS_wait4, SYS_waitid,
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return number >= 428;
}

static void wild_call(void)
{
    long number = draw() % 16 == 0 ? (long)draw() : (long)(draw() % 450);
    if (!forbidden(number & 0x7fffffff)) {
        syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
    }
}

static void wild_code(void)
{
    // Random bytes, but none that is a call to the system by 0F 05, 0F 34 or CD: those have their own way above.
    unsigned char *code = (unsigned char *)own;
    for (int i = 0; i < 64; i++) {
        unsigned char byte = (unsigned char)(draw() >> 24);
        code[i] = byte == 0x0f || byte == 0xcd ? 0x90 : byte;
    }
    if (mprotect(own, 4096, PROT_READ | PROT_EXEC) == 0) {
        ((void (*)(void))(uintptr_t)own)();
    }
}

static void wild_memory(void)
{
    char *p = mmap(draw() % 2 ? NULL : (void *)(address() & ~4095ull), draw() % 16 * 4096, (int)(draw() % 8),
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED && draw() % 2) {
        *(volatile char *)p = 1;
    }
    if (draw() % 4 == 0) {
        munmap((void *)(address() & ~4095ull), draw() % 8 * 4096);
    } else if (draw() % 4 == 0) {
        mprotect((void *)(address() & ~4095ull), draw() % 8 * 4096, (int)(draw() % 8));
    }
}

static void ignore(int s)
{
    (void)s;
}

// Never comes back; dies of what it does, of the alarm, or when the program that started it has gone.
static void run_wild(uint64_t seed)
{
    unsigned generation = 0;
    struct rlimit memory = {64 << 20, 64 << 20}, files = {64, 64}, size = {1 << 20, 1 << 20};
    state = seed * 2654435761u + 88172645463325252ull;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_FSIZE, &size);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) {
        dup2(null, fd);
    }
    if (setgid(65534) < 0 || setuid(65534) < 0) {
        // Not the superuser: it has no more rights than its user anyway.
        errno = 0;
    }
    own = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (draw() % 4 == 0) {
        signal(SIGSEGV, draw() % 2 ? SIG_IGN : ignore);
        signal(SIGILL, ignore);
    }
    alarm(3);
    for (unsigned n = 0;; n++) {
        switch (draw() % 40) {
        case 0:
            *(volatile char *)address() = (char)draw();
            break;
        case 1:
            wild_memory();
            break;
        case 2:
            if (n % 16 == 0) {
                wild_code();
            }
            break;
        case 3:
            if (generation < 2 && draw() % 8 == 0 && fork() == 0) {
                generation++;
                state ^= 0x9e3779b97f4a7c15ull;
                alarm(3);
            }
            break;
        case 4:
            while (waitpid(-1, NULL, WNOHANG) > 0) {
            }
            break;
        default:
            wild_call();
        }
    }
}

// Keep `count` wild ones alive until the end, then see to it that none is left.
static void keep_wild(time_t end, uint64_t seed, unsigned count)
{
    pid_t pid[32] = {0};
    unsigned long deaths = 0;
    while (time(NULL) < end) {
        for (unsigned i = 0; i < count; i++) {
            if (pid[i] == 0) {
                pid[i] = fork();
                if (pid[i] == 0) {
                    run_wild(seed + 1000 * deaths + i);
                }
                pid[i] = pid[i] < 0 ? 0 : pid[i];
            }
        }
        pause_ms(2);
        for (unsigned i = 0; i < count; i++) {
            if (pid[i] > 0 && waitpid(pid[i], NULL, WNOHANG) == pid[i]) {
                pid[i] = 0;
                deaths++;
            }
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (pid[i] > 0) {
            kill(pid[i], SIGKILL);
            waitpid(pid[i], NULL, 0);
        }
    }
    _exit(deaths > 0 ? 0 : 1);
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? atol(argv[1]) : 10;
    uint64_t seed = argc > 2 ? (uint64_t)atoll(argv[2]) : 1;
    unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 4;
    time_t end = time(NULL) + seconds;
    scratch_enter();
    chmod(".", 0777);
    pid_t keeper = fork();
    if (keeper == 0) {
        keep_wild(end, seed, count < 32 ? count : 32);
    }
    int bad = calculate(end);
    int status = 0;
    waitpid(keeper, &status, 0);
    child_status("keeper", status);
    say("the results were %s", bad == 0 ? "always the same" : "not always the same");
    return bad;
}
