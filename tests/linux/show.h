// show.h - how the Linux test programs print what they saw.
//
// Each program prints a transcript that depends only on what the kernel did: no times, no process numbers, no
// addresses.  The transcript of the same binary on Linux is the expected one, so a program never says whether
// it passed; it only must not print what may differ between two right kernels.
//
//     say(...)          a line
//     show(call)        the call's text, then its value or -ENAME
//     okay(call)        the same, but only "ok" for a value that is not negative (numbers that may differ)
//     truth(condition)  the condition's text, then yes or no
//     child_status(s)   a wait status as words
//
// Output is written line by line, before any fork can copy it.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} error_names[] = {
#define E(name) {name, #name}
    E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD),
    E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV),
    E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC),
    E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK),
    E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(EOVERFLOW), E(ENOTSUP), E(ETIMEDOUT), E(EAFNOSUPPORT),
    E(ENOTSOCK),
#undef E
};

// The name of an error number.  Never NULL.
static inline const char *error_name(int number)
{
    static char text[16];
    for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++) {
        if (error_names[i].number == number) {
            return error_names[i].name;
        }
    }
    snprintf(text, sizeof(text), "E%d", number);
    return text;
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
    char line[1024];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(line, sizeof(line) - 1, format, list);
    va_end(list);
    if (n < 0) {
        return;
    }
    size_t length = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    line[length++] = '\n';
    for (size_t done = 0; done < length;) {
        ssize_t w = write(1, line + done, length - done);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            _exit(99);
        }
        done += (size_t)w;
    }
}

static inline long show_result(const char *text, long value, int error, bool plain)
{
    if (value == -1) {
        say("%s = -%s", text, error_name(error));
    } else if (plain) {
        say("%s = ok", text);
    } else {
        say("%s = %ld", text, value);
    }
    errno = error;
    return value;
}

#define show(call) (errno = 0, show_call(#call, (long)(call), false))
#define okay(call) (errno = 0, show_call(#call, (long)(call), true))
#define truth(condition) say("%s: %s", #condition, (condition) ? "yes" : "no")

static inline long show_call(const char *text, long value, bool plain)
{
    return show_result(text, value, errno, plain);
}

static inline void child_status(const char *who, int status)
{
    if (WIFEXITED(status)) {
        say("%s: exit %d", who, WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        say("%s: signal %d", who, WTERMSIG(status));
    } else if (WIFSTOPPED(status)) {
        say("%s: stopped %d", who, WSTOPSIG(status));
    } else if (WIFCONTINUED(status)) {
        say("%s: continued", who);
    } else {
        say("%s: odd status %x", who, (unsigned)status);
    }
}

// Run fn in a child and say how it ended.
static inline void in_child(const char *who, void (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        say("%s: no child: %s", who, error_name(errno));
        return;
    }
    child_status(who, status);
}

// Wait for a moment without depending on how long it is.
static inline void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR) {
    }
}

// An empty scratch directory of its own; the program runs in it from here on.
static inline void scratch_enter(void)
{
    static char name[] = "testXXXXXX";          // below the working directory, which the runner removes
    if (!mkdtemp(name) || chdir(name) < 0) {
        say("no scratch directory: %s", error_name(errno));
        exit(98);
    }
    umask(022);
}

// A file with these contents.
static inline void file_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        say("cannot write %s: %s", path, error_name(errno));
    }
    close(fd);
}

// What a file holds, as one line.
static inline void file_say(const char *path)
{
    char text[512];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        say("%s: -%s", path, error_name(errno));
        return;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n < 0) {
        say("%s: read -%s", path, error_name(errno));
        return;
    }
    text[n] = 0;
    say("%s: [%s]", path, text);
}
