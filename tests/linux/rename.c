// rename.c - the matrix of renames, and directories: what may replace what, cycles, removal, the current directory.
// test: smp=1 cache=default,tiny
#include "show.h"
#include <dirent.h>

static const char *const kinds[] = {"none", "file", "empty", "full", "link", "fifo"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void make(const char *path, int kind)
{
    char inner[64];
    switch (kind) {
    case 1:
        file_put(path, "text");
        break;
    case 2:
    case 3:
        mkdir(path, 0755);
        snprintf(inner, sizeof(inner), "%s/inner", path);
        if (kind == 3) {
            file_put(inner, "inner");
        }
        break;
    case 4:
        symlink("target", path);
        break;
    case 5:
        mkfifo(path, 0644);
        break;
    }
}

static const char *kind_of(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        return "none";
    }
    if (S_ISDIR(st.st_mode)) {
        char inner[64];
        snprintf(inner, sizeof(inner), "%s/inner", path);
        return access(inner, F_OK) == 0 ? "full" : "empty";
    }
    return S_ISLNK(st.st_mode) ? "link" : S_ISFIFO(st.st_mode) ? "fifo" : "file";
}

static void remove_all(const char *path)
{
    char inner[64];
    snprintf(inner, sizeof(inner), "%s/inner", path);
    unlink(inner);
    rmdir(path);
    unlink(path);
}

static void matrix(unsigned flags)
{
    for (int a = 0; a < KINDS; a++) {
        for (int b = 0; b < KINDS; b++) {
            make("a", a);
            make("b", b);
            errno = 0;
            long r = syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", flags);
            const char *answer = r == 0 ? "ok" : error_name(errno);
            say("%u: %s over %s: %s; now %s, %s", flags, kinds[a], kinds[b], answer, kind_of("a"), kind_of("b"));
            remove_all("a");
            remove_all("b");
        }
    }
}

static void special(void)
{
    file_put("x", "same");
    link("x", "y");
    show(rename("x", "y"));
    truth(access("x", F_OK) == 0 && access("y", F_OK) == 0);
    show(rename("x", "x"));
    mkdir("d", 0755);
    mkdir("d/e", 0755);
    mkdir("d/e/f", 0755);
    show(rename("d", "d/e/g"));
    show(rename("d", "d/g"));
    show(rename("d/e", "d"));
    show(rename("d/e/f", "g"));
    truth(access("g", F_OK) == 0);
    show(rename("d/.", "h"));
    show(rename("d/..", "h"));
    show(rename("x", "d/"));
    show(rename("x", "nothing/"));
    show(rename("d/", "h/"));
    show(rename("h", "d"));
    show(rename("x", "no/dir/x"));
    show(rename("x", "x/y"));
    show(rename("", "z"));
    show(rename("x", ""));
    show(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 0x80));
    show(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 3));
    // An open file keeps its data through renames and replacement.
    int fd = open("x", O_RDONLY);
    file_put("z", "new");
    show(rename("z", "x"));
    char b[8] = "";
    show(read(fd, b, 7));
    say("[%s]", b);
    file_say("x");
    // A directory that moves takes its parent with it.
    mkdir("p1", 0755);
    mkdir("p2", 0755);
    mkdir("p1/c", 0755);
    file_put("p2/mark", "p2");
    show(rename("p1/c", "p2/c"));
    file_say("p2/c/../mark");
    struct stat st;
    stat("p1", &st);
    int links1 = (int)st.st_nlink;
    stat("p2", &st);
    say("links %d %d", links1, (int)st.st_nlink);
}

static void directories(void)
{
    char b[64];
    show(mkdir("m", 0755));
    show(mkdir("m", 0755));
    show(mkdir("m/n/o", 0755));
    show(mkdir("", 0755));
    show(mkdir("/", 0755));
    show(mkdir("m/.", 0755));
    show(mkdir("m/n/", 0755));
    show(rmdir("m"));
    show(rmdir("m/n/."));
    show(rmdir("m/n/.."));
    show(rmdir("nothing"));
    show(rmdir("/"));
    file_put("f", "");
    show(rmdir("f"));
    show(chdir("m/n"));
    truth(getcwd(b, sizeof(b)) != NULL && strcmp(b + strlen(b) - 4, "/m/n") == 0);
    show(syscall(SYS_getcwd, b, 3));
    show(rmdir("../n"));
    show(syscall(SYS_getcwd, b, sizeof(b)));
    show(open("x", O_CREAT | O_WRONLY, 0644));
    show(mkdir("x", 0755));
    show(chdir(".."));
    show(chdir("../f"));
    show(chdir("nothing"));
    int fd = open("..", O_RDONLY);
    show(fchdir(fd));
    show(access("f", F_OK));
    fd = open("f", O_RDONLY);
    show(fchdir(fd));
    show(fchdir(-1));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void listing(void)
{
    // More entries than fit one buffer; each is seen once though others go away meanwhile.
    mkdir("many", 0755);
    char path[300];
    for (int i = 0; i < 700; i++) {
        snprintf(path, sizeof(path), "many/entry-with-a-longish-name-%04d", i);
        file_put(path, "");
    }
    DIR *dir = opendir("many");
    static char seen[700];
    int total = 0, dots = 0, odd = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL; total++) {
        int n = -1;
        if (e->d_name[0] == '.') {
            dots++;
            odd += e->d_type != DT_DIR;
        } else if (sscanf(e->d_name, "entry-with-a-longish-name-%d", &n) == 1 && n >= 0 && n < 700) {
            seen[n]++;
            odd += e->d_type != DT_REG;
        }
    }
    int missing = 0;
    for (int i = 0; i < 700; i++) {
        missing += seen[i] != 1;
    }
    say("total %d dots %d odd %d missing or twice %d", total, dots, odd, missing);
    rewinddir(dir);
    total = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof(path), "many/%s", e->d_name);
            total += unlink(path) == 0;
        }
    }
    closedir(dir);
    say("removed while reading: %d", total);
    show(rmdir("many"));
    char buffer[1024];
    int fd = open(".", O_RDONLY);
    show(syscall(SYS_getdents64, fd, buffer, 1));
    show(syscall(SYS_getdents64, -1, buffer, sizeof(buffer)));
    int file = open("f", O_RDONLY);
    show(syscall(SYS_getdents64, file, buffer, sizeof(buffer)));
    char *names[16];
    int count = 0;
    dir = opendir("m");
    file_put("m/b", "");
    file_put("m/a", "");
    mkdir("m/c", 0755);
    rewinddir(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL && count < 16;) {
        names[count++] = strdup(e->d_name);
    }
    qsort(names, (size_t)count, sizeof(names[0]), by_name);
    for (int i = 0; i < count; i++) {
        say("%s", names[i]);
    }
}

int main(void)
{
    scratch_enter();
    matrix(0);
    matrix(1);
    matrix(2);
    in_child("special", special);
    in_child("directories", directories);
    in_child("listing", listing);
    return 0;
}
