// files.c - regular files: open and its flags, reading, writing, seeking, sizes, holes, stat, links, unlinking.
// test: smp=1,2 cache=default,tiny
#include "show.h"
#include <sys/uio.h>

static void opens(void)
{
    file_put("f", "hello");
    mkdir("d", 0755);
    symlink("f", "link");
    symlink("nothing", "dangling");
    okay(open("f", O_RDONLY));
    show(open("nothing", O_RDONLY));
    show(open("", O_RDONLY));
    show(open("f/x", O_RDONLY));
    show(open("d", O_WRONLY));
    show(open("d", O_RDONLY | O_CREAT, 0644));
    show(open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
    show(open("dangling", O_RDONLY));
    show(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644));
    show(open("link", O_RDONLY | O_NOFOLLOW));
    show(open("f", O_RDONLY | O_DIRECTORY));
    okay(open("d", O_RDONLY | O_DIRECTORY));
    show(open("no/such/dir/file", O_CREAT | O_RDWR, 0644));
    show(openat(-1, "f", O_RDONLY));
    show(openat(999, "f", O_RDONLY));
    okay(openat(-1, "/", O_RDONLY));
    show(openat(0, "f", O_RDONLY));
    int dir = open("d", O_RDONLY);
    okay(openat(dir, "inside", O_CREAT | O_WRONLY, 0600));
    show(access("d/inside", F_OK));
    okay(open("dangling", O_CREAT | O_RDWR, 0644));
    show(access("nothing", F_OK));
    char name[300];
    memset(name, 'n', 255);
    name[255] = 0;
    okay(open(name, O_CREAT | O_WRONLY, 0600));
    memset(name, 'n', 256);
    name[256] = 0;
    show(open(name, O_CREAT | O_WRONLY, 0600));
    static char path[5000];
    for (int i = 0; i < 4200; i += 2) {
        memcpy(path + i, "./", 2);
    }
    show(open(path, O_RDONLY));
    okay(open("././//./f", O_RDONLY));
    okay(open("d/../d/./../f", O_RDONLY));
    okay(open("/../../..", O_RDONLY));
    show(open("f/", O_RDONLY));
    okay(open("d/", O_RDONLY));
    show(open("new/", O_CREAT | O_RDWR, 0644));
    int fd = open("f", O_RDONLY);
    show(write(fd, "x", 1));
    show(ftruncate(fd, 0));
    close(fd);
    fd = open("f", O_WRONLY);
    char c;
    show(read(fd, &c, 1));
    close(fd);
    okay(open("f", O_WRONLY | O_TRUNC));
    file_say("f");
    fd = open("f", O_PATH);
    show(read(fd, &c, 1));
    struct stat st;
    show(fstat(fd, &st));
    show(close(fd));
    show(close(fd));
    show(close(-1));
}

static void reads(void)
{
    char b[64] = "";
    int fd = open("r", O_RDWR | O_CREAT | O_TRUNC, 0644);
    show(write(fd, "0123456789", 10));
    show(lseek(fd, 0, SEEK_CUR));
    show(read(fd, b, 5));
    show(lseek(fd, 3, SEEK_SET));
    show(read(fd, b, 64));
    say("%.7s", b);
    show(read(fd, b, 64));
    show(lseek(fd, -4, SEEK_END));
    show(lseek(fd, -100, SEEK_CUR));
    show(lseek(fd, 0, 99));
    show(lseek(fd, 5, SEEK_DATA));
    show(lseek(fd, 5, SEEK_HOLE));
    show(lseek(fd, 100, SEEK_DATA));
    show(pread(fd, b, 4, 8));
    show(pread(fd, b, 4, -1));
    show(pwrite(fd, "XY", 2, 4));
    show(lseek(fd, 0, SEEK_SET));
    struct iovec v[3] = {{b, 3}, {b + 10, 0}, {b + 20, 40}};
    show(readv(fd, v, 3));
    say("%.3s %.7s", b, b + 20);
    show(readv(fd, v, -1));
    show(readv(fd, v, 2000));
    v[0].iov_len = (size_t)-1;
    show(writev(fd, v, 1));
    struct iovec w[2] = {{"abc", 3}, {"defg", 4}};
    show(writev(fd, w, 2));
    show(read(fd, b, 0));
    show(read(-1, b, 1));
    int dir = open(".", O_RDONLY);
    show(read(dir, b, 1));
    show(write(dir, b, 1));
    show(read(fd, (void *)8, 0));
    show(pread(fd, b, 30, 0));
    say("%.17s", b);
}

static void sizes(void)
{
    struct stat st;
    char b[16];
    int fd = open("s", O_RDWR | O_CREAT | O_TRUNC, 0644);
    show(ftruncate(fd, 100000));
    fstat(fd, &st);
    say("size %ld blocks %ld", (long)st.st_size, (long)st.st_blocks);
    show(pread(fd, b, 8, 99996));
    say("%d%d%d%d", b[0], b[1], b[2], b[3]);
    show(pwrite(fd, "end", 3, 1 << 30));
    fstat(fd, &st);
    say("size %ld, sparse %s", (long)st.st_size, st.st_blocks < 1000 ? "yes" : "no");
    show(ftruncate(fd, 5));
    show(ftruncate(fd, 10));
    show(pread(fd, b, 16, 0));
    show(ftruncate(fd, -1));
    show(truncate("s", 3));
    show(truncate("nothing", 3));
    show(truncate(".", 3));
    fstat(fd, &st);
    say("size %ld", (long)st.st_size);
    // What a shrinking cut off does not come back.
    (void)!pwrite(fd, "aaaaaaaaaa", 10, 0);
    show(ftruncate(fd, 4));
    show(ftruncate(fd, 10));
    (void)!pread(fd, b, 10, 0);
    say("%c %d %d", b[3], b[4], b[9]);
    // A large file, checked block by block.
    static unsigned block[4096];
    int big = open("big", O_RDWR | O_CREAT, 0644);
    for (unsigned i = 0; i < 128; i++) {
        for (unsigned k = 0; k < 4096; k++) {
            block[k] = i * 4096 + k;
        }
        if (write(big, block, sizeof(block)) != sizeof(block)) {
            say("short write");
        }
    }
    unsigned bad = 0;
    lseek(big, 0, SEEK_SET);
    for (unsigned i = 0; i < 128; i++) {
        if (read(big, block, sizeof(block)) != sizeof(block)) {
            say("short read");
        }
        for (unsigned k = 0; k < 4096; k++) {
            bad += block[k] != i * 4096 + k;
        }
    }
    say("bad words %u", bad);
}

static void appends(void)
{
    int a = open("a", O_WRONLY | O_CREAT | O_APPEND, 0644), b = open("a", O_WRONLY | O_APPEND);
    (void)!write(a, "1", 1);
    (void)!write(b, "2", 1);
    lseek(a, 0, SEEK_SET);
    (void)!write(a, "3", 1);
    show(lseek(a, 0, SEEK_CUR));
    show(lseek(b, 0, SEEK_CUR));
    file_say("a");
    // Four writers, each line whole.
    pid_t pid[4];
    for (int i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            char line[9];
            memset(line, 'a' + i, 8);
            line[8] = '\n';
            for (int k = 0; k < 50; k++) {
                (void)!write(a, line, 9);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        waitpid(pid[i], NULL, 0);
    }
    static char all[4096];
    int fd = open("a", O_RDONLY);
    ssize_t n = read(fd, all, sizeof(all));
    int bad = 0;
    for (ssize_t i = 3; i + 9 <= n; i += 9) {
        for (int k = 1; k < 8; k++) {
            bad += all[i + k] != all[i];
        }
        bad += all[i + 8] != '\n';
    }
    say("length %zd, torn %d", n, bad);
}

static void unlinks(void)
{
    char b[16] = "";
    struct stat st;
    int fd = open("u", O_RDWR | O_CREAT, 0644);
    (void)!write(fd, "alive", 5);
    show(unlink("u"));
    show(unlink("u"));
    show(open("u", O_RDONLY));
    show(pread(fd, b, 5, 0));
    fstat(fd, &st);
    say("[%s] links %d", b, (int)st.st_nlink);
    okay(open("u", O_RDWR | O_CREAT | O_EXCL, 0644));
    show(pread(fd, b, 5, 0));
    show(write(fd, "more", 4));
    show(close(fd));
    file_say("u");
    show(unlink("."));
    mkdir("ud", 0755);
    show(unlink("ud"));
    show(unlinkat(AT_FDCWD, "ud", AT_REMOVEDIR));
    show(unlinkat(AT_FDCWD, "u", AT_REMOVEDIR));
    show(unlinkat(AT_FDCWD, "u", 0x4000));
    show(unlink("u/x"));
    show(unlink(""));
}

static void stats(void)
{
    struct stat st, other;
    file_put("t", "12345");
    show(stat("t", &st));
    say("mode %o size %ld links %d blksize %ld", st.st_mode, (long)st.st_size, (int)st.st_nlink, (long)st.st_blksize);
    truth(st.st_uid == geteuid());
    show(stat("nothing", &st));
    show(stat("", &st));
    show(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
    truth(S_ISDIR(st.st_mode));
    show(fstatat(AT_FDCWD, "t", &st, 0x12345));
    show(fstat(-1, &st));
    symlink("t", "tl");
    show(lstat("tl", &st));
    say("link: mode %o size %ld", st.st_mode, (long)st.st_size);
    stat("t", &st);
    stat("tl", &other);
    truth(st.st_ino == other.st_ino && st.st_dev == other.st_dev);
    struct timespec times[2] = {{1000, 5}, {2000, 7}};
    show(utimensat(AT_FDCWD, "t", times, 0));
    stat("t", &st);
    say("times %ld.%ld %ld.%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    show(utimensat(AT_FDCWD, "t", times, 0));
    stat("t", &st);
    truth(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 2000);
    times[0].tv_nsec = 2000000000;
    show(utimensat(AT_FDCWD, "t", times, 0));
    show(utimensat(AT_FDCWD, "nothing", NULL, 0));
    show(access("t", R_OK | W_OK));
    show(access("nothing", F_OK));
    show(access("t", 99));
}

static void links(void)
{
    struct stat st;
    file_put("one", "data");
    show(link("one", "two"));
    show(link("one", "two"));
    show(link("nothing", "three"));
    mkdir("ld", 0755);
    show(link("ld", "ld2"));
    stat("two", &st);
    say("links %d", (int)st.st_nlink);
    file_put("two", "changed");
    file_say("one");
    show(unlink("one"));
    stat("two", &st);
    say("links %d", (int)st.st_nlink);
    file_say("two");
    char b[64] = "";
    show(symlink("two", "s1"));
    show(symlink("two", "s1"));
    show(symlink("", "s2"));
    show(readlink("s1", b, sizeof(b)));
    show(readlink("s1", b, 2));
    show(readlink("two", b, sizeof(b)));
    show(readlink("nothing", b, sizeof(b)));
    show(syscall(SYS_readlink, "s1", b, 0));
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    show(open("loop1", O_RDONLY));
    symlink("self/x", "self");
    show(open("self", O_RDONLY));
    show(lstat("loop1", &st));
    char name[16], target[16] = "two";
    for (int i = 0; i < 45; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        symlink(target, name);
        strcpy(target, name);
    }
    okay(open("c38", O_RDONLY));
    okay(open("c39", O_RDONLY));
    show(open("c40", O_RDONLY));
    show(link("s1", "hard"));
    lstat("hard", &st);
    truth(S_ISLNK(st.st_mode));
    symlink("ld", "ldl");
    okay(open("ldl/x", O_CREAT | O_WRONLY, 0644));
    show(access("ld/x", F_OK));
    okay(open("ldl/../two", O_RDONLY));
    show(linkat(AT_FDCWD, "s1", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    lstat("followed", &st);
    truth(S_ISREG(st.st_mode));
}

int main(void)
{
    scratch_enter();
    in_child("opens", opens);
    in_child("reads", reads);
    in_child("sizes", sizes);
    in_child("appends", appends);
    in_child("unlinks", unlinks);
    in_child("stats", stats);
    in_child("links", links);
    return 0;
}
