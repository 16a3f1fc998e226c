// init.c - the first program of the Linux guest: runs what its arguments say, prints the status, powers off.
//
//     init PROGRAM [ARGUMENT...]
#include <stdio.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status = 0;
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("tmp", "/tmp", "tmpfs", 0, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char *const env[] = {"PATH=/bin", "HOME=/root", NULL};
        setsid();
        if (argc > 1) {
            execve(argv[1], argv + 1, env);
        }
        perror("exec");
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0) {
    }
    printf("guest: status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(stdout);
    tcdrain(1);
    if (ioperm(0xf4, 4, 1) == 0) {
        outb(0x10, 0xf4);                        // QEMU's isa-debug-exit
    }
    reboot(RB_POWER_OFF);
    return 1;
}
