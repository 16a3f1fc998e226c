// devices.c - the files that are no files: /dev, /proc/self, getrandom, uname, sysinfo.
// test: smp=1 cache=default,tiny
#include "show.h"
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>

static void type_say(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        say("%s: -%s", path, error_name(errno));
        return;
    }
    say("%s: type %o device %lx", path, st.st_mode & S_IFMT, S_ISCHR(st.st_mode) ? (unsigned long)st.st_rdev : 0ul);
}

static void simple(void)
{
    char b[64];
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    memset(b, 1, sizeof(b));
    show(read(null, b, 64));
    show(write(null, b, 64));
    show(read(zero, b, 64));
    int sum = 0;
    for (int i = 0; i < 64; i++) {
        sum += b[i];
    }
    say("sum %d", sum);
    show(write(zero, b, 64));
    show(read(full, b, 64));
    show(write(full, b, 64));
    show(lseek(null, 100, SEEK_SET));
    show(ioctl(null, TCGETS, b));
    show(isatty(null));
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    truth(p != MAP_FAILED);
    if (p != MAP_FAILED) {
        say("%d", p[5000]);
        p[5000] = 1;
    }
    type_say("/dev/null");
    type_say("/dev/zero");
    type_say("/dev/full");
    type_say("/dev/random");
    type_say("/dev/urandom");
    type_say("/dev/tty");
    type_say("/dev");
    type_say("/proc");
    type_say("/");
    type_say("/tmp");
}

static void random_bytes(void)
{
    unsigned char a[64] = {0}, b[64] = {0};
    show(getrandom(a, 64, 0));
    show(getrandom(b, 64, GRND_NONBLOCK));
    truth(memcmp(a, b, 64) != 0);
    show(getrandom(a, 64, 0x100));
    show(getrandom(a, 0, 0));
    int fd = open("/dev/urandom", O_RDONLY);
    show(read(fd, a, 64));
    truth(memcmp(a, b, 64) != 0);
    static unsigned char big[100000];
    show(getrandom(big, sizeof(big), 0));
    unsigned count[256] = {0}, low = ~0u, high = 0;
    for (size_t i = 0; i < sizeof(big); i++) {
        count[big[i]]++;
    }
    for (int i = 0; i < 256; i++) {
        low = count[i] < low ? count[i] : low;
        high = count[i] > high ? count[i] : high;
    }
    truth(low > 250 && high < 550);
}

static void proc(void)
{
    char b[512], c[512];
    ssize_t n = readlink("/proc/self/exe", b, sizeof(b) - 1);
    truth(n > 0);
    b[n > 0 ? n : 0] = 0;
    truth(strstr(b, "devices") != NULL);
    char link[64];
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)getpid());
    n = readlink(link, c, sizeof(c) - 1);
    c[n > 0 ? n : 0] = 0;
    truth(strcmp(b, c) == 0);
    struct stat st1, st2;
    truth(stat("/proc/self/exe", &st1) == 0 && stat(b, &st2) == 0 && st1.st_ino == st2.st_ino);
    n = readlink("/proc/self", b, sizeof(b) - 1);
    b[n > 0 ? n : 0] = 0;
    truth(atoi(b) == getpid());
    int fd = open("/proc/self/cmdline", O_RDONLY);
    n = read(fd, b, sizeof(b));
    truth(n > 0 && strstr(b, "devices") != NULL && b[n - 1] == 0);
    fd = open("/proc/self/stat", O_RDONLY);
    n = read(fd, b, sizeof(b) - 1);
    b[n > 0 ? n : 0] = 0;
    int pid = 0, ppid = 0;
    char state = 0, name[32] = "";
    say("fields %d", sscanf(b, "%d (%31[^)]) %c %d", &pid, name, &state, &ppid));
    truth(pid == getpid() && ppid == getppid() && state == 'R' && strcmp(name, "devices") == 0);
    show(open("/proc/self/nothing", O_RDONLY));
    show(open("/proc/999999999/stat", O_RDONLY));
    okay(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
    fd = open("/dev/null", O_RDONLY);
    snprintf(c, sizeof(c), "/proc/self/fd/%d", fd);
    n = readlink(c, b, sizeof(b) - 1);
    b[n > 0 ? n : 0] = 0;
    say("descriptor names %s", b);
    okay(open(c, O_RDONLY));
    fd = open("/proc/meminfo", O_RDONLY);
    n = read(fd, b, sizeof(b) - 1);
    b[n > 0 ? n : 0] = 0;
    unsigned long total = 0;
    sscanf(b, "MemTotal: %lu kB", &total);
    truth(total > 10000);
    truth(mkdir("/proc/x", 0755) < 0);
}

static void system_names(void)
{
    struct utsname name;
    show(uname(&name));
    say("%s %s", name.sysname, name.machine);
    truth(name.release[0] >= '4' && name.release[0] <= '9');
    struct sysinfo info;
    show(sysinfo(&info));
    truth(info.totalram / 1048576 * info.mem_unit > 10 && info.freeram <= info.totalram && info.procs > 0);
    truth(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    truth(sysconf(_SC_PAGESIZE) == 4096);
}

int main(void)
{
    in_child("simple", simple);
    in_child("random bytes", random_bytes);
    in_child("proc", proc);
    in_child("system names", system_names);
    return 0;
}
